//! Kafka, both roles. Comes in: bytes of both directions. Goes out: an exchange for each request. Refuses: to look at keys
//! and values of records; they are passed over by their lengths.
//!
//! Recognised by the head of a request: a length, a kind and version that exist, a client that names itself. Paired by
//! correlation ids. A produce request that wants no acknowledgement is over when it is sent.
//!
//! Layouts are tables ([`apis`], [`requests`], [`responses`]); one reader reads them all ([`layout`]). Answers do not say
//! what they answer: one whose request was not seen is passed over.

pub(crate) mod about;
mod apis;
mod errors;
mod layout;
mod operation;
mod records;
mod request;
mod requests;
mod responses;
mod summary;
mod topics;

use std::collections::BTreeMap;

use smol_str::SmolStr;

use operation::{Asked, Operation};
use request::Look;
use summary::Summary;
pub use topics::{TopicId, Topics};

use crate::{
    cursor::Cursor,
    event::{Direction, Nanos, Policy},
    exchange::Ending,
    facts::Side,
    pipeline,
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step},
    settings::Settings,
    stream::Front,
};

/// Kafka on one connection.
pub struct Kafka {
    /// Which way requests travel.
    asks: Direction,
    asking: Lane,
    answering: Lane,
    /// Requests that wait, by correlation id.
    waiting: BTreeMap<u32, Operation>,
    /// The group that the client spoke of last.
    group: Option<SmolStr>,
    /// Was the connection seen from its first byte?
    fresh: bool,
    /// Was a request read?
    sound: bool,
    /// Calls in a row that began with no message.
    strays: u16,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    /// Does the next message begin with one of the next calls?
    seeks: bool,
    /// The request to which the bytes belong that are passed over.
    current: Option<u32>,
    /// All of its bytes are through.
    check: bool,
}

/// What is found in the bytes.
pub struct Frame(Found);

enum Found {
    Request(Box<Asked>),
    /// `cut`: not all that it tells was there.
    Answer {
        correlation: u32,
        summary: Box<Summary>,
        cut: bool,
    },
    /// The message of this direction is through.
    Done(u32),
}

impl Protocol for Kafka {
    type Frame = Frame;

    const NAME: &'static str = "kafka";
    /// The begin of every call: requests and answers are written with one call each, and records cost no more.
    const POLICY: Policy = Policy::Undecided;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match [sight.received, sight.sent].map(look) {
            [Detection::Certain, _] | [_, Detection::Certain] => Detection::Certain,
            [Detection::Unsure, _] | [_, Detection::Unsure] => Detection::Unsure,
            [Detection::NotForUs, Detection::NotForUs] => Detection::NotForUs,
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let sent = look(sight.sent);
        let asks = match look(sight.received) {
            Detection::Certain => Direction::Received,
            Detection::Unsure if sent == Detection::NotForUs => Direction::Received,
            _ => Direction::Sent,
        };
        let fresh = sight.facts.side != Side::Unknown && sight.lost == 0;
        let lane = || Lane { seeks: !fresh, ..Lane::default() };
        let (waiting, group) = (BTreeMap::new(), None);
        Self { asks, asking: lane(), answering: lane(), waiting, group, fresh, sound: false, strays: 0 }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let lane = self.lane(direction);
        if std::mem::take(&mut lane.check)
            && let Some(correlation) = lane.current.take()
        {
            return Step::Frame(Frame(Found::Done(correlation)), 0);
        }
        lane.current = None;
        match (input.bytes().is_empty(), input.cut().is_some()) {
            (true, false) => Step::NeedMore,
            (true, true) => Step::Resync,
            _ if lane.seeks && !input.boundary() => Step::Resync,
            _ if direction == self.asks => self.ask(input, settings),
            _ => self.answer(input, settings),
        }
    }

