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
    /// Does the filter take all, so that nobody need be asked about?
    all: bool,
    known: FxHashMap<u32, bool>,
}

impl Verdicts {
    /// Nobody is known yet.
    pub(super) fn new(filter: Filter) -> Self {
        Self { all: filter.takes_all(), filter, known: FxHashMap::default() }
    }

    /// Is this process captured?
    pub(super) fn captures(
        &mut self,
        pid: u32,
        cgroup: u64,
        processes: &mut Processes,
        orders: &mut impl Orders,
    ) -> bool {
        if self.all {
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

    /// Everybody is asked about again; the kernel looks at all of them until it is told otherwise.
    pub(super) fn replace(&mut self, filter: Filter, orders: &mut impl Orders) {
        for (pid, captured) in self.known.drain() {
            if !captured {
                orders.verdict(pid, true);
            }
        }
        (self.all, self.filter) = (filter.takes_all(), filter);
    }

    /// The process is another one now, or gone: who comes next under this id is asked about again.
    pub(super) fn forget(&mut self, pid: u32, orders: &mut impl Orders) {
        if self.known.remove(&pid) == Some(false) {
            orders.verdict(pid, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use wirespan_proto::event::{Cookie, Policy};

    use super::*;
    use crate::{
        config::{Flags, merge},
        process::{HostFacts, Sources},
    };

    #[derive(Default)]
    struct Orders(Vec<(u32, bool)>);

    impl super::Orders for Orders {
        fn policy(&mut self, _: Cookie, _: Policy) {}

        fn verdict(&mut self, pid: u32, capture: bool) {
            self.0.push((pid, capture));
        }

        fn follow(&mut self, _: u32) {}
        fn wakes(&mut self, _: u32, _: bool) {}
    }

    fn without(pid: &str) -> Filter {
        let vars = [("WIRESPAN_FILTER_EXCLUDE_PIDS".to_owned(), pid.to_owned())];
        Filter::new(&merge(None, &vars, &Flags::default()).unwrap().config.filter).unwrap()
    }

    #[test]
    fn a_new_filter_takes_back_what_the_kernel_was_told() {
        let mut processes = Processes::new(Sources::default(), HostFacts::default(), &Vec::new(), 64);
        let (mut verdicts, mut orders) = (Verdicts::new(without("7")), Orders::default());
        assert!(!verdicts.captures(7, 0, &mut processes, &mut orders));
        verdicts.replace(without("8"), &mut orders);
        assert!(verdicts.captures(7, 0, &mut processes, &mut orders));
        assert!(!verdicts.captures(8, 0, &mut processes, &mut orders));
        assert_eq!(orders.0, [(7, false), (7, true), (8, false)]);
    }
}
