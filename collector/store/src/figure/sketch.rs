//! Durations in, quantiles out, and two sketches merge into one: logarithmic buckets as in DDSketch (Masson, Rim, Lee,
//! VLDB 2019), each value within 2 % of what is answered. At most about 1,100 buckets cover every `u64`.

use serde::{Deserialize, Serialize};

/// Buckets grow by this factor: (1 + 0.02) / (1 - 0.02).
const GROWTH: f64 = 1.02 / 0.98;

/// Counts by magnitude.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// Bucket and count, by bucket; never a count of 0.
    buckets: Vec<(u16, u64)>,
}

impl Sketch {
    /// Takes one value.
    pub fn add(&mut self, value: u64) {
        self.count(bucket(value), 1);
    }

    /// Takes all values of another sketch.
    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            self.count(bucket, count);
        }
    }

    fn count(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |entry| entry.0) {
            Ok(at) => {
                if let Some(entry) = self.buckets.get_mut(at) {
                    entry.1 = entry.1.saturating_add(count);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// The value that the share `q` (0 to 1) of all values does not exceed; none of no values.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total: u64 = self.buckets.iter().map(|entry| entry.1).sum();
        let rank = (q.clamp(0.0, 1.0) * total.saturating_sub(1) as f64).round() as u64;
        let mut before = 0;
        for &(bucket, count) in &self.buckets {
            before += count;
            if before > rank {
                return Some(middle(bucket));
            }
        }
        None
    }
}

/// The bucket `b` holds the values above `GROWTH^(b-1)` up to `GROWTH^b`; 0 holds 0 and 1.
fn bucket(value: u64) -> u16 {
    ((value.max(1) as f64).ln() / GROWTH.ln()).ceil() as u16
}

/// The value that is as far, in proportion, from both ends of a bucket.
fn middle(bucket: u16) -> u64 {
    (2.0 * GROWTH.powi(i32::from(bucket)) / (GROWTH + 1.0)).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_within_two_percent(
            mut values in prop::collection::vec(1_u64..1 << 50, 1..300),
            q in 0.0..=1.0_f64,
        ) {
            let mut sketch = Sketch::default();
            values.iter().for_each(|value| sketch.add(*value));
            values.sort_unstable();
            let exact = values[(q * (values.len() - 1) as f64).round() as usize] as f64;
            let found = sketch.quantile(q).unwrap() as f64;
            prop_assert!((found - exact).abs() <= exact * 0.0201 + 0.5, "{found} for {exact}");
        }

        #[test]
        fn merged_is_as_if_one_had_seen_all(left in prop::collection::vec(any::<u64>(), 0..50), right in prop::collection::vec(any::<u64>(), 0..50)) {
            let of = |values: &[u64]| values.iter().fold(Sketch::default(), |mut sketch, value| { sketch.add(*value); sketch });
            let mut merged = of(&left);
            merged.merge(&of(&right));
            prop_assert_eq!(merged, of(&[left, right].concat()));
        }
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Sketch::default().quantile(0.5), None);
    }
}
