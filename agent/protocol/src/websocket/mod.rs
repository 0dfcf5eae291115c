//! WebSocket (RFC 6455), handed over by HTTP/1. Comes in: bytes of both directions. Goes out: one exchange for the
//! session, when it is over: frames, messages and bytes of both directions, and the close code. Refuses: to look at
//! payload, so that compression (RFC 7692) is told and changes nothing.
//!
//! The handshake is a span of its own, which ends with the 101. The semantic conventions have nothing for what follows;
//! so the session is told as one more span, under `wirespan.websocket.*`, and only when it is over: a request that stays
//! open for hours would be taken for the cause of everything that its thread does meanwhile.

pub(crate) mod about;
mod frame;

use crate::{
    event::{Direction, Nanos, Policy, Task},
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Role, Target, Value},
    http::{legacy::Handshake, message::Attributes},
    protocol::{Detection, Extent, Input, Legacy, Protocol, Scene, Sight, Step},
    settings::Settings,
    stream::Mark,
    token::Tokens,
};
use frame::{Header, MAX_HEADER, Start};

/// A WebSocket session on one connection.
pub struct WebSocket {
    handshake: Option<Handshake>,
    received: Lane,
    sent: Lane,
    /// The first close code that either side sent.
    code: Option<u16>,
    strays: u16,
    told: bool,
}

/// What is found in the bytes.
pub struct Frame(Header);

/// One direction.
#[derive(Default)]
struct Lane {
    /// Where the session begins.
    offset: u64,
    /// Bytes went by in which frames may have been.
    lost: bool,
    /// A frame is looked for where the next call begins.
    search: bool,
    frames: u64,
    messages: u64,
    payload: u64,
    closed: bool,
    message: Option<Message>,
}

impl Protocol for WebSocket {
    type Frame = Frame;

    const NAME: &'static str = "websocket";
    /// Headers stand wherever the frame before ends; those of the many small frames are all in the part that is copied
    /// of a call.
    const POLICY: Policy = Policy::Undecided;
    const TOKENS: &'static [&'static str] = &["websocket"];

    /// Only the handshake tells: two bytes of a frame's header are no evidence.
    fn detect(_sight: &Sight<'_>, _settings: &Settings) -> Detection {
        Detection::NotForUs
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let lane = |direction| Lane { offset: sight.of(direction).offset, ..Lane::default() };
        let (received, sent) = (lane(Direction::Received), lane(Direction::Sent));
        Self { handshake: None, received, sent, code: None, strays: 0, told: false }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        if self.told {
            // Behind both close frames nothing belongs to the session.
            return if input.available() > 0 { Step::Skip(input.available()) } else { Step::NeedMore };
        }
        let masked = Some(direction) == self.asks();
        let search = self.lane(direction).search;
        let bytes = input.bytes();
        if search && !bytes.is_empty() && !(input.boundary() && frame::plausible(bytes, masked)) {
            return self.stray(direction, input, settings);
        }
        match frame::start(bytes, masked) {
            // The session is told with its last byte, however that came.
            Start::Frame(header)
                if header.closes && (bytes.len() as u64) < header.whole && input.cut().is_none() =>
            {
                Step::NeedMore
            }
            Start::Frame(header) => {
                self.strays = 0;
                self.lane(direction).search = false;
                Step::Frame(Frame(header), header.whole)
            }
            Start::Partial if input.cut().is_none() && bytes.len() < MAX_HEADER + 2 => Step::NeedMore,
            Start::Partial | Start::Nothing => self.stray(direction, input, settings),
        }
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        let Frame(header) = frame;
        self.code = self.code.or(header.code);
        let lane = self.lane(direction);
        lane.frames += 1;
        lane.messages += u64::from(header.last && !header.control);
        lane.payload += if header.control { 0 } else { header.length };
        lane.closed |= header.closes;
        self.passed(direction, extent);
        if self.received.closed && self.sent.closed {
            self.tell(Ending::Answered, Nanos::default(), scene);
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let Extent { offset, first, last, bytes, missing } = *extent;
        let message = Message { offset, first, last, bytes: 0, body: None, missing: 0, truncated: false };
        let message = self.lane(direction).message.get_or_insert(message);
        message.bytes += bytes;
        message.missing += missing;
        message.last = last;
    }

    fn missed(&mut self, direction: Direction, _scene: &mut Scene<'_>) {
        let lane = self.lane(direction);
        (lane.search, lane.lost) = (true, true);
    }

    /// A session may be silent for as long as it likes.
    fn expire(&mut self, _now: Nanos, _scene: &mut Scene<'_>) {}

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        let closed = self.received.closed || self.sent.closed;
        let ending = if closed && ending == Ending::Closed { Ending::Answered } else { ending };
        self.tell(ending, now, scene);
    }

    fn inherit(&mut self, legacy: Legacy) {
        self.handshake = legacy.downcast().ok().map(|handshake| *handshake);
    }

    fn asks(&self) -> Option<Direction> {
        let role = self.handshake.as_ref()?.role;
        Some(if role == Role::Server { Direction::Received } else { Direction::Sent })
    }
}

