//! Comes in: that two spans are the ends of one exchange. Goes out: which traces are one, and whose child a span is. Traces
//! are joined by the server's end: its trace becomes part of the client's.

use rustc_hash::FxHashMap;

use crate::{
    Attribute, Figures, Kind, NodeKind, Span, SpanId, Text, TraceId, Value,
    figure::{EdgeKey, MINUTE},
};

/// The server's end of an exchange, and what the client's end makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The trace of the server's span.
    pub trace: TraceId,
    /// The server's span.
    pub span: SpanId,
    /// The trace of the client's span, of which the other becomes a part. May be the same.
    pub whole: TraceId,
    /// The client's span, which becomes the server's parent.
    pub parent: SpanId,
    /// What the service map gets to know.
    pub call: Call,
}

/// A call between two services, as the one called saw it. The spans themselves may be in blocks already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Who called.
    pub from: Text,
    /// Who was called.
    pub to: Text,
    /// When, in nanoseconds since 1970.
    pub start: u64,
    /// For how long, in nanoseconds.
    pub duration: u64,
    /// It failed.
    pub failed: bool,
}

impl Call {
    /// Its place in the service map.
    pub(crate) fn key(&self) -> (u64, EdgeKey) {
        (self.start - self.start % MINUTE, (self.from.clone(), self.to.clone(), NodeKind::Service))
    }

    /// What it adds there.
    pub(crate) fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        figures.count(self.duration, self.failed);
        figures
    }
}

/// What goes into a store at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrival {
    /// Spans.
    pub spans: Vec<Span>,
    /// What is known from now on of these or others.
    pub joins: Vec<Join>,
}

/// Joins as they are looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Joined {
    wholes: FxHashMap<TraceId, TraceId>,
    parents: FxHashMap<SpanId, SpanId>,
}

/// Parts within parts that are followed: longer chains are a mistake.
const DEEPEST: usize = 64;

impl Joined {
    pub(crate) fn add(&mut self, join: &Join) {
        self.parents.insert(join.span, join.parent);
        // Already one: a circle would make neither the whole.
        if self.whole(join.whole) != self.whole(join.trace) {
            self.wholes.insert(self.whole(join.trace), join.whole);
        }
    }

    /// Is this span's parent known already?
    pub(crate) fn knows(&self, span: SpanId) -> bool {
        self.parents.contains_key(&span)
    }

    /// The trace that `trace` is a part of; itself where it is none.
    pub(crate) fn whole(&self, trace: TraceId) -> TraceId {
        let mut whole = trace;
        for _ in 0..DEEPEST {
            match self.wholes.get(&whole) {
                Some(next) => whole = *next,
                None => break,
            }
        }
        whole
    }

    /// Puts a span where it belongs. True when it has got a parent.
    pub(crate) fn apply(&self, span: &mut Span) -> bool {
        span.trace = self.whole(span.trace);
        let parent = self.parents.get(&span.id).copied();
        parent.is_some_and(|parent| adopt(span, parent))
    }

    /// The parent of a span of this kind that a join names.
    pub(crate) fn parent(&self, span: SpanId, kind: Kind) -> Option<SpanId> {
        self.parents.get(&span).copied().filter(|_| answers(kind))
    }
}

/// Zipkin's clients share their span's id with the server: only the server's end is meant.
fn answers(kind: Kind) -> bool {
    matches!(kind, Kind::Server | Kind::Consumer)
}

/// Gives a server's span its parent, and says how that is known. False where it has it already.
fn adopt(span: &mut Span, parent: SpanId) -> bool {
    if !answers(span.kind) || span.parent == Some(parent) {
        return false;
    }
    span.parent = Some(parent);
    set(&mut span.attributes, "wirespan.link.confidence", Value::Float(1.0));
    set(&mut span.attributes, "wirespan.link.method", Value::from("wire"));
    true
}

/// Attributes are in the order of their keys.
fn set(attributes: &mut Vec<Attribute>, key: &'static str, value: Value) {
    let attribute = Attribute { key: key.into(), value };
    match attributes.binary_search_by(|known| known.key.as_str().cmp(key)) {
        Ok(at) => attributes[at] = attribute,
        Err(at) => attributes.insert(at, attribute),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> TraceId {
        TraceId([n; 16])
    }

    fn join(trace: u8, whole: u8) -> Join {
        let (span, parent) = (SpanId([trace; 8]), SpanId([whole; 8]));
        Join { trace: id(trace), span, whole: id(whole), parent, call: Call::default() }
    }

    #[test]
    fn parts_of_parts_are_of_the_whole_in_whatever_order_it_is_learned() {
        for order in [[join(2, 1), join(3, 2)], [join(3, 2), join(2, 1)]] {
            let mut joined = Joined::default();
            order.iter().for_each(|one| joined.add(one));
            assert_eq!([1, 2, 3, 4].map(|n| joined.whole(id(n))), [id(1), id(1), id(1), id(4)]);
        }
    }

    #[test]
    fn a_circle_stays_one_trace() {
        let mut joined = Joined::default();
        [join(2, 1), join(1, 2), join(1, 1)].iter().for_each(|one| joined.add(one));
        assert_eq!([1, 2].map(|n| joined.whole(id(n))), [id(1), id(1)]);
    }

    #[test]
    fn only_the_end_that_answers_gets_the_parent() {
        let mut joined = Joined::default();
        joined.add(&join(2, 1));
        let span = |kind| Span { trace: id(2), id: SpanId([2; 8]), kind, ..Span::default() };
        let (mut client, mut server) = (span(Kind::Client), span(Kind::Server));
        assert!(!joined.apply(&mut client) && joined.apply(&mut server) && !joined.apply(&mut server));
        assert_eq!((client.trace, client.parent), (id(1), None));
        assert_eq!((server.trace, server.parent), (id(1), Some(SpanId([1; 8]))));
        assert_eq!(server.attributes.len(), 2);
    }
}