    fn pair(&mut self, _direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        match frame.0 {
            Found::Request(asked) => self.asked(*asked, extent, scene),
            Found::Answer { correlation, summary, cut } => {
                let mut summary = *summary;
                summary.named.drain(..).for_each(|(id, name)| scene.settings.topics.learn(id, name));
                if let Some(operation) = self.waiting.get_mut(&correlation) {
                    operation.answered(summary, cut, extent, scene);
                }
            }
            Found::Done(correlation) => self.done(correlation, scene),
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let asks = direction == self.asks;
        let current = self.lane(direction).current;
        let Some(operation) = current.and_then(|current| self.waiting.get_mut(&current)) else { return };
        let message = if asks { Some(&mut operation.request) } else { operation.response.as_mut() };
        if let Some(message) = message {
            pipeline::extend(message, extent);
        }
    }

    fn missed(&mut self, direction: Direction, _scene: &mut Scene<'_>) {
        self.lane(direction).seeks = true;
        if direction != self.asks {
            self.waiting.values_mut().for_each(|operation| operation.doubtful = true);
        }
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let limit = scene.settings.request_timeout_ns;
        let late = |operation: &Operation| {
            operation.response.is_none() && now.since(operation.request.last.time) >= limit
        };
        for (_, operation) in self.waiting.extract_if(.., |_, operation| late(operation)) {
            operation.close(Ending::TimedOut, now, scene);
        }
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        for (_, operation) in std::mem::take(&mut self.waiting) {
            operation.close(ending, now, scene);
        }
    }

    fn asks(&self) -> Option<Direction> {
        Some(self.asks)
    }
}

/// Does a request begin here?
fn look(front: Front<'_>) -> Detection {
    if front.bytes.is_empty() || !front.boundary {
        return Detection::NotForUs;
    }
    match request::read(front.bytes) {
        Look::Request(head) if head.is_certain() => Detection::Certain,
        Look::Request(_) | Look::Partial => Detection::Unsure,
        Look::Nothing => Detection::NotForUs,
    }
}

/// Largest answer that is believed.
const MAX_ANSWER: u32 = 1 << 30;

/// How much of a message is read, and whether that is there.
fn readable<'a>(input: &Input<'a>, whole: u64, settings: &Settings) -> Option<&'a [u8]> {
    let wanted = usize::try_from(whole).unwrap_or(usize::MAX).min(settings.max_head);
    let bytes = input.bytes();
    if bytes.len() < wanted && input.cut().is_none() {
        return None;
    }
    Some(bytes.get(..wanted).unwrap_or(bytes))
}

impl Kafka {
    fn lane(&mut self, direction: Direction) -> &mut Lane {
        if direction == self.asks { &mut self.asking } else { &mut self.answering }
    }

    fn ask(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let head = match request::read(bytes) {
            Look::Request(head) => head,
            Look::Partial if input.cut().is_none() => return Step::NeedMore,
            Look::Partial => return Step::Resync,
            Look::Nothing => return self.stray(settings),
        };
        let whole = head.whole();
        let Some(bytes) = readable(input, whole, settings) else { return Step::NeedMore };
        let Look::Request(head) = request::read(bytes) else { return self.stray(settings) };
        let asked = Asked::new(&head, settings);
        (self.sound, self.strays) = (true, 0);
        self.asking = Lane { seeks: false, current: Some(asked.correlation), check: true };
        Step::Frame(Frame(Found::Request(Box::new(asked))), whole)
    }

    fn answer(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let mut cursor = Cursor::new(input.bytes());
        let Some((size, correlation)) = cursor.u32_be().zip(cursor.u32_be()) else {
            return if input.cut().is_some() { Step::Resync } else { Step::NeedMore };
        };
        if !(4..=MAX_ANSWER).contains(&size) {
            return self.stray(settings);
        }
        let whole = u64::from(size) + 4;
        let Some(operation) = self.waiting.get(&correlation).filter(|waiting| waiting.response.is_none())
        else {
            // It answers what was asked before we came, where the call holds it and nothing else.
            let alone = input.call().len() as u64 == whole;
            return if alone || !self.answering.seeks { self.pass(whole) } else { Step::Resync };
        };
        let Some(bytes) = readable(input, whole, settings) else { return Step::NeedMore };
        let mut summary = Summary::new(settings.max_text);
        let cut = !operation.read(bytes.get(8..).unwrap_or_default(), &mut summary);
        self.strays = 0;
        self.answering = Lane { seeks: false, current: Some(correlation), check: true };
        Step::Frame(Frame(Found::Answer { correlation, summary: Box::new(summary), cut }), whole)
    }

    fn pass(&mut self, whole: u64) -> Step<Frame> {
        self.answering = Lane::default();
        Step::Skip(whole)
    }

    /// No message where one should be: of a new connection, or too often, it means that it is another protocol.
    fn stray(&mut self, settings: &Settings) -> Step<Frame> {
        self.strays += 1;
        if self.strays > settings.max_strays || (self.fresh && !self.sound) {
            return Step::GiveUp;
        }
        Step::Resync
    }

    fn asked(&mut self, asked: Asked, extent: &Extent, scene: &mut Scene<'_>) {
        let correlation = asked.correlation;
        let serves = self.asks == Direction::Received;
        let mut operation = Operation::new(asked, serves, extent, scene);
        if let Some(group) = operation.group() {
            self.group = Some(group.clone());
        }
        operation.join(self.group.as_ref());
        operation.open(scene);
        while self.waiting.len() >= scene.settings.max_pending.max(1)
            && let Some((_, oldest)) = self.waiting.pop_first()
        {
            oldest.close(Ending::Lost, Nanos::default(), scene);
        }
        if let Some(before) = self.waiting.insert(correlation, operation) {
            before.close(Ending::Lost, Nanos::default(), scene);
        }
    }

    /// A message is through: an answer, or a request that gets none.
    fn done(&mut self, correlation: u32, scene: &mut Scene<'_>) {
        let over = |operation: &&Operation| operation.response.is_some() || operation.is_silent();
        if self.waiting.get(&correlation).filter(over).is_some()
            && let Some(operation) = self.waiting.remove(&correlation)
        {
            operation.close(Ending::Answered, Nanos::default(), scene);
        }
    }
}
