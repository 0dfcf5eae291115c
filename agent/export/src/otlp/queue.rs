//! Traces that wait to be sent. Comes in: traces, in order. Goes out: batches of bounded size. When full the oldest
//! traces make room, because after an outage the latest minutes are what people look at; their spans are counted.

use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;

use super::settings::Limits;
use crate::{
    span::{Span, Value},
    trace::{Trace, TracedSpan},
};

/// What goes into one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) traces: Vec<Trace>,
    pub(super) spans: usize,
    bytes: usize,
}

struct Waiting {
    trace: Trace,
    bytes: usize,
    since: Instant,
}

/// When the next batch should be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    At(Instant),
    /// Nothing waits.
    Never,
}

/// First in, first out, bounded by spans and by estimated bytes.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    spans: usize,
    bytes: usize,
}

impl Queue {
    /// Appends a trace; says how many spans were dropped to make room (its own, when it is too large by itself).
    pub(super) fn push(&mut self, trace: Trace, limits: &Limits, now: Instant) -> usize {
        let bytes = trace.spans.iter().map(estimate).sum();
        self.spans += trace.spans.len();
        self.bytes += bytes;
        self.waiting.push_back(Waiting { trace, bytes, since: now });
        let mut dropped = 0;
        while self.spans > limits.queue_spans || self.bytes > limits.queue_bytes {
            let Some(oldest) = self.pop() else { break };
            dropped += oldest.trace.spans.len();
        }
        dropped
    }

    /// Is there a batch worth sending?
    pub(super) fn due(&self, limits: &Limits, now: Instant) -> Due {
        let Some(oldest) = self.waiting.front() else { return Due::Never };
        let at = later(oldest.since, limits.batch_delay);
        let full = self.spans >= limits.batch_spans || self.bytes >= limits.batch_bytes;
        if full || at <= now { Due::Now } else { Due::At(at) }
    }

    /// Takes whole traces while they fit; a trace that fits no batch is split. Empty when nothing waits.
    pub(super) fn take(&mut self, limits: &Limits) -> Batch {
        let mut batch = Batch::default();
        while let Some(next) = self.waiting.front() {
            let fits = batch.spans + next.trace.spans.len() <= limits.batch_spans
                && batch.bytes + next.bytes <= limits.batch_bytes;
            if !fits {
                break;
            }
            let Some(next) = self.pop() else { break };
            batch.add(next.trace, next.bytes);
        }
        if batch.traces.is_empty() {
            self.split_into(&mut batch, limits);
        }
        batch
    }

    fn pop(&mut self) -> Option<Waiting> {
        let oldest = self.waiting.pop_front()?;
        self.spans -= oldest.trace.spans.len();
        self.bytes -= oldest.bytes;
        Some(oldest)
    }

    /// Cuts a first part from the oldest trace: at least one span, whatever its size.
    fn split_into(&mut self, batch: &mut Batch, limits: &Limits) {
        let Some(oldest) = self.waiting.front_mut() else { return };
        let mut bytes = 0;
        let mut count = 0;
        for span in oldest.trace.spans.iter().take(limits.batch_spans.max(1)) {
            let more = bytes + estimate(span);
            if count > 0 && more > limits.batch_bytes {
                break;
            }
            (bytes, count) = (more, count + 1);
        }
        let rest = oldest.trace.spans.split_off(count);
        let part = Trace { id: oldest.trace.id, spans: mem::replace(&mut oldest.trace.spans, rest) };
        oldest.bytes -= bytes;
        if oldest.trace.spans.is_empty() {
            self.waiting.pop_front();
        }
        self.spans -= count;
        self.bytes -= bytes;
        batch.add(part, bytes);
    }
}

impl Batch {
    fn add(&mut self, trace: Trace, bytes: usize) {
        self.spans += trace.spans.len();
        self.bytes += bytes;
        self.traces.push(trace);
    }
}

/// `delay` after `from`; years, where that is beyond what the clock can say ("never" in a configuration).
pub(super) fn later(from: Instant, delay: Duration) -> Instant {
    const YEARS: Duration = Duration::from_secs(30 * 365 * 86_400);
    from.checked_add(delay).unwrap_or_else(|| from + YEARS)
}

/// Bytes that the ends of a connection take in a request, as a rule.
const ENDS: usize = 256;

