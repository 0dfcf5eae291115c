//! Comes in: which goroutine or async task read which request, and which one made a call. Goes out: what that tells of the
//! call's cause. Refuses: to carry a request over to the next one that a task reads, and to let a task that outlived the
//! request in which it was started stand for a later one.
//!
//! Only processes with a runtime adapter have logical tasks. A task that reads requests itself works for nobody else. One
//! that reads none may write for others (the task of a pooled connection): of it only its thread tells, or, for its first
//! call, who started it. Or another one reads for it (asyncio): then it stays with the request that it was first seen to
//! work on until that is answered, and what it called for an unknown one was for the one that it answers. What a task did that another
//! one waits for was for the request that either of them answers. And one may serve a connection: itself, or by tasks that it waits for.

use rustc_hash::{FxHashMap, FxHashSet};
use wirespan_span::span::{Cookie, Key, Task};

/// Open requests of one task that are remembered, the oldest goes first: a task works on one, or on a pipeline.
const MAX_OPEN: usize = 64;

/// Calls of one task that wait for its answer.
const MAX_UNPLACED: usize = 32;

/// So many threads may be known for each task: a task takes some 150 bytes, and a program may start one for each call.
const THREADS_PER_TASK: usize = 4;

/// Calls without a cause that show what a task is.
const MANY: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name {
    pid: u32,
    id: u64,
}

#[derive(Debug, Default)]
struct Worker {
    /// Requests that it has read and that are not answered.
    open: Vec<Key>,
    /// Has it ever read a request?
    serves: bool,
    /// The request that its starter worked on when this task was first seen.
    started_in: Option<Key>,
    /// Has it made a call?
    called: bool,
    /// Has it ever answered a request?
    answers: bool,
    /// The request that its thread was seen to work on when it made a call, and who waited for it then. Addresses are used again: where
    /// another waits now, it is another task.
    bound: Option<(Key, Option<Name>)>,
    /// The same of a task that it waits for.
    bound_below: Option<Key>,
    /// Connection of the request that it answered last, and of the one that a task that it waits for did.
    connection: Option<Cookie>,
    connection_below: Option<Cookie>,
    /// Did its thread work on another one meanwhile? Then it may write for all.
    doubted: bool,
    /// Calls since its last answer, also of tasks that it waits for, for which no request is known; and whether somebody waited for the
    /// task that made them.
    unplaced: Vec<(Key, bool)>,
    /// Calls at which its thread had something that they may be for, and at which it had nothing.
    with_cause: u32,
    without: u32,
}

/// What is known of the task that makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// It read this request and no other that is open.
    On(Key),
    /// It was started by a task that worked on this request, and this is its first call.
    StartedIn(Key),
    /// It reads requests, and none is open: it works for itself.
    Idle,
    /// It has several open, or is not known to read requests.
    Unknown,
}

/// A request that a task was seen to work on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) request: Key,
    /// Did its thread work on another one meanwhile?
    doubted: bool,
    /// Has it ever answered a request?
    answers: bool,
}

impl Bound {
    /// Does it stay with that, as far as is known? One that answers no requests may have ended, and another have its name: its
    /// thread must not say otherwise.
    pub(crate) const fn stays(&self, thread_agrees: bool) -> bool {
        !self.doubted && (self.answers || thread_agrees)
    }
}

/// What was known of a task that answers a request.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The request that it was seen to work on, and whether somebody waited for the task that was.
    pub(crate) bound: Option<(Key, bool)>,
    /// Calls that waited for this, and the same of them.
    pub(crate) calls: Vec<(Key, bool)>,
    /// Was its last answer on the same connection?
    pub(crate) again: Option<bool>,
    /// Was the last answer that a task of the one that waits for it gave?
    pub(crate) again_below: Option<bool>,
}

/// The logical tasks of all processes.
#[derive(Debug)]
pub(crate) struct Tasks {
    workers: FxHashMap<Name, Worker>,
    /// The task that has each open request.
    owners: FxHashMap<Key, Name>,
    /// Those that have workers: of others nothing need be looked for when they end.
    processes: FxHashSet<u32>,
    max: usize,
}

impl Tasks {
    pub(crate) fn new(max_threads: usize) -> Self {
        let (workers, owners, processes) = Default::default();
        Self { workers, owners, processes, max: max_threads.div_ceil(THREADS_PER_TASK) }
    }

