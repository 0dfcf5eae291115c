//! How long spans are under way. Comes in: when spans ended, and the moment at which the endpoint took them. Goes out:
//! [`Delays`], a histogram. A step of the wall clock distorts the delays of the spans that are under way, no others.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use super::counters::add;

/// Upper bounds of the buckets, ms. The usual delay is that of a batch, a second; an endpoint that is away costs up to
/// the longest retry.
const BOUNDS_MS: [u64; 12] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 300_000];

/// One more bucket for what is slower than the last bound.
const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// Delays from the end of a span to the endpoint's acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Spans in each bucket, by [`Delays::bounds_ms`]; the last holds those beyond all bounds.
    pub buckets: [u64; BUCKETS],
    /// Sum of all delays, ns.
    pub sum_ns: u64,
}

impl Delays {
    /// Upper bounds of all buckets but the last, inclusive, ms.
    #[must_use]
    pub const fn bounds_ms() -> &'static [u64] {
        &BOUNDS_MS
    }
}

/// The histogram as the exporter fills it.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
}

impl Histogram {
    /// Spans that ended at these moments (ns since the UNIX epoch) have arrived.
    pub(super) fn acknowledged(&self, ends: &[u64], now: SystemTime) {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        for delay in ends.iter().map(|end| now.saturating_sub(*end)) {
            let bucket = BOUNDS_MS.partition_point(|bound| bound * 1_000_000 < delay);
            if let Some(bucket) = self.buckets.get(bucket) {
                add(bucket, 1);
            }
            add(&self.sum_ns, delay);
        }
    }

    pub(super) fn snapshot(&self) -> Delays {
        Delays {
            buckets: std::array::from_fn(|index| self.buckets[index].load(Relaxed)),
            sum_ns: self.sum_ns.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_span_is_in_one_bucket() {
        let (histogram, now) = (Histogram::default(), UNIX_EPOCH + Duration::from_secs(1_000));
        let ms = 1_000_000;
        let ago = |delay: u64| 1_000_000 * ms - delay;
        histogram.acknowledged(&[ago(0), ago(10 * ms), ago(10 * ms + 1), ago(900_000 * ms)], now);
        let delays = histogram.snapshot();
        assert_eq!(delays.buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(delays.sum_ns, 900_020 * ms + 1);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_delay() {
        let histogram = Histogram::default();
        histogram.acknowledged(&[5_000_000_000], UNIX_EPOCH + Duration::from_secs(4));
        assert_eq!((histogram.snapshot().buckets[0], histogram.snapshot().sum_ns), (1, 0));
    }
}