/// About what a span takes in memory and in a request; its resource is shared and not counted.
fn estimate(span: &TracedSpan) -> usize {
    let Span { name, attributes, event, .. } = span.span.as_ref();
    let own = attributes.own().iter();
    let attributes: usize = own.map(|(name, value)| 32 + name.len() + value_bytes(value)).sum();
    let event: usize = event.iter().map(|event| 16 + event.name.len()).sum();
    mem::size_of::<Span>()
        + ENDS
        + name.len()
        + span.trace_state.len()
        + span.links.len() * 128
        + attributes
        + event
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(texts) => texts.iter().map(|text| 24 + text.len()).sum(),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn trace(first: u8, count: u8) -> Trace {
        sample::trace((first..first + count).map(|id| sample::server(id, "GET /")).collect())
    }

    fn limits(batch_spans: usize, queue_spans: usize) -> Limits {
        Limits { batch_spans, queue_spans, ..Limits::default() }
    }

    fn filled(limits: &Limits, traces: &[(u8, u8)]) -> (Queue, usize) {
        let mut queue = Queue::default();
        let now = Instant::now();
        let dropped = traces.iter().map(|&(first, count)| queue.push(trace(first, count), limits, now)).sum();
        (queue, dropped)
    }

    fn ids(batch: &Batch) -> Vec<Vec<u8>> {
        let ids = |trace: &Trace| trace.spans.iter().map(|span| span.span_id.0[7]).collect();
        batch.traces.iter().map(ids).collect()
    }

    fn drained(mut queue: Queue, limits: &Limits) -> Vec<Vec<Vec<u8>>> {
        let batches = std::iter::from_fn(|| Some(ids(&queue.take(limits))).filter(|batch| !batch.is_empty()));
        let batches = batches.collect();
        assert_eq!((queue.spans, queue.bytes), (0, 0));
        batches
    }

    #[test]
    fn whole_traces_while_they_fit() {
        let limits = limits(4, 100);
        let (queue, _) = filled(&limits, &[(1, 2), (3, 2), (5, 1)]);
        assert_eq!(drained(queue, &limits), [vec![vec![1, 2], vec![3, 4]], vec![vec![5]]]);
    }

    #[test]
    fn a_trace_larger_than_a_batch_is_split() {
        let limits = limits(2, 100);
        let (queue, _) = filled(&limits, &[(1, 5)]);
        assert_eq!(drained(queue, &limits), [[vec![1, 2]], [vec![3, 4]], [vec![5]]]);
    }

    #[test]
    fn a_span_larger_than_a_batch_goes_alone() {
        let limits = Limits { batch_bytes: 10, ..Limits::default() };
        let (queue, _) = filled(&limits, &[(1, 2)]);
        assert_eq!(drained(queue, &limits), [[[1]], [[2]]]);
    }

    #[test]
    fn the_oldest_make_room() {
        let limits = limits(10, 4);
        let (queue, dropped) = filled(&limits, &[(1, 2), (3, 2), (5, 1)]);
        assert_eq!((drained(queue, &limits), dropped), (vec![vec![vec![3, 4], vec![5]]], 2));
    }

    #[test]
    fn bytes_bound_it_too() {
        let one = estimate(&sample::server(1, "GET /"));
        let limits = Limits { queue_bytes: one * 3, ..Limits::default() };
        let (queue, dropped) = filled(&limits, &[(1, 2), (3, 2)]);
        assert_eq!((drained(queue, &limits), dropped), (vec![vec![vec![3, 4]]], 2));
    }

    #[test]
    fn a_trace_larger_than_the_queue_is_dropped_and_counted() {
        let limits = limits(10, 4);
        let (queue, dropped) = filled(&limits, &[(1, 5)]);
        assert_eq!((drained(queue, &limits).len(), dropped), (0, 5));
    }

    #[test]
    fn due_when_full_or_old() {
        let limits = limits(3, 100);
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.due(&limits, now), Due::Never);
        queue.push(trace(1, 1), &limits, now);
        assert_eq!(queue.due(&limits, now), Due::At(now + limits.batch_delay));
        assert_eq!(queue.due(&limits, now + Duration::from_secs(1)), Due::Now);
        queue.push(trace(2, 2), &limits, now);
        assert_eq!(queue.due(&limits, now), Due::Now);
    }

    #[test]
    fn never_is_a_delay_too() {
        let limits = Limits { batch_delay: Duration::MAX, ..Limits::default() };
        let (queue, _) = filled(&limits, &[(1, 1)]);
        assert!(matches!(queue.due(&limits, Instant::now()), Due::At(_)));
    }
}