    /// A task read a request. Where it is the helper of one that serves requests (Go's server lets a goroutine of its own
    /// wait for the first byte), it read for that one.
    pub(crate) fn reads(&mut self, task: Task, request: Key) {
        let Some(name) = name(task) else { return };
        let serves = |name: &Name| self.workers.get(name).is_some_and(|worker| worker.serves);
        let starter = starter(task).filter(|starter| !serves(&name) && serves(starter));
        let name = starter.unwrap_or(name);
        let Some(worker) = self.room(name) else { return };
        worker.serves = true;
        let forgotten = (worker.open.len() >= MAX_OPEN).then(|| worker.open.remove(0));
        worker.open.push(request);
        self.owners.insert(request, name);
        if let Some(forgotten) = forgotten {
            self.owners.remove(&forgotten);
        }
    }

    /// What is known of the task at a call. Its first one is remembered.
    pub(crate) fn calls(&mut self, task: Task) -> Work {
        let Some(name) = name(task) else { return Work::Unknown };
        if !self.workers.contains_key(&name) {
            let started_in = starter(task).and_then(|starter| self.work_of(starter));
            let Some(worker) = self.room(name) else { return Work::Unknown };
            worker.started_in = started_in;
        }
        let Some(worker) = self.workers.get_mut(&name) else { return Work::Unknown };
        let first = !std::mem::replace(&mut worker.called, true);
        match (worker.open.as_slice(), worker.serves, worker.started_in) {
            ([request], ..) => Work::On(*request),
            ([], true, _) => Work::Idle,
            ([], false, Some(request)) if first => Work::StartedIn(request),
            _ => Work::Unknown,
        }
    }

    /// Was nothing seen of this task before?
    pub(crate) fn is_new(&self, task: Task) -> bool {
        name(task).is_some_and(|name| !self.workers.contains_key(&name))
    }

    /// A task that reads no requests makes a call for which its thread knows a cause, or none. Is the thread to be believed?
    /// A background job's task makes most of its calls while its thread has nothing open; the task of a pooled
    /// connection few.
    pub(crate) fn writes_for_others(&mut self, task: Task, cause: bool) -> bool {
        let Some(worker) = name(task).and_then(|name| self.workers.get_mut(&name)) else { return true };
        let believed = worker.answers || worker.without < MANY || worker.with_cause >= worker.without;
        *if cause { &mut worker.with_cause } else { &mut worker.without } += 1;
        believed
    }

    /// The task was seen to work on this request, and with it who waits for it.
    pub(crate) fn bind(&mut self, task: Task, request: Key) {
        let waiter = waiter(task);
        if let Some(worker) = name(task).and_then(|name| self.room(name)) {
            worker.bound = Some((request, waiter));
        }
        if let Some(worker) = waiter.and_then(|waiter| self.room(waiter)) {
            worker.bound_below = Some(request);
        }
    }

    /// Its thread seems to work on another request.
    pub(crate) fn doubt(&mut self, task: Task) {
        for name in both(task) {
            if let Some(worker) = self.workers.get_mut(&name) {
                worker.doubted = !worker.answers;
            }
        }
    }

    /// The requests that it and who waits for it were seen to work on last, answered or not.
    pub(crate) fn bound(&self, task: Task) -> impl Iterator<Item = Bound> {
        let waiter = waiter(task);
        let own = name(task).and_then(|name| self.workers.get(&name)).into_iter().flat_map(move |own| {
            let itself = own.bound.filter(|(_, waited)| *waited == waiter).map(|(request, _)| request);
            [itself, own.bound_below].map(|request| (own, request))
        });
        let above = waiter.and_then(|waiter| self.workers.get(&waiter)).into_iter();
        let above = above.flat_map(|above| {
            [above.bound_below, above.bound.map(|(request, _)| request)].map(|request| (above, request))
        });
        own.chain(above).filter_map(|(worker, request)| {
            Some(Bound { request: request?, doubted: worker.doubted, answers: worker.answers })
        })
    }

    /// The connection that it serves, as its last answer has it; and the one that it serves with others for who waits for it.
    pub(crate) fn connections(&self, task: Task) -> (Option<Cookie>, Option<Cookie>) {
        let worker = |name: Option<Name>| self.workers.get(&name?);
        let own = worker(name(task)).and_then(|worker| worker.connection);
        (own, worker(waiter(task)).and_then(|worker| worker.connection_below))
    }

