//! Comes in: the CPU time that this process has taken, and what it came too late for. Goes out: the share of connections that
//! it can show without taking more of the host than it may. Takes away at once, gives back little by little. Refuses: to show
//! nothing at all.

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
const DOWN: f64 = 0.125;
const UP: f64 = 1.25;

/// Part of the budget below which something is given back.
const SPARE: f64 = 0.7;

/// Keeps the daemon within its part of the host's CPU time.
#[derive(Debug)]
pub(super) struct Budget {
    /// CPU time per time.
    limit: f64,
    mean: f64,
    seen: Option<(Nanos, Taken)>,
    share: f64,
}

/// What the daemon had taken so far.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    cpu: Duration,
    /// Events read.
    read: u64,
    /// Events that found their ring full.
    lost: u64,
}

impl Budget {
    /// So many percent of all processors' time.
    pub(super) fn new(percent: u32, processors: usize) -> Self {
        Self { limit: f64::from(percent) / 100.0 * processors as f64, mean: 0.0, seen: None, share: 1.0 }
    }

    /// It is `now`, and so many events were `read` and `lost` so far: the share that is to be shown, where it changed.
    pub(super) fn look(&mut self, now: Nanos, read: u64, lost: u64) -> Option<f64> {
        if self.seen.is_some_and(|(last, _)| now.since(last) < LOOK_NS) {
            return None;
        }
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32);
        self.judge(now, Taken { cpu, read, lost })
    }

    /// So much was taken by now. What was lost counts as if it had been read: it is what the time would have been needed for.
    fn judge(&mut self, now: Nanos, taken: Taken) -> Option<f64> {
        let (last, before) = self.seen.replace((now, taken))?;
        let (read, lost) = (taken.read.saturating_sub(before.read), taken.lost.saturating_sub(before.lost));
        let needed = 1.0 + lost as f64 / read.max(1) as f64;
        let cpu = taken.cpu.saturating_sub(before.cpu).as_nanos() as f64;
        let use_now = needed * cpu / now.since(last).max(1) as f64;
        self.mean += NEWS * (use_now - self.mean);
        let was = self.share;
        if self.mean > self.limit {
            let over = (self.limit / self.mean.max(use_now)).max(DOWN);
            self.share = (self.share * over).max(LEAST);
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

    /// A fifth of two processors, at its first look.
    fn budget() -> Budget {
        let mut budget = Budget::new(20, 2);
        budget.judge(Nanos(0), Taken::default());
        budget
    }

    fn cpu(seconds: f64) -> Taken {
        Taken { cpu: Duration::from_secs_f64(seconds), ..Taken::default() }
    }

    /// The share after each of these seconds' use, in CPUs.
    fn shares(uses: &[f64]) -> Vec<f64> {
        let (mut budget, mut taken) = (budget(), 0.0);
        let second = |(second, used): (u64, &f64)| {
            taken += used;
            budget.judge(Nanos(second * LOOK_NS), cpu(taken));
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
        let (mut budget, mut taken, mut used) = (budget(), 0.0, 0.0);
        for second in 1..120 {
            used = 4.0 * budget.share;
            taken += used;
            budget.judge(Nanos(second * LOOK_NS), cpu(taken));
        }
        assert!((0.2..0.5).contains(&used), "{used}");
    }

    /// More comes than one thread reads, which takes all of one processor however many connections are left out at first.
    #[test]
    fn what_was_lost_counts_as_if_it_had_been_read() {
        let (mut budget, mut taken) = (budget(), Taken::default());
        let mut looks = 0;
        while budget.share > 0.055 {
            let (could, came) = (100_000.0, 800_000.0 * budget.share);
            taken.read += f64::min(could, came) as u64;
            taken.lost += f64::max(0.0, came - could) as u64;
            taken.cpu += Duration::from_secs_f64(f64::min(1.0, came / could));
            looks += 1;
            budget.judge(Nanos(looks * LOOK_NS), taken);
        }
        assert!(looks <= 3, "{looks}");
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
