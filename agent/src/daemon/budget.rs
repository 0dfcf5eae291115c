//! Comes in: the CPU time that this process has taken. Goes out: the share of connections that it can show without taking
//! more of the host than it may. Takes away at once, gives back little by little. Refuses: to show nothing at all.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wirespan_proto::event::Nanos;

/// Time between two looks, ns.
const LOOK_NS: u64 = 1_000_000_000;

/// What the latest second counts in the mean: bursts of two or three seconds pass.
const NEWS: f64 = 0.3;

/// Least share of connections that is shown.
const LEAST: f64 = 1.0 / 1024.0;

/// Most that one look takes away, and that it gives back.
const DOWN: f64 = 0.25;
const UP: f64 = 1.25;

/// Part of the budget below which something is given back.
const SPARE: f64 = 0.7;

/// Keeps the daemon within its part of the host's CPU time.
#[derive(Debug)]
pub(super) struct Budget {
    /// CPU time per time.
    limit: f64,
    mean: f64,
    seen: Option<(Nanos, Duration)>,
    share: f64,
}

impl Budget {
    /// So many percent of all processors' time.
    pub(super) fn new(percent: u32, processors: usize) -> Self {
        Self { limit: f64::from(percent) / 100.0 * processors as f64, mean: 0.0, seen: None, share: 1.0 }
    }

    /// It is `now`: the share that is to be shown, where it changed.
    pub(super) fn look(&mut self, now: Nanos) -> Option<f64> {
        if self.seen.is_some_and(|(last, _)| now.since(last) < LOOK_NS) {
            return None;
        }
        let time = clock_gettime(ClockId::ProcessCPUTime);
        self.judge(now, Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32))
    }

    /// This process has taken so much by now.
    fn judge(&mut self, now: Nanos, taken: Duration) -> Option<f64> {
        let (last, before) = self.seen.replace((now, taken))?;
        let use_now = taken.saturating_sub(before).as_nanos() as f64 / now.since(last).max(1) as f64;
        self.mean += NEWS * (use_now - self.mean);
        let was = self.share;
        if self.mean > self.limit {
            self.share = (self.share * (self.limit / self.mean).max(DOWN)).max(LEAST);
            // What was taken away shows in the next seconds; it is not to be taken away twice.
            self.mean = self.limit;
        } else if self.mean < self.limit * SPARE {
            self.share = (self.share * UP).min(1.0);
        }
        (self.share.to_bits() != was.to_bits()).then_some(self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share after each of these seconds' use, in CPUs.
    fn shares(uses: &[f64]) -> Vec<f64> {
        let mut budget = Budget::new(20, 2);
        budget.judge(Nanos(0), Duration::ZERO);
        let mut taken = 0.0;
        let second = |(second, used): (u64, &f64)| {
            taken += used;
            budget.judge(Nanos(second * LOOK_NS), Duration::from_secs_f64(taken));
            budget.share
        };
        (1..).zip(uses).map(second).collect()
    }

    #[test]
    fn what_fits_is_shown_whole() {
        assert!(shares(&[0.39; 60]).iter().all(|share| *share == 1.0));
    }

    #[test]
    fn a_burst_passes() {
        assert!(shares(&[1.0, 0.0, 0.0, 0.0]).iter().all(|share| *share == 1.0));
    }

    #[test]
    fn a_flood_is_sampled_down_to_what_fits() {
        let mut budget = Budget::new(20, 2);
        budget.judge(Nanos(0), Duration::ZERO);
        let (mut taken, mut used) = (0.0, 0.0);
        for second in 1..120 {
            used = 4.0 * budget.share;
            taken += used;
            budget.judge(Nanos(second * LOOK_NS), Duration::from_secs_f64(taken));
        }
        assert!((0.2..0.5).contains(&used), "{used}");
    }

    #[test]
    fn afterwards_all_is_shown_again() {
        let after = shares(&[&[2.0; 20][..], &[0.0; 60]].concat());
        assert!(after[19] < 0.5 && after[79] == 1.0, "{after:?}");
    }

    #[test]
    fn never_nothing() {
        assert!(shares(&[2.0; 1000]).iter().all(|share| *share >= LEAST));
    }
}