    /// For whom the task made this call will show when it answers, or who waits for it.
    pub(crate) fn wonder(&mut self, task: Task, call: Key) {
        let awaited = waiter(task).is_some();
        for name in both(task) {
            let Some(worker) = self.room(name) else { continue };
            // Those of longest ago may be another task's, which had this name.
            if worker.unplaced.len() >= MAX_UNPLACED {
                worker.unplaced.remove(0);
            }
            worker.unplaced.push((call, awaited));
        }
    }

    /// The task answers a request.
    pub(crate) fn answers(&mut self, task: Task, request: Key) -> Answers {
        let Some(worker) = name(task).and_then(|name| self.room(name)) else { return Answers::default() };
        (worker.answers, worker.doubted) = (true, false);
        let bound = worker.bound.take().map(|(request, waiter)| (request, waiter.is_some()));
        let bound = worker.bound_below.take().map(|request| (request, true)).or(bound);
        let calls = std::mem::take(&mut worker.unplaced);
        let same = |last: &mut Option<Cookie>| Some(last.replace(request.cookie)? == request.cookie);
        let again = same(&mut worker.connection);
        let above = waiter(task).and_then(|waiter| self.room(waiter));
        let again_below = above.and_then(|above| same(&mut above.connection_below));
        Answers { bound, calls, again, again_below }
    }

    /// Is it the task that has this request? `None` where nobody has it.
    pub(crate) fn has(&self, task: Task, request: Key) -> Option<bool> {
        Some(*self.owners.get(&request)? == name(task)?)
    }

    /// The request is over.
    pub(crate) fn leave(&mut self, request: Key) {
        let Some(name) = self.owners.remove(&request) else { return };
        if let Some(worker) = self.workers.get_mut(&name) {
            worker.open.retain(|open| *open != request);
        }
    }

    /// The process ended: numbers of tasks begin anew in the next.
    pub(crate) fn forget(&mut self, pid: u32) {
        if self.processes.remove(&pid) {
            self.workers.retain(|name, _| name.pid != pid);
            self.owners.retain(|_, name| name.pid != pid);
        }
    }

    /// The only request that it has read, or the one that it was started in.
    fn work_of(&self, name: Name) -> Option<Key> {
        let worker = self.workers.get(&name)?;
        match worker.open.as_slice() {
            [request] => Some(*request),
            [] if !worker.serves => worker.started_in,
            _ => None,
        }
    }

    fn room(&mut self, name: Name) -> Option<&mut Worker> {
        if self.workers.len() >= self.max && !self.workers.contains_key(&name) {
            // Tasks that end are not heard of. Most make one call; those that have a request are in use, and those that serve may be.
            self.workers.retain(|_, worker| worker.serves || !worker.open.is_empty());
            if self.workers.len() > self.max / 2 {
                self.workers.retain(|_, worker| !worker.open.is_empty());
            }
            self.processes = self.workers.keys().map(|name| name.pid).collect();
            if self.workers.len() >= self.max {
                return None;
            }
        }
        Some(self.workers.entry(name).or_insert_with(|| {
            self.processes.insert(name.pid);
            Worker::default()
        }))
    }
}

fn name(task: Task) -> Option<Name> {
    Some(Name { pid: task.pid, id: task.logical()?.id() })
}

fn starter(task: Task) -> Option<Name> {
    Some(Name { pid: task.pid, id: task.logical()?.starter()? })
}

/// The task and who waits for it.
fn both(task: Task) -> impl Iterator<Item = Name> {
    [name(task), waiter(task)].into_iter().flatten()
}

fn waiter(task: Task) -> Option<Name> {
    Some(Name { pid: task.pid, id: task.logical()?.waiter()? })
}

#[cfg(test)]
mod tests {
    use wirespan_span::span::LogicalTask;

    use super::*;

    fn task(id: u64) -> Task {
        Task { pid: 7, tid: 7, key: LogicalTask::new(id, 0).key(), ..Task::default() }
    }

    #[test]
    fn tasks_that_made_their_call_go_before_those_that_serve() {
        let mut tasks = Tasks::new(8 * THREADS_PER_TASK);
        let request = Key { cookie: Cookie(1), offset: 0, sub: 0 };
        tasks.reads(task(1), request);
        tasks.leave(request);
        for id in 2..100 {
            assert!(tasks.is_new(task(id)));
            assert_eq!(tasks.calls(task(id)), Work::Unknown);
            assert!(!tasks.is_new(task(id)) && tasks.workers.len() <= 8);
        }
        assert_eq!(tasks.calls(task(1)), Work::Idle);
    }
}
