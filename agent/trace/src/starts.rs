//! Comes in: what threads read and did, each time with the number that the next task gets. Goes out: what the threads had done
//! last that may have started a task, and how many tasks a request may have started. Refuses: to choose between threads. What is
//! believed stands in [`crate::started`].
//!
//! A runtime numbers its tasks as they are started: a task was started before the first event with a higher number to come,
//! and not before the last one without.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Nanos, Number, Task};

use crate::threads::ThreadKey;

/// Events that one process is remembered for.
const MAX_MARKS: usize = 256;

/// Processes that are remembered.
const MAX_PROCESSES: usize = 256;

/// Requests of one process whose tasks are being counted: hardly more than it has threads that work.
const MAX_TURNS: usize = 64;

/// Requests whose tasks were counted and that are not answered.
const MAX_COUNTS: usize = 16_384;

/// What a thread did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// It read this request.
    Request(Key),
    /// It read the response to this call.
    Response(Key),
    /// It called or answered.
    Wrote,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The number that the next task gets.
    next: Number,
    time: Nanos,
    thread: ThreadKey,
    rests: u32,
    did: Did,
}

/// A request that a thread has just read.
#[derive(Clone, Copy, Debug)]
struct Turn {
    request: Key,
    thread: ThreadKey,
    next: Number,
    time: Nanos,
}

#[derive(Debug, Default)]
struct Process {
    /// In the order of their numbers.
    marks: VecDeque<Mark>,
    /// Are some missing?
    forgot: bool,
    turns: Vec<Turn>,
}

/// Who may have started a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Starters {
    /// What each thread that may have done it had done last, and when.
    pub(crate) last: Vec<(Did, Nanos)>,
    /// By then it was started.
    pub(crate) by: Nanos,
}

/// What processes with numbered tasks did lately. Bounded.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    processes: FxHashMap<u32, Process>,
    /// How many tasks a request may have started, at most.
    counts: FxHashMap<Key, u32>,
    /// Requests of which more is known than before.
    news: Vec<Key>,
}

impl Starts {
    /// A thread does something. What was done longer ago than `reach` starts no task any more.
    pub(crate) fn mark(&mut self, task: Task, time: Nanos, did: Did, reach: u64) {
        let Some(next) = task.next else { return };
        if self.processes.len() >= MAX_PROCESSES && !self.processes.contains_key(&task.pid) {
            return;
        }
        let process = self.processes.entry(task.pid).or_default();
        let thread = ThreadKey::from(task);
        for turn in
            process.turns.extract_if(.., |turn| turn.thread == thread || time.since(turn.time) >= reach)
        {
            if self.counts.len() < MAX_COUNTS {
                self.counts.insert(turn.request, u32::try_from(next.since(turn.next)).unwrap_or(0));
                self.news.push(turn.request);
            }
        }
        if let Did::Request(request) = did
            && process.turns.len() < MAX_TURNS
        {
            process.turns.push(Turn { request, thread, next, time });
        }
        if process.marks.len() >= MAX_MARKS {
            process.marks.pop_front();
            process.forgot = true;
        }
        // Events of several processors may come a little out of order.
        let behind = process.marks.iter().rev().take_while(|mark| mark.next.since(next) > 0).count();
        let at = process.marks.len() - behind;
        process.marks.insert(at, Mark { next, time, thread, rests: task.rests, did });
    }

    /// Who may have started the task that does something now, if what was done longer than `reach` before starts no task any more.
    /// `None` where that is not known.
    pub(crate) fn of(&self, task: Task, reach: u64) -> Option<Starters> {
        let number = Number::of(task.logical()?.id());
        let process = self.processes.get(&task.pid)?;
        let at = process.marks.iter().rposition(|mark| number.since(mark.next) >= 0)?;
        let (before, by) = (process.marks.get(at)?.time, process.marks.get(at + 1)?.time);
        let within = |mark: &&Mark| before.since(mark.time) < reach;
        if process.forgot && process.marks.front().is_none_or(|first| within(&first)) {
            return None;
        }
        let (own, mut threads, mut last) = (ThreadKey::from(task), Vec::new(), Vec::new());
        for mark in process.marks.range(..=at).rev().take_while(within) {
            if threads.contains(&mark.thread) {
                continue;
            }
            threads.push(mark.thread);
            // What it started it would have turned to before it slept.
            if mark.thread != own || mark.rests == task.rests {
                last.push((mark.did, mark.time));
            }
        }
        Some(Starters { last, by })
    }

    /// How many tasks a request may have started when it was read, at most. `None` until that is known.
    pub(crate) fn count(&self, request: Key) -> Option<u32> {
        self.counts.get(&request).copied()
    }

