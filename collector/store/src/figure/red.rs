//! Spans in; rate, errors and durations by minute and by hour out.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{Figures, HOUR, MINUTE};
use crate::{Kind, Span, Text};

/// Whose figures: service, operation, kind.
pub(crate) type SeriesKey = (Text, Text, Kind);
/// Figures by the start of their minute or hour and by series.
pub(crate) type RedRows = FxHashMap<(u64, SeriesKey), Figures>;

/// The same spans in both widths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Widths {
    /// By minute.
    pub(crate) minutes: RedRows,
    /// By hour.
    pub(crate) hours: RedRows,
}

/// Which figures are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedQuery {
    /// Of this service; none: of all.
    pub service: Option<Text>,
    /// Of this operation; none: of all.
    pub operation: Option<Text>,
    /// Of spans of these kinds.
    pub kinds: Vec<Kind>,
    /// From here, in nanoseconds since 1970; rounded down to a whole step.
    pub start: u64,
    /// To here, exclusive.
    pub end: u64,
    /// Width of a point in nanoseconds; whole minutes, at least one.
    pub step: u64,
    /// A series for each operation, not only for each service.
    pub by_operation: bool,
}

/// Series of figures.
pub type Red = Vec<Series>;

/// Figures over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The service.
    pub service: Text,
    /// The operation, where they were asked for.
    pub operation: Option<Text>,
    /// Figures by the start of their step, in nanoseconds since 1970.
    pub points: BTreeMap<u64, Figures>,
}

impl Widths {
    /// Takes a span of the operation `operation`.
    pub(crate) fn add(&mut self, span: &Span, operation: Text) {
        let key = (span.resource.service.clone(), operation, span.kind);
        self.minutes.entry((floor(span.start, MINUTE), key.clone())).or_default().add(span);
        self.hours.entry((floor(span.start, HOUR), key)).or_default().add(span);
    }

    /// Takes all of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (into, from) in [(&mut self.minutes, &other.minutes), (&mut self.hours, &other.hours)] {
            for (key, figures) in from {
                into.entry(key.clone()).or_default().merge(figures);
            }
        }
    }

    /// The rows that answer a query best.
    pub(crate) fn of(&self, query: &RedQuery) -> &RedRows {
        if query.width() == HOUR { &self.hours } else { &self.minutes }
    }
}

impl RedQuery {
    /// The width in which to read: hours where hours are all that is asked for.
    pub(crate) fn width(&self) -> u64 {
        if self.step.is_multiple_of(HOUR) { HOUR } else { MINUTE }
    }

    /// From where on rows count.
    pub(crate) fn from(&self) -> u64 {
        floor(self.start, self.step.max(MINUTE))
    }

    fn wants(&self, start: u64, key: &SeriesKey) -> bool {
        (self.from()..self.end).contains(&start)
            && self.kinds.contains(&key.2)
            && self.service.as_ref().is_none_or(|service| *service == key.0)
            && self.operation.as_ref().is_none_or(|operation| *operation == key.1)
    }
}

fn floor(time: u64, width: u64) -> u64 {
    time - time % width
}

/// Rows in, series by service and operation out.
pub(crate) fn merge_red<'a>(
    query: &RedQuery,
    rows: impl Iterator<Item = (u64, &'a SeriesKey, &'a Figures)>,
) -> Red {
    let step = query.step.max(MINUTE);
    let mut series: BTreeMap<(Text, Option<Text>), BTreeMap<u64, Figures>> = BTreeMap::new();
    for (start, key, figures) in rows.filter(|(start, key, _)| query.wants(*start, key)) {
        let name = (key.0.clone(), query.by_operation.then(|| key.1.clone()));
        series.entry(name).or_default().entry(floor(start, step)).or_default().merge(figures);
    }
    series.into_iter().map(|((service, operation), points)| Series { service, operation, points }).collect()
}
