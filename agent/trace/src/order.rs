//! Comes in: the spans of one part of a trace, in any order. Goes out: the same, parents before children, each
//! server within its client's time.

use rustc_hash::FxHashMap;
use wirespan_span::span::{Nanos, Span, UnixNanos};

use crate::{
    placing::SKEW_NS,
    trace::{Method, SpanId, TracedSpan},
};

/// Orders the spans and mends the times of those that stick out of their client by a skew of the clocks. `open` are
/// the starts of those that come in a later part.
pub(crate) fn parents_first(mut spans: Vec<TracedSpan>, open: FxHashMap<SpanId, Nanos>) -> Vec<TracedSpan> {
    match spans.as_mut_slice() {
        [] => {}
        // Most traces are one request, seen at one end or at both.
        [_] if open.is_empty() => return spans,
        [_] => {}
        [first, second] => {
            if later(first, second) {
                std::mem::swap(first, second);
            }
            if open.is_empty() {
                if second
                    .parent
                    .is_some_and(|parent| parent.method == Method::Wire && parent.span_id == first.span_id)
                {
                    enclose(&mut second.span, first.span.boot);
                }
                return spans;
            }
        }
        _ => {
            let depths = depths(&spans);
            spans.sort_by_key(|span| (depths.get(&span.span_id).copied(), span.span.boot.0));
        }
    }
    let mut bounds: FxHashMap<_, _> =
        open.into_iter().map(|(id, start)| (id, (start, Nanos(u64::MAX)))).collect();
    for span in &mut spans {
        let parent = span.parent.filter(|parent| parent.method == Method::Wire);
        if let Some(bounds) = parent.and_then(|parent| bounds.get(&parent.span_id)) {
            enclose(&mut span.span, *bounds);
        }
        bounds.insert(span.span_id, span.span.boot);
    }
    spans
}

/// Of two spans: does this one come behind the other?
fn later(span: &TracedSpan, other: &TracedSpan) -> bool {
    let below = |span: &TracedSpan, other: &TracedSpan| {
        span.parent.is_some_and(|parent| parent.span_id == other.span_id)
    };
    below(span, other) || (!below(other, span) && other.span.boot.0 < span.span.boot.0)
}

/// How many of the spans lie above each.
fn depths(spans: &[TracedSpan]) -> FxHashMap<SpanId, usize> {
    let parents: FxHashMap<_, _> =
        spans.iter().map(|span| (span.span_id, span.parent.map(|parent| parent.span_id))).collect();
    let mut depths = FxHashMap::default();
    for span in spans {
        let unknown = |id: &SpanId| parents.contains_key(id) && !depths.contains_key(id);
        let up = |id: &SpanId| parents.get(id).copied().flatten();
        let path: Vec<_> =
            std::iter::successors(Some(span.span_id), up).take_while(unknown).take(spans.len()).collect();
        let above = path.last().and_then(up).and_then(|id| depths.get(&id).copied());
        let first = above.map_or(0, |depth: usize| depth + 1);
        depths.extend(path.into_iter().rev().zip(first..));
    }
    depths
}

/// Cuts what sticks out by less than the skew. A server that works on long after its client gave up keeps its end:
/// that is what happened.
fn enclose(span: &mut Span, (start, end): (Nanos, Nanos)) {
    let early = start.since(span.boot.0);
    if (1..SKEW_NS).contains(&early) {
        span.boot.0 = start;
        span.start = UnixNanos(span.start.0.saturating_add(early));
    }
    let late = span.boot.1.since(end);
    if (1..SKEW_NS).contains(&late) {
        span.boot.1 = end;
        span.end = UnixNanos(span.end.0.saturating_sub(late));
    }
    span.boot.1 = span.boot.1.max(span.boot.0);
    span.end = span.end.max(span.start);
}
