//! Spans in memory, in the order in which they came, with their index by trace and their figures. The embedded store's
//! newest spans live in one, the memory store is a row of them.

use std::ops::ControlFlow;

use rustc_hash::FxHashMap;

use crate::{
    Catalogue, Fields, Hit, Search, Span, SpanId, TraceId,
    figure::{Calls, EdgeRows, Handover, Widths},
    find::Top,
    join::Joined,
};

/// Some spans and all that is known about them.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) spans: Vec<Span>,
    traces: FxHashMap<TraceId, Vec<u32>>,
    pub(crate) catalogue: Catalogue,
    pub(crate) red: Widths,
    calls: Calls,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// How many spans are looked at between two looks at the clock.
const STRIDE: usize = 4096;

impl Segment {
    /// Empty; goes on where another stopped.
    pub(crate) fn after(before: Handover) -> Self {
        Self { calls: Calls::after(before), first: u64::MAX, ..Self::default() }
    }

    /// Takes spans, each put where it belongs by what is known of joins.
    pub(crate) fn add<'j>(&mut self, spans: Vec<Span>, joined: impl Iterator<Item = &'j Joined> + Clone) {
        for mut span in spans {
            let adopted = joined.clone().filter(|joined| joined.apply(&mut span)).count() > 0;
            let operation = self.catalogue.add(&span);
            self.red.add(&span, operation);
            self.calls.add(&span, adopted);
            self.first = self.first.min(span.start);
            self.last = self.last.max(span.start);
            self.traces.entry(span.trace).or_default().push(self.spans.len() as u32);
            self.spans.push(span);
        }
    }

    /// Puts the spans of a part of a trace where they belong, by all that is known of it.
    pub(crate) fn join(&mut self, part: TraceId, joined: &Joined) {
        let Some(places) = self.traces.remove(&part) else { return };
        for place in &places {
            if let Some(span) = self.spans.get_mut(*place as usize) {
                joined.apply(span);
            }
        }
        let whole = self.traces.entry(joined.whole(part)).or_default();
        whole.extend(places);
    }

    /// A server on another host has answered this client's span.
    pub(crate) fn answer(&mut self, span: SpanId) {
        self.calls.answer(span);
    }

    /// The spans of a trace.
    pub(crate) fn trace(&self, id: TraceId) -> impl Iterator<Item = &Span> {
        let places = self.traces.get(&id).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.spans.get(*place as usize))
    }

    /// Traces with the places of their spans, the earliest first.
    pub(crate) fn traces_by_start(&self) -> Vec<&[u32]> {
        let start = |places: &[u32]| {
            places.iter().filter_map(|place| self.spans.get(*place as usize)).map(|span| span.start).min()
        };
        let mut traces: Vec<(Option<u64>, &[u32])> =
            self.traces.values().map(|places| (start(places), places.as_slice())).collect();
        traces.sort_by_key(|(start, places)| (*start, places.first().copied()));
        traces.into_iter().map(|(_, places)| places).collect()
    }

    /// Adds what matches.
    pub(crate) fn search(&self, search: &Search, top: &mut Top) {
        if self.spans.is_empty() || self.last < search.start || self.first >= search.end {
            return;
        }
        for (at, span) in self.spans.iter().enumerate().rev() {
            if at % STRIDE == 0 && search.until.is_some_and(|until| std::time::Instant::now() > until) {
                top.incomplete = true;
                return;
            }
            let inside = (search.start..search.end).contains(&span.start);
            let wanted = inside && (search.count || top.wants(span.start, span.duration));
            if wanted && search.filter.holds(span) {
                top.count();
                if top.wants(span.start, span.duration) {
                    top.add(Hit::of(span));
                }
            }
        }
    }

    /// Calls `each` with the spans that begin in a time.
    pub(crate) fn scan(
        &self,
        start: u64,
        end: u64,
        each: &mut dyn FnMut(&dyn Fields) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.spans.iter().filter(|span| (start..end).contains(&span.start)).try_for_each(|span| each(span))
    }

    /// All calls, with those that nobody answered.
    pub(crate) fn edges(&self) -> EdgeRows {
        self.calls.rows(&self.spans)
    }

    /// What the next segment needs.
    pub(crate) fn handover(&self) -> Handover {
        self.calls.handover()
    }
}

/// A trace's spans by start, each once.
pub(crate) fn in_order(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.duration), span.id, span.kind));
    spans.dedup_by(|a, b| {
        (a.start, a.id, a.kind, &a.resource.service) == (b.start, b.id, b.kind, &b.resource.service)
    });
    spans
}

/// The same for what a search shows.
pub(crate) fn hits_in_order(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.duration), hit.id, hit.kind));
    hits.dedup_by(|a, b| (a.start, a.id, a.kind, &a.service) == (b.start, b.id, b.kind, &b.service));
    hits
}
