//! Comes in: a method and what follows it. Goes out: the exchange of one operation, by OpenTelemetry's conventions for
//! RabbitMQ. Refuses: payloads; of a message its names, size and trace context are kept.

use smol_str::SmolStr;

use super::properties::Properties;
use crate::{
    attributes::{self, Attributes},
    carrier::Headers,
    event::Nanos,
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Resumption, Role, Target, Value},
    facts::Facts,
    protocol::{Extent, Scene},
    token::Tokens,
};

/// Which part the traced program plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    Client,
    Broker,
}

/// What an operation is to the conventions: its `messaging.operation.type` and, by that, the kind of its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Send,
    Receive,
    Process,
    Settle,
    /// None of those: a declaration, a login.
    Other,
    /// None of those, begun by the broker: it closes a channel.
    Notice,
}

impl Purpose {
    /// Does the broker begin it?
    const fn is_pushed(self) -> bool {
        matches!(self, Self::Process | Self::Notice)
    }
}

impl Purpose {
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Send => Some("send"),
            Self::Receive => Some("receive"),
            Self::Process => Some("process"),
            Self::Settle => Some("settle"),
            Self::Other | Self::Notice => None,
        }
    }

    /// A broker that hands a message on sends it in a context that is not its own: a client, says the convention.
    const fn role(self, party: Party) -> Role {
        match (self, party) {
            (Self::Send, Party::Client) => Role::Producer,
            (Self::Process | Self::Notice, Party::Client) => Role::Consumer,
            (Self::Process | Self::Notice, Party::Broker) | (_, Party::Client) => Role::Client,
            (_, Party::Broker) => Role::Server,
        }
    }
}

/// Keys of what the broker begins, whose offsets count the other direction.
const BROKER_BEGINS: u64 = 1;

/// An operation under way.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) key: Key,
    pub(super) party: Party,
    pub(super) name: &'static str,
    purpose: Purpose,
    /// Exchange, routing key, queue.
    pub(super) route: [SmolStr; 3],
    pub(super) request: Message,
    pub(super) response: Option<Message>,
    pub(super) outcome: Outcome,
    attributes: Attributes,
    carrier: Headers,
    links: Vec<Headers>,
    /// Its answer may have been lost.
    pub(super) doubtful: bool,
}

impl Operation {
    /// Begins with the frame of its method.
    pub(super) fn new(
        name: &'static str,
        purpose: Purpose,
        party: Party,
        extent: &Extent,
        facts: &Facts,
    ) -> Self {
        let sub = if purpose.is_pushed() { BROKER_BEGINS } else { 0 };
        Self {
            key: Key { cookie: facts.socket.cookie, offset: extent.offset, sub },
            party,
            name,
            purpose,
            route: Default::default(),
            request: message(extent),
            response: None,
            outcome: Outcome::Unset,
            attributes: Vec::new(),
            carrier: Headers::new(),
            links: Vec::new(),
            doubtful: false,
        }
    }

    /// The message that it carries: a published one continues the trace that it names, one that is handed on is linked
    /// to it (semantic conventions, messaging spans, "Consumer spans").
    pub(super) fn describe(&mut self, properties: Properties) {
        let context = properties.carrier.into_headers();
        match self.purpose {
            Purpose::Send => self.carrier = context,
            _ if context.is_empty() => {}
            _ => self.links.push(context),
        }
        let texts = [
            ("messaging.message.id", properties.message_id),
            ("messaging.message.conversation_id", properties.correlation_id),
        ];
        for (name, text) in texts {
            self.attributes.extend(text.map(|text| (name.into(), Value::Text(text))));
        }
        self.note("messaging.message.body.size", attributes::count(properties.size));
    }

    pub(super) fn note(&mut self, name: &'static str, value: Value) {
        self.attributes.push((name.into(), value));
    }

    fn role(&self) -> Role {
        self.purpose.role(self.party)
    }

