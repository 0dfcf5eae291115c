//! Comes in: messages. Goes out: exchanges, each response paired with the question of the same id, name and type that
//! the other side asked. Refuses: responses to nobody; a question that is asked again is the same one.

use std::collections::VecDeque;

use smol_str::SmolStr;

use super::{
    codes,
    message::{Message, Question},
};
use crate::{
    attributes::{self, Attributes},
    event::{Address, Direction, Nanos, Transport},
    exchange::{self, Ending, Exchange, Key, Opening, Outcome, Output, Resumption, Role, Target, Value},
    facts::Facts,
    protocol::{Extent, Scene},
    token::Tokens,
};

/// Questions that wait for answers.
#[derive(Default)]
pub(super) struct Pairing(VecDeque<Waiting>);

struct Waiting {
    key: Key,
    direction: Direction,
    id: u16,
    opcode: u8,
    question: Question,
    request: exchange::Message,
    /// The connection when it was asked: sockets that are not connected have other peers later.
    facts: Facts,
}

fn whole(extent: &Extent, truncated: bool) -> exchange::Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    exchange::Message { offset, first, last, bytes, body: None, missing, truncated }
}

impl Pairing {
    /// A question, going `direction`.
    pub(super) fn ask(
        &mut self,
        direction: Direction,
        message: Message,
        extent: &Extent,
        cut: bool,
        scene: &mut Scene<'_>,
    ) {
        let Message { id, opcode, question: Some(question), .. } = message else { return };
        let again = |waiting: &Waiting| {
            waiting.direction == direction
                && waiting.matches(id, Some(&question))
                && waiting.facts.socket.peer == scene.facts.socket.peer
        };
        if self.0.iter().any(again) {
            return;
        }
        if self.0.len() >= scene.settings.max_pending.max(1)
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.end(Ending::Lost, Nanos::default(), None, scene);
        }
        let key = key(direction, id, extent, scene);
        let facts = *scene.facts;
        let (role, start, carrier) = (role(direction), extent.first, Vec::new());
        scene.out.push(Output::Opened(Opening {
            key,
            role,
            facts,
            start,
            carrier,
            shape: 0,
            tokens: Tokens::default(),
        }));
        let request = whole(extent, cut);
        self.0.push_back(Waiting { key, direction, id, opcode, question, request, facts });
    }

    /// A response, going `direction`.
    pub(super) fn answer(
        &mut self,
        direction: Direction,
        message: Message,
        extent: &Extent,
        cut: bool,
        scene: &mut Scene<'_>,
    ) {
        let peer = scene.facts.socket.peer;
        let place = self.0.iter().position(|waiting| {
            waiting.direction != direction
                && waiting.matches(message.id, message.question.as_ref())
                && same(waiting.facts.socket.peer, peer)
                && waiting.request.first.time <= extent.first.time
        });
        let Some(mut waiting) = place.and_then(|place| self.0.remove(place)) else { return };
        if waiting.facts.socket.peer == Address::Unknown {
            waiting.facts.socket.peer = peer;
        }
        let begins = Resumption { key: waiting.key, at: extent.first };
        scene.out.push(Output::begins(role(waiting.direction), begins));
        waiting.end(Ending::Answered, Nanos::default(), Some((message, whole(extent, cut))), scene);
    }

    /// Ends questions without an answer after the configured time.
    pub(super) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        let (late, waiting) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|waiting: &Waiting| now.since(waiting.request.last.time) >= limit);
        self.0 = waiting;
        let late: VecDeque<Waiting> = late;
        late.into_iter().for_each(|waiting| waiting.end(Ending::TimedOut, now, None, scene));
    }

    /// Ends everything.
    pub(super) fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        std::mem::take(&mut self.0).into_iter().for_each(|waiting| waiting.end(ending, now, None, scene));
    }
}

const fn role(asks: Direction) -> Role {
    match asks {
        Direction::Received => Role::Server,
        Direction::Sent => Role::Client,
    }
}

/// A socket may ask and be asked: offsets of both directions are told apart.
fn key(direction: Direction, id: u16, extent: &Extent, scene: &Scene<'_>) -> Key {
    let side = u64::from(direction == Direction::Received) << 16;
    Key { cookie: scene.facts.socket.cookie, offset: extent.offset, sub: side | u64::from(id) }
}

/// Are they the same, as far as is known?
fn same(one: Address, other: Address) -> bool {
    one == other || one == Address::Unknown || other == Address::Unknown
}

impl Waiting {
    /// Resolvers ask in mixed case, and some servers answer errors without the question.
    fn matches(&self, id: u16, question: Option<&Question>) -> bool {
        self.id == id
            && question.is_none_or(|question| {
                self.question.kind == question.kind && self.question.name.eq_ignore_ascii_case(&question.name)
            })
    }

    fn end(
        self,
        ending: Ending,
        now: Nanos,
        answer: Option<(Message, exchange::Message)>,
        scene: &mut Scene<'_>,
    ) {
        let (role, kind) = (role(self.direction), codes::kind(self.question.kind));
        let (said, response) = answer.unzip();
        let outcome = outcome(ending, role, self.facts.socket.transport, said.as_ref());
        let mut attributes = Attributes::with_capacity(attributes::USUAL);
        attributes.extend([
            ("dns.question.name".into(), Value::Text(self.question.name.into())),
            ("network.protocol.name".into(), Value::fixed("dns")),
            ("wirespan.dns.question.type".into(), Value::Text(kind.clone())),
        ]);
        if let Some(said) = said {
            tell(said, &mut attributes);
        }
        attributes::server(role, &self.facts, &mut attributes);
        let Facts { socket, .. } = self.facts;
        scene.out.push(Output::Closed(Box::new(Exchange {
            key: self.key,
            protocol: "dns",
            role,
            facts: Facts { socket, ..*scene.facts },
            request: self.request,
            response,
            ending,
            ended: now.max(response.map_or(self.request.last.time, |response| response.last.time)),
            method: SmolStr::new_static(codes::operation(self.opcode)),
            target: Target::Name(kind),
            outcome,
            attributes,
            links: Vec::new(),
        })));
    }
}

/// What the answer says. The code and the aliases have no name in the semantic conventions.
fn tell(said: Message, attributes: &mut Attributes) {
    attributes.push(("wirespan.dns.response_code".into(), Value::Text(codes::response_code(said.code))));
    if !said.addresses.is_empty() {
        attributes.push(("dns.answers".into(), Value::List(said.addresses)));
    }
    if !said.aliases.is_empty() {
        attributes.push(("wirespan.dns.aliases".into(), Value::List(said.aliases)));
    }
    if said.is_truncated {
        attributes.push(("wirespan.dns.truncated".into(), Value::Bool(true)));
    }
}

/// `error.type` as resolvers tell it. That a name does not exist is no fault of the server that says so; a datagram
/// socket that is closed has waited long enough.
fn outcome(ending: Ending, role: Role, transport: Transport, said: Option<&Message>) -> Outcome {
    let code = said.map_or(0, |said| said.code);
    let error = match ending {
        Ending::Answered if role == Role::Server && code != 2 => None,
        Ending::Answered => codes::error_type(code),
        Ending::Closed if transport == Transport::Udp => Some("timeout"),
        ending => ending.error_type(),
    };
    let description = (code != 0).then(|| codes::response_code(code).into());
    error.map_or(Outcome::Unset, |error| Outcome::Error(error.into(), description))
}
