//! Which processes are looked at, remembered. The kernel is told of those that are not, so that they stop paying; until
//! it knows, their events are dropped here.

use rustc_hash::FxHashMap;

use super::Orders;
use crate::{
    filter::{Filter, Verdict},
    process::Processes,
};

/// Processes remembered; beyond it they are asked about again.
const MOST: usize = 16_384;

/// Verdicts by process.
pub(super) struct Verdicts {
    filter: Filter,
    known: FxHashMap<u32, bool>,
}

impl Verdicts {
    /// Nobody is known yet.
    pub(super) fn new(filter: Filter) -> Self {
        Self { filter, known: FxHashMap::default() }
    }

    /// Is this process captured?
    pub(super) fn captures(
        &mut self,
        pid: u32,
        cgroup: u64,
        processes: &mut Processes,
        orders: &mut impl Orders,
    ) -> bool {
        if self.filter.takes_all() {
            return true;
        }
        if let Some(captured) = self.known.get(&pid) {
            return *captured;
        }
        let captured = self.filter.verdict(&processes.process(pid, cgroup)) == Verdict::Capture;
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(pid, captured);
        if !captured {
            orders.verdict(pid, false);
        }
        captured
    }

    /// The process is another one now, or gone: who comes next under this id is asked about again.
    pub(super) fn forget(&mut self, pid: u32, orders: &mut impl Orders) {
        if self.known.remove(&pid) == Some(false) {
            orders.verdict(pid, true);
        }
    }
}
