//! Spans in; how many, how many failed, how long they took.

use serde::{Deserialize, Serialize};

use super::Sketch;
use crate::Span;

/// Figures of some spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// How many.
    pub spans: u64,
    /// How many failed.
    pub errors: u64,
    /// All durations together, in nanoseconds; stays at the most that fits.
    pub sum: u64,
    /// The longest, in nanoseconds.
    pub max: u64,
    /// Their distribution.
    pub sketch: Sketch,
}

impl Figures {
    /// Takes one span.
    pub fn add(&mut self, span: &Span) {
        self.count(span.duration, span.failed());
    }

    /// Takes one span of this duration, in nanoseconds.
    pub(crate) fn count(&mut self, duration: u64, failed: bool) {
        self.spans += 1;
        self.errors += u64::from(failed);
        self.sum = self.sum.saturating_add(duration);
        self.max = self.max.max(duration);
        self.sketch.add(duration);
    }

    /// Takes the spans of others.
    pub fn merge(&mut self, other: &Self) {
        self.spans += other.spans;
        self.errors += other.errors;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        self.sketch.merge(&other.sketch);
    }

    /// The duration, in nanoseconds, that the share `q` (0 to 1) does not exceed; never more than the longest.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.sketch.quantile(q).map(|value| value.min(self.max))
    }
}
