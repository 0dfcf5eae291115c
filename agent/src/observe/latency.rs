//! How long things took, in little room. Comes in: durations. Goes out: quantiles, within 7 %. Refuses: growing.

/// Bits of a value that are kept below its highest one: 8 buckets for each doubling.
const BITS: u32 = 3;

/// Longest duration told from longer ones: 2^36 µs, 19 hours.
const LONGEST_US: u64 = (1 << 36) - 1;

/// Buckets up to there.
const BUCKETS: usize = index(LONGEST_US) + 1;

/// Below 8 µs a bucket each; above, eight for each doubling.
const fn index(us: u64) -> usize {
    if us < 1 << BITS {
        return us as usize;
    }
    let shift = us.ilog2() - BITS;
    (((shift + 1) as usize) << BITS) + ((us >> shift) as usize & ((1 << BITS) - 1))
}

/// The middle of a bucket, µs.
const fn middle(index: usize) -> u64 {
    let octave = (index >> BITS) as u32;
    if octave == 0 {
        return index as u64;
    }
    let shift = octave - 1;
    let least = ((1 << BITS) + (index & ((1 << BITS) - 1)) as u64) << shift;
    least + (1 << shift) / 2
}

/// Counts of durations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latency {
    buckets: Box<[u32; BUCKETS]>,
    count: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0 }
    }
}

impl Latency {
    /// One took so long, ns.
    pub(super) fn add(&mut self, ns: u64) {
        if let Some(bucket) = self.buckets.get_mut(index((ns / 1000).min(LONGEST_US))) {
            *bucket = bucket.saturating_add(1);
            self.count += 1;
        }
    }

    /// The duration that this share (0 to 1) of all does not exceed, µs; 0 where there is none.
    pub(super) fn quantile_us(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        reached.map_or(0, middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_seven_percent() {
        for us in [1, 7, 8, 9, 100, 1_234, 99_999, 5_000_000, 3_600_000_000] {
            let mut latency = Latency::default();
            latency.add(us * 1000);
            let error = latency.quantile_us(0.5).abs_diff(us) as f64 / us as f64;
            assert!(error <= 0.07, "{us} µs became {}", latency.quantile_us(0.5));
        }
    }

    #[test]
    fn the_slow_ones_show_in_the_tail() {
        let mut latency = Latency::default();
        (0..98).for_each(|_| latency.add(1_000_000));
        (0..2).for_each(|_| latency.add(1_000_000_000));
        assert!((900..1100).contains(&latency.quantile_us(0.5)));
        assert!((930_000..1_070_000).contains(&latency.quantile_us(0.99)));
        assert_eq!(Latency::default().quantile_us(0.99), 0);
    }

    #[test]
    fn every_duration_has_a_bucket() {
        assert!(index(LONGEST_US) < BUCKETS);
        let mut latency = Latency::default();
        latency.add(u64::MAX);
        assert_eq!(latency.count, 1);
        assert!((1..=LONGEST_US).step_by(104_729_123).all(|us| index(us) >= index(us - 1)));
    }
}
