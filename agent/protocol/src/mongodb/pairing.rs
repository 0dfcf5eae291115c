//! Comes in: commands and answers. Goes out: exchanges, each answer paired with the command whose id it names, or, where
//! a server goes on by itself, with what its message before answered. Refuses: answers to nobody.
//!
//! Servers answer a connection's commands in order: what an answer overtook has none. Beside the conventions'
//! attributes: `wirespan.compressed`.

use std::collections::VecDeque;

use smol_str::SmolStr;

use super::{
    command::Command,
    reply::{Failure, Reply},
};
use crate::{
    attributes::{self, Attributes},
    event::Nanos,
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Resumption, Role, Target, Value},
    pipeline,
    protocol::{Extent, Scene},
    shape,
    token::Tokens,
};

/// `db.system.name`, and the name of a span whose command is not known.
const SYSTEM: &str = "mongodb";

/// Commands that wait for answers.
pub(super) struct Pairing {
    role: Role,
    waiting: VecDeque<Waiting>,
    /// Offset of the request whose bytes pass.
    asking: Option<u64>,
    /// Offset of the request whose answer's bytes pass, and whether that answer is the last.
    answering: Option<(u64, bool)>,
}

/// A command, and what is there of its answer.
struct Waiting {
    key: Key,
    /// Id that the next answer names.
    expects: u32,
    command: Command,
    request: Message,
    response: Option<Message>,
    returned: Option<u64>,
    failure: Option<Failure>,
}

impl Pairing {
    pub(super) const fn new(role: Role) -> Self {
        Self { role, waiting: VecDeque::new(), asking: None, answering: None }
    }

    /// A command, whose first bytes are `extent`.
    pub(super) fn ask(&mut self, id: u32, command: Command, extent: &Extent, scene: &mut Scene<'_>) {
        if self.waiting.len() >= scene.settings.max_pending.max(1) {
            self.end_front(Ending::Lost, Nanos::default(), scene);
        }
        let key = Key { cookie: scene.facts.socket.cookie, offset: extent.offset, sub: 0 };
        let (role, facts, start, carrier) = (self.role, *scene.facts, extent.first, Vec::new());
        let shape = shape::of(command.operation.as_deref().into_iter().chain(command.collection.as_deref()));
        scene.out.push(Output::Opened(Opening {
            key,
            role,
            facts,
            start,
            carrier,
            shape,
            tokens: Tokens::default(),
        }));
        let request = message(extent, command.truncated);
        let (response, returned, failure) = (None, None, None);
        self.waiting.push_back(Waiting { key, expects: id, command, request, response, returned, failure });
        self.asking = Some(extent.offset);
    }

    /// The last byte of a command came.
    pub(super) fn asked(&mut self, scene: &mut Scene<'_>) {
        let Some(place) = self.asking.take().and_then(|offset| self.place(offset)) else { return };
        if self.waiting.get(place).is_some_and(|waiting| waiting.command.silent)
            && let Some(waiting) = self.waiting.remove(place)
        {
            waiting.end(Ending::Answered, Nanos::default(), self.role, scene);
        }
    }

    /// An answer, whose first bytes are `extent`.
    pub(super) fn answer(&mut self, reply: Reply, extent: &Extent, scene: &mut Scene<'_>) {
        self.answering = None;
        let names = |waiting: &Waiting| {
            waiting.expects == reply.answers && waiting.request.first.time <= extent.first.time
        };
        let Some(place) = self.waiting.iter().position(names) else { return };
        (0..place).for_each(|_| self.overtaken(scene));
        let role = self.role;
        let Some(waiting) = self.waiting.front_mut() else { return };
        if waiting.response.is_none() {
            scene.out.push(Output::begins(role, Resumption { key: waiting.key, at: extent.first }));
        }
        // Of a handshake the first answer is what was asked for; the others are news.
        let last = !reply.more_to_come || waiting.command.is_hello();
        waiting.take(reply, extent);
        self.answering = Some((waiting.key.offset, last));
    }

    /// The last byte of an answer came.
    pub(super) fn answered(&mut self, scene: &mut Scene<'_>) {
        let Some((offset, true)) = self.answering.take() else { return };
        if let Some(waiting) = self.place(offset).and_then(|place| self.waiting.remove(place)) {
            waiting.end(Ending::Answered, Nanos::default(), self.role, scene);
        }
    }