    /// Says that it has begun.
    pub(super) fn open(&mut self, scene: &mut Scene<'_>) {
        let (key, role, start) = (self.key, self.role(), self.request.first);
        let carrier = std::mem::take(&mut self.carrier);
        scene.out.push(Output::Opened(Opening {
            key,
            role,
            facts: *scene.facts,
            start,
            carrier,
            shape: 0,
            tokens: Tokens::default(),
        }));
    }

    /// Its answer begins, or is all there.
    pub(super) fn answered(&mut self, extent: &Extent, scene: &mut Scene<'_>) {
        if self.response.is_none() {
            let begins = Resumption { key: self.key, at: extent.first };
            scene.out.push(Output::begins(self.role(), begins));
            self.response = Some(message(extent));
        }
    }

    /// Says how it ended.
    pub(super) fn close(mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        let ending = if self.doubtful && ending != Ending::Answered { Ending::Lost } else { ending };
        let mut attributes = self.begin_attributes();
        let target = self.destination(&mut attributes);
        attributes.append(&mut self.attributes);
        if self.party == Party::Broker {
            attributes::server(Role::Server, scene.facts, &mut attributes);
        }
        let outcome = match (self.outcome, ending.error_type()) {
            (Outcome::Unset, Some(error)) => Outcome::Error(error.into(), None),
            (outcome, _) => outcome,
        };
        let last = self.response.map_or(self.request.last.time, |response| response.last.time);
        scene.out.push(Output::Closed(Box::new(Exchange {
            key: self.key,
            protocol: "amqp",
            role: self.purpose.role(self.party),
            facts: *scene.facts,
            request: self.request,
            response: self.response,
            ending,
            ended: now.max(last),
            method: SmolStr::new_static(self.name),
            target,
            outcome,
            attributes,
            links: self.links,
        })));
    }

    fn begin_attributes(&self) -> Attributes {
        let text = |name: &'static str, text: &'static str| (name.into(), Value::fixed(text));
        let mut attributes = Attributes::with_capacity(attributes::USUAL);
        attributes.extend([
            text("messaging.system", "rabbitmq"),
            text("messaging.operation.name", self.name),
            text("network.protocol.name", "amqp"),
            text("network.protocol.version", "0.9.1"),
        ]);
        attributes.extend(self.purpose.name().map(|name| text("messaging.operation.type", name)));
        attributes
    }

    /// `messaging.destination.name`: exchange, routing key and queue without what is empty or said already. Names that the
    /// broker made are of no use in a span's name.
    fn destination(&self, attributes: &mut Attributes) -> Target {
        let [exchange, key, queue] = &self.route;
        let queue = if queue == key { "" } else { queue };
        let parts: Vec<&str> = [exchange, key, queue].into_iter().filter(|part| !part.is_empty()).collect();
        let name = match (parts.is_empty(), self.purpose) {
            (true, Purpose::Send) => SmolStr::new_static("amq.default"),
            (true, _) => return Target::None,
            (false, _) => parts.join(":").into(),
        };
        attributes.push(("messaging.destination.name".into(), Value::Text(name.clone())));
        if !key.is_empty() {
            let name = "messaging.rabbitmq.destination.routing_key";
            attributes.push((name.into(), Value::Text(key.clone())));
        }
        if !parts.iter().any(|part| is_anonymous(part)) {
            return Target::Destination(name);
        }
        attributes.push(("messaging.destination.anonymous".into(), Value::Bool(true)));
        let named: Vec<_> = parts.into_iter().filter(|part| !is_anonymous(part)).collect();
        if named.is_empty() { Target::None } else { Target::Destination(named.join(":").into()) }
    }
}

/// Did the broker make up the name? `amq.gen-` of queues, `amq.rabbitmq.reply-to.` of direct replies.
fn is_anonymous(name: &str) -> bool {
    name.starts_with("amq.gen-") || name.starts_with("amq.rabbitmq.reply-to")
}

fn message(extent: &Extent) -> Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    Message { offset, first, last, bytes, body: None, missing, truncated: false }
}
