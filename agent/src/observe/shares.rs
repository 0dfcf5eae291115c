//! Events by process. Comes in: the process of each event, and which processes are gone. Goes out: those with most events,
//! and the sum of the rest. Refuses: to count an event in two places, so that no count falls while a process lives.

use std::{cmp::Reverse, sync::Arc};

use rustc_hash::FxHashMap;

use crate::process::Process;

/// Processes that are told by name.
const MOST_NAMED: usize = 20;
/// Processes that are counted apart; beyond it all start anew.
const MOST_PROCESSES: usize = 16_384;

/// What the busiest processes and all others did.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// Each with its events, most events first.
    pub named: Vec<(Arc<Process>, u64)>,
    /// Events of all others, of those that ended, and of the named while they were among the others.
    pub rest: u64,
}

/// Events of one process.
#[derive(Debug, Default)]
struct Work {
    /// All.
    events: u64,
    /// Of these: told already, by name or among the rest.
    told: u64,
    /// Of these: by name.
    named: u64,
}

/// Counts events by process.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    processes: FxHashMap<u32, Work>,
    rest: u64,
}

impl Ledger {
    /// An event of a process: how many it has by now. `None`, and nothing is counted, where the process was not
    /// [entered](Self::enter).
    pub(crate) fn count(&mut self, pid: u32) -> Option<u64> {
        let work = self.processes.get_mut(&pid)?;
        work.events += 1;
        Some(work.events)
    }

    /// From now on this process is counted apart; this is its first event.
    pub(crate) fn enter(&mut self, pid: u32) {
        if self.processes.len() >= MOST_PROCESSES {
            self.rest += self.processes.drain().map(|(_, work)| work.events - work.told).sum::<u64>();
        }
        self.processes.insert(pid, Work { events: 1, ..Work::default() });
    }

    /// An event of a process that is not counted apart.
    pub(crate) const fn pass(&mut self) {
        self.rest += 1;
    }

    /// It is another program now, or gone.
    pub(crate) fn forget(&mut self, pid: u32) {
        if let Some(work) = self.processes.remove(&pid) {
            self.rest += work.events - work.told;
        }
    }

    /// What was counted so far; `process` says who a process is.
    pub(crate) fn shares(&mut self, mut process: impl FnMut(u32) -> Arc<Process>) -> Shares {
        let last = self.last_named();
        let mut named = Vec::new();
        for (pid, work) in &mut self.processes {
            let fresh = work.events - work.told;
            work.told = work.events;
            if last.is_none_or(|last| (work.events, *pid) >= last) {
                work.named += fresh;
                named.push((process(*pid), work.named));
            } else {
                self.rest += fresh;
            }
        }
        named.sort_unstable_by_key(|(process, events)| (Reverse(*events), process.pid));
        Shares { named, rest: self.rest }
    }

    /// Events and pid of the last process that is told by name; `None` where all are.
    fn last_named(&self) -> Option<(u64, u32)> {
        if self.processes.len() <= MOST_NAMED {
            return None;
        }
        let mut ranks: Vec<_> = self.processes.iter().map(|(pid, work)| (work.events, *pid)).collect();
        let (_, last, _) = ranks.select_nth_unstable_by_key(MOST_NAMED - 1, |rank| Reverse(*rank));
        Some(*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(ledger: &mut Ledger, pid: u32, events: u64) {
        for _ in 0..events {
            if ledger.count(pid).is_none() {
                ledger.enter(pid);
            }
        }
    }

    /// Pids and events of the named, and the rest.
    fn told(ledger: &mut Ledger) -> (Vec<(u32, u64)>, u64) {
        let Shares { named, rest } = ledger.shares(|pid| Arc::new(Process { pid, ..Process::default() }));
        (named.into_iter().map(|(process, events)| (process.pid, events)).collect(), rest)
    }

    #[test]
    fn few_are_all_told_and_leave_at_their_end() {
        let mut ledger = Ledger::default();
        work(&mut ledger, 7, 3);
        work(&mut ledger, 8, 5);
        ledger.pass();
        assert_eq!(told(&mut ledger), (vec![(8, 5), (7, 3)], 1));
        work(&mut ledger, 8, 2);
        ledger.forget(8);
        assert_eq!(told(&mut ledger), (vec![(7, 3)], 3), "what was told by name is not told again");
        assert!(ledger.count(8).is_none());
    }

    #[test]
    fn of_many_the_busiest_are_told_and_no_count_falls() {
        let mut ledger = Ledger::default();
        for pid in 1..=MOST_NAMED as u32 + 2 {
            work(&mut ledger, pid, u64::from(pid) * 10);
        }
        let (named, rest) = told(&mut ledger);
        assert_eq!((named.len(), named[0], named[19], rest), (20, (22, 220), (3, 30), 10 + 20));

        work(&mut ledger, 1, 1000);
        let (named, rest) = told(&mut ledger);
        assert_eq!((named.len(), named[0], rest), (20, (1, 1000), 30), "its first ten stay among the rest");
        assert!(named.iter().all(|(pid, _)| *pid != 3));

        work(&mut ledger, 3, 500);
        let (named, _) = told(&mut ledger);
        assert_eq!(named[1], (3, 530), "it goes on where it was");
    }

    #[test]
    fn a_full_table_starts_anew_and_loses_no_event() {
        let mut ledger = Ledger::default();
        for pid in 0..=MOST_PROCESSES as u32 {
            work(&mut ledger, pid, 1);
        }
        assert_eq!(told(&mut ledger), (vec![(MOST_PROCESSES as u32, 1)], MOST_PROCESSES as u64));
    }
}