    /// More bytes of the command or answer under way.
    pub(super) fn passed(&mut self, asks: bool, extent: &Extent) {
        let offset = if asks { self.asking } else { self.answering.map(|(offset, _)| offset) };
        let place = offset.and_then(|offset| self.place(offset));
        let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) else { return };
        match &mut waiting.response {
            Some(response) if !asks => pipeline::extend(response, extent),
            _ => pipeline::extend(&mut waiting.request, extent),
        }
    }

    /// Answers may have been lost.
    pub(super) fn lose(&mut self, scene: &mut Scene<'_>) {
        self.answering = None;
        self.end_all(Ending::Lost, Nanos::default(), scene);
    }

    /// Ends commands without an answer after the configured time.
    pub(super) fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        while let Some(front) = self.waiting.front()
            && front.response.is_none()
            && now.since(front.request.last.time) >= limit
        {
            let ending = if front.is_read() { Ending::TimedOut } else { Ending::Lost };
            self.end_front(ending, now, scene);
        }
    }

    pub(super) fn end_all(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        while let Some(front) = self.waiting.front() {
            let ending = if front.is_read() { ending } else { Ending::Lost };
            self.end_front(ending, now, scene);
        }
    }

    /// A later command was answered. A compressed one may have asked for silence.
    fn overtaken(&mut self, scene: &mut Scene<'_>) {
        let unread = self.waiting.front().is_some_and(|front| !front.is_read());
        self.end_front(if unread { Ending::Answered } else { Ending::Lost }, Nanos::default(), scene);
    }

    fn end_front(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if let Some(waiting) = self.waiting.pop_front() {
            waiting.end(ending, now, self.role, scene);
        }
    }

    fn place(&self, offset: u64) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.key.offset == offset)
    }
}

fn message(extent: &Extent, truncated: bool) -> Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    Message { offset, first, last, bytes, body: None, missing, truncated }
}

impl Waiting {
    /// Is it known what was asked? Else it may have asked for silence.
    const fn is_read(&self) -> bool {
        self.command.operation.is_some()
    }

    fn take(&mut self, reply: Reply, extent: &Extent) {
        self.expects = reply.id;
        self.failure = self.failure.take().or(reply.failure);
        match &mut self.response {
            Some(response) => {
                pipeline::extend(response, extent);
                response.truncated |= reply.truncated;
                self.returned = self.returned.zip(reply.returned).map(|(before, now)| before + now);
            }
            None => {
                self.response = Some(message(extent, reply.truncated));
                self.returned = reply.returned;
            }
        }
    }

    fn end(self, ending: Ending, now: Nanos, role: Role, scene: &mut Scene<'_>) {
        let attributes = self.attributes(role, scene);
        let seen = self.response.map_or(self.request.last.time, |response| response.last.time);
        let Command { operation, collection, namespace, .. } = self.command;
        let target = if operation.is_some() { collection.or(namespace) } else { None };
        let failed = self.failure.map(|failure| Outcome::Error(failure.code, failure.name));
        let broken = || ending.error_type().map(|error| Outcome::Error(error.into(), None));
        scene.out.push(Output::Closed(Box::new(Exchange {
            links: Vec::new(),
            key: self.key,
            protocol: SYSTEM,
            role,
            facts: *scene.facts,
            request: self.request,
            response: self.response,
            ending,
            ended: now.max(seen),
            method: operation.unwrap_or(SmolStr::new_static(SYSTEM)),
            target: target.map_or(Target::None, Target::Name),
            outcome: failed.or_else(broken).unwrap_or(Outcome::Unset),
            attributes,
        })));
    }

    fn attributes(&self, role: Role, scene: &Scene<'_>) -> Attributes {
        let command = &self.command;
        let mut attributes = Attributes::with_capacity(attributes::USUAL);
        attributes.push(("db.system.name".into(), Value::fixed(SYSTEM)));
        let mut text = |name: &'static str, value: Option<SmolStr>| {
            attributes.extend(value.map(|text| (name.into(), Value::Text(text))));
        };
        text("db.namespace", command.namespace.clone());
        text("db.collection.name", command.collection.clone());
        text("db.operation.name", command.operation.clone());
        text("db.response.status_code", self.failure.as_ref().map(|failure| failure.code.clone()));
        let mut count = |name: &'static str, value: Option<u64>| {
            attributes.extend(value.map(|number| (name.into(), attributes::count(number))));
        };
        count("db.operation.batch.size", command.statements.filter(|size| *size > 1));
        count("db.response.returned_rows", self.returned);
        if !self.is_read() {
            attributes.push(("wirespan.compressed".into(), Value::Bool(true)));
        }
        attributes::server(role, scene.facts, &mut attributes);
        attributes
    }
}
