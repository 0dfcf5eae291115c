//! A trace's spans in, what a list of traces shows out.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use wirespan_store::{Hit, StatusCode, Text, TraceId};

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub trace: TraceId,
    /// The first start, in nanoseconds since 1970.
    pub start: u64,
    /// From the first start to the last end, in nanoseconds.
    pub duration: u64,
    /// Spans.
    pub spans: u64,
    /// Failed spans.
    pub errors: u64,
    /// The span without a parent; the earliest where there is none.
    pub root: Option<Hit>,
    /// Every span has a parent.
    pub root_missing: bool,
    /// Spans whose parent is missing.
    pub orphans: u64,
    /// Spans and failed spans by service.
    pub services: BTreeMap<Text, (u64, u64)>,
    /// Some of the spans that matched.
    pub matched: Vec<Hit>,
}

impl Summary {
    /// Of a trace's spans by start.
    #[must_use]
    pub fn new(trace: TraceId, spans: &[Hit], matched: Vec<Hit>) -> Self {
        let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = spans.iter().map(Hit::end).max().unwrap_or_default();
        let rootless = spans.iter().find(|span| span.parent.is_none());
        let known: FxHashSet<_> = spans.iter().map(|span| span.id).collect();
        let parents = spans.iter().filter_map(|span| span.parent);
        let mut services: BTreeMap<Text, (u64, u64)> = BTreeMap::new();
        for span in spans {
            let counts = services.entry(span.service.clone()).or_default();
            counts.0 += 1;
            counts.1 += u64::from(span.status == StatusCode::Error);
        }
        Self {
            trace,
            start,
            duration: end - start,
            spans: spans.len() as u64,
            errors: services.values().map(|counts| counts.1).sum(),
            root: rootless.or(spans.first()).cloned(),
            root_missing: rootless.is_none(),
            orphans: parents.filter(|parent| !known.contains(parent)).count() as u64,
            services,
            matched,
        }
    }
}