    /// More calls are known of this request.
    pub(crate) fn called(&mut self, request: Key) {
        if self.counts.contains_key(&request) {
            self.news.push(request);
        }
    }

    /// The next request of which more is known than before.
    pub(crate) fn news(&mut self) -> Option<Key> {
        self.news.pop()
    }

    /// A request is over.
    pub(crate) fn leave(&mut self, request: Key) {
        self.counts.remove(&request);
    }

    /// The process ended.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.processes.remove(&pid);
    }
}

#[cfg(test)]
mod tests {
    use wirespan_span::span::{Cookie, LogicalTask};

    use super::*;

    fn key(number: u64) -> Key {
        Key { cookie: Cookie(number), offset: 0, sub: 0 }
    }

    /// This task on a thread, when the next one gets that number.
    fn task(tid: u32, id: u64, next: u64) -> Task {
        Task { pid: 1, tid, key: LogicalTask::new(id, 0).key(), rests: 0, next: Some(Number::of(next)) }
    }

    /// Requests that threads read: the thread, the next number and when.
    fn read(reads: &[(u32, u64, u64)]) -> Starts {
        let mut starts = Starts::default();
        for (request, (tid, next, time)) in (1..).zip(reads) {
            starts.mark(task(*tid, 1, *next), Nanos(*time), Did::Request(key(request)), 100);
        }
        starts
    }

    /// The requests in whose turns a task may have been started.
    fn starters(starts: &Starts, id: u64) -> Option<Vec<u64>> {
        let requests = |starters: Starters| {
            let those = starters.last.iter().filter_map(|(did, _)| match did {
                Did::Request(request) => Some(request.cookie.0),
                _ => None,
            });
            those.collect()
        };
        starts.of(task(9, id, 90), 100).map(requests)
    }

    #[test]
    fn a_task_is_started_between_two_events() {
        let starts = read(&[(7, 50, 0), (7, 52, 10), (7, 53, 20)]);
        assert_eq!([50, 51, 52].map(|id| starters(&starts, id)), [vec![1], vec![1], vec![2]].map(Some));
        assert_eq!(
            [49, 53].map(|id| starters(&starts, id)),
            [None, None],
            "before the first, after the last"
        );
    }

    #[test]
    fn each_thread_may_have_started_it_that_read_anything_lately() {
        let starts = read(&[(5, 50, 0), (7, 50, 150), (8, 50, 160), (8, 51, 170)]);
        assert_eq!(starters(&starts, 50), Some(vec![3, 2]));
    }

    #[test]
    fn events_that_come_late_find_their_place() {
        let starts = read(&[(7, 50, 0), (7, 53, 20), (8, 52, 10)]);
        assert_eq!([51, 52].map(|id| starters(&starts, id)), [Some(vec![1]), Some(vec![3, 1])]);
    }

    #[test]
    fn tasks_are_counted_until_the_thread_does_something_else_or_it_was_long_ago() {
        let starts = read(&[(7, 50, 0), (8, 53, 10), (7, 54, 20), (8, 60, 200), (9, 61, 300)]);
        assert_eq!([1, 2, 3, 4].map(|request| starts.count(key(request))), [4, 7, 6, 1].map(Some));
        assert_eq!(starts.count(key(5)), None);
    }

    #[test]
    fn what_is_forgotten_is_not_said_to_be_nothing() {
        let many: Vec<_> = (0..=MAX_MARKS as u64).map(|n| (7, 50 + n, 10 * n)).collect();
        let starts = read(&many);
        assert_eq!(starts.processes[&1].marks.len(), MAX_MARKS);
        assert_eq!([52, 100].map(|id| starters(&starts, id)), [None, Some(vec![51])]);
    }

    #[test]
    fn all_is_bounded() {
        let mut starts = read(&vec![(7, 50, 0); MAX_COUNTS + 9]);
        assert_eq!(starts.counts.len(), MAX_COUNTS);
        for pid in 0..MAX_PROCESSES as u32 + 9 {
            let task = Task { pid, ..task(7, 1, 50) };
            starts.mark(task, Nanos(0), Did::Wrote, 100);
        }
        let crowd: Vec<_> = (0..MAX_TURNS as u32 + 9).map(|tid| (tid, 50, 0)).collect();
        assert_eq!(read(&crowd).processes[&1].turns.len(), MAX_TURNS);
        assert_eq!(starts.processes.len(), MAX_PROCESSES);
        starts.leave(key(1));
        starts.forget(1);
        assert_eq!((starts.counts.len(), starts.processes.len()), (MAX_COUNTS - 1, MAX_PROCESSES - 1));
    }
}
