//! Comes in: who read what. Goes out: the request that a thread (or logical task) works on. An entry is a claim: the
//! caller checks that the request is still open.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Task};

/// Pipelined requests that wait behind the current one on a thread; more than a client sends at once.
const MAX_PIPELINED: usize = 64;

/// A thread or logical task, within its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ThreadKey {
    pid: u32,
    key: u64,
}

impl From<Task> for ThreadKey {
    fn from(task: Task) -> Self {
        Self { pid: task.pid, key: task.key }
    }
}

#[derive(Debug, Default)]
struct Thread {
    current: Option<Key>,
    /// Requests read here and not answered yet.
    open: u32,
    /// Requests that came on the current one's connection while it was open: answered in their order.
    pipelined: VecDeque<Key>,
}

/// The request that a thread works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) key: Key,
    /// Does the thread have other open requests, so that it may be working on one of those?
    pub(crate) shared: bool,
}

/// What each thread works on.
#[derive(Debug)]
pub(crate) struct Threads {
    threads: FxHashMap<ThreadKey, Thread>,
    max: usize,
}

impl Threads {
    pub(crate) fn new(max: usize) -> Self {
        Self { threads: FxHashMap::default(), max }
    }

    /// A thread read a request. `false` where there was no room to remember it.
    pub(crate) fn read(&mut self, thread: ThreadKey, key: Key) -> bool {
        let Some(thread) = self.room(thread) else { return false };
        thread.open += 1;
        match thread.current {
            Some(current) if pipelined(current, key) => {
                if thread.pipelined.len() < MAX_PIPELINED {
                    thread.pipelined.push_back(key);
                }
            }
            _ => {
                thread.current = Some(key);
                thread.pipelined.clear();
            }
        }
        true
    }

    /// A thread went back to a request (or to none: it works on something that belongs to no request).
    pub(crate) fn resume(&mut self, thread: ThreadKey, request: Option<Key>) {
        if request.is_none() && !self.threads.contains_key(&thread) {
            return;
        }
        if let Some(thread) = self.room(thread)
            && thread.current != request
        {
            thread.current = request;
            thread.pipelined.clear();
        }
    }

    /// The request that `thread` had read was answered or taken back.
    pub(crate) fn answered(&mut self, thread: ThreadKey, key: Key) {
        if let Some(thread) = self.threads.get_mut(&thread) {
            thread.open = thread.open.saturating_sub(1);
            thread.pipelined.retain(|waiting| *waiting != key);
        }
        self.leave(thread, key);
    }

    /// The thread no longer works on the request.
    pub(crate) fn leave(&mut self, key: ThreadKey, request: Key) {
        let Some(thread) = self.threads.get_mut(&key) else { return };
        if thread.current == Some(request) {
            thread.current = thread.pipelined.pop_front();
        }
        if thread.current.is_none() && thread.open == 0 {
            self.threads.remove(&key);
        }
    }

    pub(crate) fn current(&self, thread: ThreadKey) -> Option<Current> {
        let thread = self.threads.get(&thread)?;
        let waiting = u32::try_from(thread.pipelined.len()).unwrap_or(u32::MAX);
        thread.current.map(|key| Current { key, shared: thread.open.saturating_sub(waiting) > 1 })
    }

    fn room(&mut self, thread: ThreadKey) -> Option<&mut Thread> {
        if self.threads.len() >= self.max && !self.threads.contains_key(&thread) {
            return None;
        }
        Some(self.threads.entry(thread).or_default())
    }
}

/// Did the second request come behind the first on a connection that answers in order?
fn pipelined(first: Key, second: Key) -> bool {
    first.cookie == second.cookie && first.sub == 0 && second.sub == 0
}
