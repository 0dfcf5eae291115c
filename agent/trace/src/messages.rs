//! Comes in: the ids under which producers sent messages. Goes out: for who was handed a message of such an id, a link to
//! the producer's span. Refuses: an id too short to be one of a kind, or one that was sent twice: then nobody knows which.
//!
//! For messages that carry no context. A link, since a message has no cause but its own (semantic conventions, messaging
//! spans): the consumer's span keeps its place.

use std::collections::{VecDeque, hash_map::Entry};

use rustc_hash::FxHashMap;
use wirespan_span::span::{Key, Nanos, Role, Span, Value};

use crate::{
    trace::{Link, Method, SpanId, Trace, TraceId},
    traces::Traces,
};

/// Lengths of ids that are believed to be one of a kind, bytes. A UUID has 36, or 32 without its hyphens; 16 are its
/// bytes. AMQP allows 255.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=255;

/// The same id, seen once. Whoever makes ids up may still repeat one.
const CONFIDENCE: f32 = 0.99;

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// A span that is still held: its trace may yet become part of another.
    Held(Key),
    /// A span that was given on.
    Given(TraceId, SpanId),
    /// More than one.
    Several,
}

/// Ids of messages that were sent, keyed. Bounded in number and in time.
#[derive(Debug)]
pub(crate) struct Messages {
    senders: FxHashMap<u128, Sender>,
    order: VecDeque<(Nanos, u128)>,
    max: usize,
}

impl Messages {
    pub(crate) fn new(max: usize) -> Self {
        Self { senders: FxHashMap::default(), order: VecDeque::new(), max }
    }

    /// A message was sent. `false` where another was forgotten for it.
    fn send(&mut self, id: u128, sender: Key, time: Nanos) -> bool {
        if let Some(known) = self.senders.get_mut(&id) {
            *known = Sender::Several;
            return true;
        }
        let full = self.order.len() >= self.max;
        if full {
            self.forget_oldest();
        }
        if self.max > 0 {
            self.senders.insert(id, Sender::Held(sender));
            self.order.push_back((time, id));
        }
        !full
    }

    /// The sender's span is given on, in this trace.
    fn give(&mut self, id: u128, sender: Key, trace_id: TraceId, span_id: SpanId) {
        if let Entry::Occupied(mut known) = self.senders.entry(id)
            && *known.get() == Sender::Held(sender)
        {
            known.insert(Sender::Given(trace_id, span_id));
        }
    }

    /// Forgets what was sent before `time`.
    pub(crate) fn expire(&mut self, time: Nanos) {
        while self.order.front().is_some_and(|(sent, _)| *sent < time) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.senders.remove(&id);
        }
    }
}

impl Traces {
    /// A producer's span ended: its message is on its way.
    pub(crate) fn sent(&mut self, span: &Span) {
        let Some(id) = message_id(span).filter(|_| span.role == Role::Producer) else { return };
        if !self.messages.send(self.ids.message(id), span.key, self.now) {
            self.counters.messages_full += 1;
        }
    }

    /// A trace is given on: producers in it have their ids for good, and who was handed a message is linked to who sent it.
    pub(crate) fn link_messages(&mut self, trace: &mut Trace) {
        if self.messages.senders.is_empty() {
            return;
        }
        for traced in trace.spans.iter().filter(|traced| traced.span.role == Role::Producer) {
            if let Some(id) = message_id(&traced.span) {
                self.messages.give(self.ids.message(id), traced.span.key, trace.id, traced.span_id);
            }
        }
        for traced in trace.spans.iter_mut().filter(|traced| is_handed(&traced.span)) {
            if let Some(id) = message_id(&traced.span).filter(|_| traced.links.is_empty()) {
                let sender = self.sender(self.ids.message(id));
                traced.links.extend(sender);
            }
        }
    }

    fn sender(&mut self, id: u128) -> Option<Link> {
        let (trace_id, span_id) = match *self.messages.senders.get(&id)? {
            Sender::Given(trace_id, span_id) => (trace_id, span_id),
            Sender::Held(key) => {
                let (group, span_id) = self.nodes.get(&key).map(|node| (node.group, node.span_id))?;
                (self.groups.fixed_id(group)?, span_id)
            }
            Sender::Several => return None,
        };
        Some(Link { trace_id, span_id, method: Method::Header, confidence: CONFIDENCE })
    }
}

/// Is it the span of a message that came from a broker, pushed or asked for? A broker's own end of that is none.
fn is_handed(span: &Span) -> bool {
    span.role == Role::Consumer
        || span.role == Role::Client && text(span, "messaging.operation.type") == Some("receive")
}

/// The message's id, where there is one and it may be believed.
fn message_id(span: &Span) -> Option<&str> {
    text(span, "messaging.message.id").filter(|id| LENGTHS.contains(&id.len()))
}

/// An attribute of a message's span. Those say first what system it is, which turns all others away.
fn text<'a>(span: &'a Span, name: &str) -> Option<&'a str> {
    span.attributes.own().first().filter(|(first, _)| first == "messaging.system")?;
    span.attributes.own().iter().find_map(|(found, value)| match value {
        Value::Text(text) if found == name => Some(text.as_str()),
        _ => None,
    })
}
