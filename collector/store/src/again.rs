//! Comes in: spans. Goes out: those that are not here yet. A sender whose acknowledgement was lost sends again, and what it
//! sends must count once. Refuses: to leave out what only looks like another span. A mark tells which spans to doubt, and
//! whether they are here is looked up.
//!
//! Marks take the same memory whatever is stored: they know the newest two million spans or so. What is sent again later
//! than that is stored twice, and shown once.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Hit, Kind, Span, SpanId, Text, TraceId};

/// Marks in a bucket: a cache line.
const SLOTS: usize = 16;
/// Buckets: 8 MiB in all.
const BUCKETS: usize = 1 << 17;

/// Marks of the newest spans, the oldest of each bucket forgotten for room.
pub(crate) struct Marks {
    /// Zero: no mark yet.
    buckets: Vec<[u32; SLOTS]>,
}

/// What makes two spans of a trace the same one. Zipkin's clients share their id with the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    id: SpanId,
    kind: Kind,
    start: u64,
    service: Text,
}

/// Spans that may be here already, and what is known of their traces.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    open: FxHashMap<TraceId, Vec<Identity>>,
    here: FxHashSet<(TraceId, Identity)>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { buckets: vec![[0; SLOTS]; BUCKETS] }
    }
}

impl Marks {
    /// Marks a span; true when it was marked before, or one that has the same mark.
    fn mark(&mut self, id: SpanId, start: u64) -> bool {
        let hash = u128::from(id.number() ^ start.rotate_left(32)) * 0x9e37_79b9_7f4a_7c15;
        let hash = (hash >> 64) as u64 ^ hash as u64;
        let Some(bucket) = self.buckets.get_mut(hash as usize % BUCKETS) else { return false };
        let mark = (hash >> 32) as u32 | 1;
        let known = bucket.contains(&mark);
        if !known {
            bucket.copy_within(..SLOTS - 1, 1);
            bucket[0] = mark;
        }
        known
    }

    /// Marks what is here already.
    pub(crate) fn know(&mut self, id: SpanId, start: u64) {
        self.mark(id, start);
    }

    /// Marks spans; the answer is which to look up.
    pub(crate) fn doubts<'s>(&mut self, spans: impl Iterator<Item = &'s Span>) -> Doubts {
        let mut doubts = Doubts::default();
        for span in spans.filter(|span| self.mark(span.id, span.start)) {
            doubts.open.entry(span.trace).or_default().push(Identity::of(span));
        }
        doubts
    }
}

impl Identity {
    fn of(span: &Span) -> Self {
        Self { id: span.id, kind: span.kind, start: span.start, service: span.resource.service.clone() }
    }
}

impl From<&Hit> for Identity {
    fn from(hit: &Hit) -> Self {
        Self { id: hit.id, kind: hit.kind, start: hit.start, service: hit.service.clone() }
    }
}

impl Doubts {
    /// Traces with a span that is not known to be here.
    pub(crate) fn open(&self) -> Vec<TraceId> {
        let known = |trace: TraceId, one: &Identity| self.here.contains(&(trace, one.clone()));
        let open = self.open.iter().filter(|(trace, all)| !all.iter().all(|one| known(**trace, one)));
        open.map(|(trace, _)| *trace).collect()
    }

    /// Learns what is here of the trace that senders call `trace`.
    pub(crate) fn learn(&mut self, trace: TraceId, here: &[Hit]) {
        self.here.extend(here.iter().map(|hit| (trace, hit.into())));
    }

    /// Takes away what is here, and what came in `spans` or in those before twice. The answer is how many.
    pub(crate) fn leave_out(&mut self, spans: &mut Vec<Span>) -> u64 {
        let before = spans.len();
        spans.retain(|span| {
            !self.open.contains_key(&span.trace) || self.here.insert((span.trace, Identity::of(span)))
        });
        (before - spans.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(n: u64) -> Span {
        Span { trace: TraceId([1; 16]), id: SpanId(n.to_be_bytes()), start: n, ..Span::default() }
    }

    #[test]
    fn only_what_is_here_is_left_out() {
        let mut marks = Marks::default();
        let first: Vec<Span> = (1..4).map(span).collect();
        assert_eq!(marks.doubts(first.iter()).open(), []);
        let mut again: Vec<Span> = (2..6).map(span).collect();
        let mut doubts = marks.doubts(again.iter());
        assert_eq!(doubts.open(), [TraceId([1; 16])]);
        // Span 3 was marked and never stored.
        doubts.learn(TraceId([1; 16]), &[Hit::of(&span(1)), Hit::of(&span(2))]);
        assert_eq!(doubts.leave_out(&mut again), 1);
        assert_eq!(again, (3..6).map(span).collect::<Vec<_>>());
    }

    #[test]
    fn what_comes_twice_at_once_stays_once() {
        let mut spans = vec![span(1), span(2), span(1)];
        let mut doubts = Marks::default().doubts(spans.iter());
        assert_eq!((doubts.leave_out(&mut spans), spans.len()), (1, 2));
    }

    #[test]
    fn the_ends_of_a_call_that_share_an_id_are_two() {
        let ends = [Kind::Client, Kind::Server].map(|kind| Span { kind, ..span(1) });
        let mut spans = ends.to_vec();
        let mut doubts = Marks::default().doubts(spans.iter());
        assert_eq!((doubts.open().len(), doubts.leave_out(&mut spans)), (1, 0));
    }

    #[test]
    fn the_newest_million_is_known_and_the_oldest_forgotten() {
        let mut marks = Marks::default();
        let most = (BUCKETS * SLOTS) as u64;
        let all = |range: std::ops::Range<u64>| range.map(|n| (SpanId((n * n).to_be_bytes()), n));
        all(0..3 * most).for_each(|(id, start)| marks.know(id, start));
        let known = all(2 * most + most / 2..3 * most).filter(|(id, start)| marks.mark(*id, *start)).count();
        assert!(known as u64 > most * 49 / 100, "{known} of {}", most / 2);
    }
}
