//! Comes in: threads that were born while their maker worked on a request, what they call, and their ends. Goes out: the
//! request that such a thread works for. Refuses: to say so of a thread that lives on. Whether a process makes a thread for
//! each piece of work, or lets a pool grow, shows only in the end: what a thread called before it ended was for the request
//! that it was made for; one that still works when that request is answered is a pool's.

use rustc_hash::FxHashMap;
use wirespan_span::span::Key;

use crate::threads::ThreadKey;

/// Calls of one thread that wait for its end.
const MAX_CALLS: usize = 32;

/// What a thread was made for.
#[derive(Debug)]
pub(crate) struct Heir {
    pub(crate) server: Key,
    /// How sure it is that its maker worked on that.
    pub(crate) confidence: f32,
    /// Calls that it made.
    pub(crate) calls: Vec<Key>,
}

/// Threads that live and were made for a request. Bounded.
#[derive(Debug)]
pub(crate) struct Lineage {
    heirs: FxHashMap<ThreadKey, Heir>,
    max: usize,
}

impl Lineage {
    pub(crate) fn new(max: usize) -> Self {
        Self { heirs: FxHashMap::default(), max }
    }

    /// A thread was made for a request. `false` where there is no room to remember it.
    pub(crate) fn born(&mut self, thread: ThreadKey, server: Key, confidence: f32) -> bool {
        let room = self.heirs.len() < self.max;
        if room {
            self.heirs.insert(thread, Heir { server, confidence, calls: Vec::new() });
        }
        room
    }

    /// What the thread was made for.
    pub(crate) fn of(&self, thread: ThreadKey) -> Option<(Key, f32)> {
        self.heirs.get(&thread).map(|heir| (heir.server, heir.confidence))
    }

    /// The thread made a call.
    pub(crate) fn calls(&mut self, thread: ThreadKey, call: Key) {
        if let Some(heir) = self.heirs.get_mut(&thread).filter(|heir| heir.calls.len() < MAX_CALLS) {
            heir.calls.push(call);
        }
    }

    /// The thread ended, or turned out to work for others too.
    pub(crate) fn leave(&mut self, thread: ThreadKey) -> Option<Heir> {
        self.heirs.remove(&thread)
    }
}