impl WebSocket {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// No frame where one should be: the next one begins with a call, as most do.
    fn stray(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        self.strays += u16::from(input.cut().is_none());
        self.lane(direction).search = true;
        if self.strays > settings.max_strays { Step::GiveUp } else { Step::Resync }
    }

    /// Tells of the session, once, where there was any byte of it.
    fn tell(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        let Some(asks) = self.asks().filter(|_| !std::mem::replace(&mut self.told, true)) else { return };
        let marks = [&self.received, &self.sent]
            .map(|lane| lane.message.map(|message| (message.first, message.last)));
        let Some(first) = marks.iter().flatten().map(|(first, _)| *first).min_by_key(|mark| mark.time) else {
            return;
        };
        let last = marks.iter().flatten().map(|(_, last)| last.time).max().unwrap_or_default();
        let key = Key { cookie: scene.facts.socket.cookie, offset: self.lane(asks).offset, sub: 0 };
        let ended = now.max(last);
        scene.out.push(Output::Opened(opening(key, asks, first, scene)));
        let exchange = self.exchange(key, asks, first, (ending, ended), scene);
        scene.out.push(Output::Closed(Box::new(exchange)));
    }

    fn exchange(
        &mut self,
        key: Key,
        asks: Direction,
        first: Mark,
        (ending, ended): (Ending, Nanos),
        scene: &Scene<'_>,
    ) -> Exchange {
        let asked = self.lane(asks).message.unwrap_or(Message {
            offset: key.offset,
            first,
            last: first,
            bytes: 0,
            body: None,
            missing: 0,
            truncated: false,
        });
        // The session begins with its first byte, whoever sent it.
        let request = Message { first, ..asked };
        let response = self.lane(asks.reverse()).message;
        let mut attributes = vec![("network.protocol.name".into(), Value::fixed("websocket"))];
        self.count(&mut attributes);
        let handshake = self.handshake.take();
        let (target, role) = handshake.map_or((Target::None, Role::Server), |mut handshake| {
            attributes.append(&mut handshake.attributes);
            if handshake.deflate {
                let name = "wirespan.websocket.compression";
                attributes.push((name.into(), Value::fixed("permessage-deflate")));
            }
            (handshake.target, handshake.role)
        });
        let outcome = outcome(ending, self.code);
        Exchange {
            key,
            protocol: Self::NAME,
            role,
            facts: *scene.facts,
            request,
            response,
            ending,
            ended,
            method: "WEBSOCKET".into(),
            target,
            outcome,
            attributes,
            links: Vec::new(),
        }
    }

    /// Counts of both directions; none of a direction in which frames may have been missed.
    fn count(&self, attributes: &mut Attributes) {
        let names = [
            ("wirespan.websocket.received.frames", &self.received, self.received.frames),
            ("wirespan.websocket.received.messages", &self.received, self.received.messages),
            ("wirespan.websocket.received.bytes", &self.received, self.received.payload),
            ("wirespan.websocket.sent.frames", &self.sent, self.sent.frames),
            ("wirespan.websocket.sent.messages", &self.sent, self.sent.messages),
            ("wirespan.websocket.sent.bytes", &self.sent, self.sent.payload),
        ];
        for (name, lane, number) in names {
            if !lane.lost {
                attributes.push((name.into(), Value::Int(number.try_into().unwrap_or(i64::MAX))));
            }
        }
        if let Some(code) = self.code {
            attributes.push(("wirespan.websocket.close_code".into(), Value::Int(code.into())));
        }
    }
}

/// The opening comes with the end, and on no thread: it causes nothing.
fn opening(key: Key, asks: Direction, first: Mark, scene: &Scene<'_>) -> Opening {
    let role = if asks == Direction::Received { Role::Server } else { Role::Client };
    let task = Task { tid: 0, key: 0, ..first.task };
    Opening {
        key,
        role,
        facts: *scene.facts,
        start: Mark { task, ..first },
        carrier: Vec::new(),
        shape: 0,
        tokens: Tokens::default(),
    }
}

/// `error.type`: the close code, save those of an orderly end (RFC 6455 section 7.4.1: normal, going away); or why
/// there is none.
fn outcome(ending: Ending, code: Option<u16>) -> Outcome {
    match (code, ending) {
        (Some(1000 | 1001), _) => Outcome::Unset,
        (Some(code), _) => Outcome::Error(code.to_string().into(), None),
        (None, Ending::Closed | Ending::Broken(_)) => {
            ending.error_type().map_or(Outcome::Unset, |error| Outcome::Error(error.into(), None))
        }
        (None, _) => Outcome::Unset,
    }
}
