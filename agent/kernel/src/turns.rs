//! Who goes first where processors are short: the traced programs, as long as nothing is lost by it. Where little comes, the thread
//! that reads the rings runs in the kernel's idle class (`SCHED_IDLE`, sched(7)): whoever else wakes takes its processor at once.
//! A thread that never gets one would lose events; so a second one looks whether the first got its turn, and where it did not,
//! makes it one like all others.
//!
//! Between control groups that have a CPU weight each, the kernel compares the groups and not their threads: there all is as
//! without.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use crate::clock;

/// How long after its time the reader may still be waiting for a processor: where little comes, a quarter of a ring is full by then.
const LATE_NS: u64 = 8_000_000;

/// Pauses in a row with little to read, and in time, after which the reader goes last.
const CALM: u32 = 10;

/// In place of the time at which the reader wants its turn: it does not go last; it is gone.
const EQUAL: u64 = 0;
const GONE: u64 = u64::MAX;

/// The turns of one reading thread.
#[derive(Debug)]
pub(crate) struct Turns {
    shared: Arc<Shared>,
    /// `None`: this thread is always one like all others.
    keeper: Option<Thread>,
    /// Such pauses so far.
    calm: u32,
}

/// What the two threads know together.
#[derive(Debug)]
struct Shared {
    reader: libc::pid_t,
    /// When the reader, which goes last, wants its turn, ns of `CLOCK_MONOTONIC`. Only the reader writes it.
    due: AtomicU64,
}

impl Turns {
    /// Of the calling thread. It is always one like all others where somebody chose a class for the daemon, and where no thread may
    /// leave the idle class again (that takes `CAP_SYS_NICE`).
    pub(crate) fn of_this_thread() -> Self {
        let reader = this_thread();
        let shared = Arc::new(Shared { reader, due: AtomicU64::new(EQUAL) });
        let keeper = (class(reader) == libc::SCHED_OTHER && may_return()).then(|| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("turns".into()).spawn(move || shared.keep())
        });
        let keeper = keeper.and_then(Result::ok).map(|handle| handle.thread().clone());
        Self { shared, keeper, calm: 0 }
    }

    /// This thread will pause for so many ns. Where `little` comes, and has for a while without its being late, the others go
    /// first from now on.
    pub(crate) fn pause(&mut self, pause: u64, little: bool) {
        let (now, due) = (clock::monotonic(), self.shared.due.load(Ordering::Relaxed));
        let late = due != EQUAL && now > due + LATE_NS;
        self.calm = if little && !late { self.calm.saturating_add(1) } else { 0 };
        match &self.keeper {
            Some(keeper) if self.calm >= CALM => {
                // Each time, for the keeper may have changed it.
                set(self.shared.reader, libc::SCHED_IDLE);
                if self.shared.due.swap(now + pause, Ordering::AcqRel) == EQUAL {
                    keeper.unpark();
                }
            }
            _ => self.equal(),
        }
    }

    /// This thread is one like all others.
    pub(crate) fn equal(&self) {
        if self.shared.due.swap(EQUAL, Ordering::AcqRel) != EQUAL {
            set(self.shared.reader, libc::SCHED_OTHER);
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.equal();
        self.shared.due.store(GONE, Ordering::Release);
        if let Some(keeper) = &self.keeper {
            keeper.unpark();
        }
    }
}

impl Shared {
    /// Runs on a thread of its own.
    fn keep(&self) {
        loop {
            match self.due.load(Ordering::Acquire) {
                EQUAL => thread::park(),
                GONE => return,
                due => {
                    let left = (due + LATE_NS).saturating_sub(clock::monotonic());
                    if left == 0 {
                        set(self.reader, libc::SCHED_OTHER);
                    }
                    thread::sleep(Duration::from_nanos(if left == 0 { LATE_NS } else { left }));
                }
            }
        }
    }
}

/// Tried on a thread of its own: one that may not stays in the idle class for ever.
fn may_return() -> bool {
    let tried = || {
        let thread = this_thread();
        set(thread, libc::SCHED_IDLE) && set(thread, libc::SCHED_OTHER)
    };
    thread::Builder::new().spawn(tried).is_ok_and(|thread| thread.join().unwrap_or(false))
}

fn this_thread() -> libc::pid_t {
    // SAFETY: takes nothing.
    unsafe { libc::gettid() }
}

/// Puts a thread into a class; false: it may not.
fn set(thread: libc::pid_t, class: libc::c_int) -> bool {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads one structure of ours.
    unsafe { libc::sched_setscheduler(thread, class, &raw const parameters) == 0 }
}

/// The class that a thread is in.
fn class(thread: libc::pid_t) -> libc::c_int {
    // SAFETY: takes a number and gives one.
    unsafe { libc::sched_getscheduler(thread) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The class after so many pauses.
    fn after(turns: &mut Turns, pauses: u32, little: bool) -> libc::c_int {
        (0..pauses).for_each(|_| turns.pause(1_000_000_000, little));
        class(turns.shared.reader)
    }

    #[test]
    fn others_go_first_only_where_little_comes() {
        let mut turns = Turns::of_this_thread();
        let last = if turns.keeper.is_some() { libc::SCHED_IDLE } else { libc::SCHED_OTHER };
        assert_eq!(after(&mut turns, CALM - 1, true), libc::SCHED_OTHER);
        assert_eq!(after(&mut turns, 1, true), last);
        assert_eq!(after(&mut turns, 1, false), libc::SCHED_OTHER);
        assert_eq!(after(&mut turns, CALM - 1, true), libc::SCHED_OTHER, "a busy moment counts for a while");
        assert_eq!(after(&mut turns, 1, true), last);
        turns.equal();
        assert_eq!(class(turns.shared.reader), libc::SCHED_OTHER);
    }

    #[test]
    fn who_does_not_get_its_turn_goes_last_no_longer() {
        let mut turns = Turns::of_this_thread();
        after(&mut turns, CALM, true);
        turns.pause(1, true);
        // As if another had the processor: it does nothing itself to leave the class.
        while class(turns.shared.reader) == libc::SCHED_IDLE {
            std::hint::spin_loop();
        }
        turns.pause(1, true);
        assert_eq!(class(turns.shared.reader), libc::SCHED_OTHER, "nor does it at once again");
    }
}
