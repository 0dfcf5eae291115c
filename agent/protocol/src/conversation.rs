//! Comes in: both streams of a connection of known protocol. Goes out: frames, in the order of time over both
//! directions, to the protocol's pairing. Refuses: bytes of the future (a response before its request), endless
//! steps: each one consumes bytes, changes a parser's state once, or waits.

use std::cmp::Ordering;

use wirespan_connection::{
    event::{Direction, Nanos},
    stream::{Next, Stream},
};

use crate::{
    exchange::Ending,
    protocol::{Extent, Input, Legacy, Protocol, Scene, Sight, Step, Successor},
};

/// Both directions of a connection.
pub struct Streams<'a> {
    /// What the program read.
    pub received: &'a mut dyn Stream,
    /// What the program wrote.
    pub sent: &'a mut dyn Stream,
}

impl Streams<'_> {
    /// One direction, to look at.
    #[must_use]
    pub fn of(&self, direction: Direction) -> &dyn Stream {
        match direction {
            Direction::Received => &*self.received,
            Direction::Sent => &*self.sent,
        }
    }

    /// Drops bytes from the front of a direction.
    pub fn consume(&mut self, direction: Direction, count: u64) {
        match direction {
            Direction::Received => self.received.consume(count),
            Direction::Sent => self.sent.consume(count),
        }
    }
}

/// How a conversation goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Course {
    /// Everything readable was read.
    Idle,
    /// Another protocol takes over.
    HandOver(Successor),
    /// It cannot be followed any more.
    GiveUp,
}

/// A protocol at work on a connection, whichever it is.
pub trait Conversation: Send {
    /// Reads what can be read.
    fn advance(&mut self, streams: &mut Streams<'_>, scene: &mut Scene<'_>) -> Course;
    /// Ends what waits too long.
    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>);
    /// Ends everything.
    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>);
    /// What is left to the protocol that takes over.
    fn bequeath(&mut self) -> Option<Legacy>;
    /// Takes what the protocol before left.
    fn inherit(&mut self, legacy: Legacy);
}

/// Begins a conversation in protocol `P`.
#[must_use]
pub fn begin<P: Protocol>(sight: &Sight<'_>) -> Box<dyn Conversation> {
    Box::new(Talk { protocol: P::begin(sight), received: Lane::default(), sent: Lane::default() })
}

/// Steps that change nothing but a parser's state, in a row and per direction. More is a parser's mistake.
const MAX_EMPTY_STEPS: u8 = 8;

/// One direction.
#[derive(Default)]
struct Lane {
    /// Bytes of the last frame still to be passed over.
    skip: u64,
    /// Was its end told?
    ended: bool,
    /// Does it wait for the other direction?
    waits: bool,
    /// Did the last step find too few bytes?
    starved: bool,
    /// A frame is through: its parser may have something to say before further bytes are there.
    ask: bool,
    /// Empty steps in a row.
    empty: u8,
}

struct Talk<P> {
    protocol: P,
    received: Lane,
    sent: Lane,
}

impl Lane {
    const fn readiness(&self, offer: Offer) -> Readiness {
        if self.waits || self.starved {
            return Readiness::Not;
        }
        match (offer.available > 0, self.ask, offer.end) {
            (true, ..) => Readiness::Bytes,
            (false, true, _) => Readiness::Ask,
            (false, false, true) if !self.ended => Readiness::End,
            (false, false, _) => Readiness::Not,
        }
    }
}

/// What the stream of a direction has at its front.
#[derive(Clone, Copy)]
struct Offer {
    /// Bytes, and the gap behind them.
    available: u64,
    /// Its end.
    end: bool,
}

impl Offer {
    fn of(stream: &dyn Stream) -> Self {
        match stream.ahead() {
            (bytes, Next::Gap(_, missing)) => Self { available: bytes + missing, end: false },
            (available, Next::More) => Self { available, end: false },
            (available, Next::End | Next::Broken(_)) => Self { available, end: true },
        }
    }

    /// So many bytes are through: what stands behind all that were available is seen only then.
    fn pass(&mut self, bytes: u64, stream: &dyn Stream) {
        self.available = self.available.saturating_sub(bytes);
        if bytes > 0 && self.available == 0 {
            *self = Self::of(stream);
        }
    }
}

/// What both have.
#[derive(Clone, Copy)]
struct Offers {
    received: Offer,
    sent: Offer,
}

impl Offers {
    const fn of(&mut self, direction: Direction) -> &mut Offer {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }
}

/// What a direction has to offer, least urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Readiness {
    /// Nothing.
    Not,
    /// Its end.
    End,
    /// Bytes or a gap.
    Bytes,
    /// A frame that is through.
    Ask,
}

/// What a step came to.
enum Progress {
    /// So many bytes are through, or none, and the parser's state is another.
    Moved(u64),
    Stuck,
    Leave(Course),
}

impl<P: Protocol> Conversation for Talk<P> {
    fn advance(&mut self, streams: &mut Streams<'_>, scene: &mut Scene<'_>) -> Course {
        for direction in [Direction::Received, Direction::Sent] {
            let lane = self.lane(direction);
            (lane.starved, lane.waits) = (false, false);
        }
        let mut offers = Offers {
            received: Offer::of(streams.of(Direction::Received)),
            sent: Offer::of(streams.of(Direction::Sent)),
        };
        while let Some(direction) = self.choose(offers, streams) {
            match self.step(direction, streams, scene) {
                Progress::Moved(bytes) => {
                    self.lane(direction.reverse()).waits = false;
                    // A step moves its own direction alone.
                    offers.of(direction).pass(bytes, streams.of(direction));
                }
                Progress::Stuck => {}
                Progress::Leave(course) => return course,
            }
        }
        Course::Idle
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.protocol.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.protocol.finish(ending, now, scene);
    }

    fn bequeath(&mut self) -> Option<Legacy> {
        self.protocol.bequeath()
    }

    fn inherit(&mut self, legacy: Legacy) {
        self.protocol.inherit(legacy);
    }
}

impl<P: Protocol> Talk<P> {
    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// The direction whose front is older. Streams are read in the order of time, or responses would overtake
    /// their requests when both have queued up.
    fn choose(&self, offers: Offers, streams: &Streams<'_>) -> Option<Direction> {
        let received = self.received.readiness(offers.received);
        let sent = self.sent.readiness(offers.sent);
        match (received, sent) {
            (Readiness::Not, Readiness::Not) => None,
            (Readiness::Bytes, Readiness::Bytes) => Some(self.older(streams)),
            _ if received == sent => Some(self.protocol.asks().unwrap_or(Direction::Received)),
            _ if received > sent => Some(Direction::Received),
            _ => Some(Direction::Sent),
        }
    }

    fn older(&self, streams: &Streams<'_>) -> Direction {
        let time = |direction| {
            let stream = streams.of(direction);
            stream.mark(stream.front().offset).time
        };
        match time(Direction::Received).cmp(&time(Direction::Sent)) {
            Ordering::Less => Direction::Received,
            Ordering::Greater => Direction::Sent,
            Ordering::Equal => self.protocol.asks().unwrap_or(Direction::Received),
        }
    }

    fn step(&mut self, direction: Direction, streams: &mut Streams<'_>, scene: &mut Scene<'_>) -> Progress {
        let input = Input::of(streams.of(direction));
        let lane = self.lane(direction);
        let asked = std::mem::take(&mut lane.ask);
        let (available, end) = (input.available(), input.end());
        if lane.skip > 0 && available > 0 {
            let extent = input.extent(lane.skip);
            return self.pass(direction, &extent, streams);
        }
        if let (false, 0, Some(ending)) = (asked, available, end) {
            lane.ended = true;
            self.protocol.ended(direction, ending, scene);
            return Progress::Moved(0);
        }
        match self.protocol.parse(direction, &input, scene.settings) {
            Step::Frame(frame, length) => {
                let extent = input.extent(length);
                streams.consume(direction, extent.bytes);
                self.protocol.pair(direction, frame, &extent, scene);
                self.moved(direction, extent.bytes, length)
            }
            Step::Skip(length) => {
                let extent = input.extent(length);
                self.lane(direction).skip = length;
                self.pass(direction, &extent, streams)
            }
            Step::Wait => self.wait(direction),
            Step::Resync => self.resync(direction, streams, scene),
            // A parser that wants bytes that will never come is helped over the gap.
            Step::NeedMore if input.cut().is_some() => self.resync(direction, streams, scene),
            Step::NeedMore => self.starve(direction, end.map(|_| available), streams),
            Step::HandOver(successor) => Progress::Leave(Course::HandOver(successor)),
            Step::GiveUp => Progress::Leave(Course::GiveUp),
        }
    }

    fn wait(&mut self, direction: Direction) -> Progress {
        self.lane(direction).waits = true;
        Progress::Stuck
    }

    /// Bytes of an incomplete frame wait for more, or for nothing where they are the `remnant` before the stream's end.
    fn starve(&mut self, direction: Direction, remnant: Option<u64>, streams: &mut Streams<'_>) -> Progress {
        if let Some(remnant) = remnant {
            streams.consume(direction, remnant);
            return Progress::Moved(remnant);
        }
        self.lane(direction).starved = true;
        Progress::Stuck
    }

    /// Passes over bytes of the last frame.
    fn pass(&mut self, direction: Direction, extent: &Extent, streams: &mut Streams<'_>) -> Progress {
        if extent.bytes > 0 {
            streams.consume(direction, extent.bytes);
            self.protocol.passed(direction, extent);
        }
        let skip = self.lane(direction).skip;
        self.moved(direction, extent.bytes, skip)
    }

    /// Passes over everything to the begin of the next call.
    fn resync(&mut self, direction: Direction, streams: &mut Streams<'_>, scene: &mut Scene<'_>) -> Progress {
        let input = Input::of(streams.of(direction));
        let call = input.call().len();
        let whole = call == input.bytes().len();
        let length = if whole { input.available() } else { call as u64 };
        if length == 0 {
            let remnant = input.end().map(|_| 0);
            return self.starve(direction, remnant, streams);
        }
        streams.consume(direction, length);
        self.protocol.missed(direction, scene);
        self.moved(direction, length, length)
    }

    /// `bytes` of `length` are through.
    fn moved(&mut self, direction: Direction, bytes: u64, length: u64) -> Progress {
        let through = bytes == length;
        let ask = through && !self.protocol.is_idle(direction);
        let lane = self.lane(direction);
        (lane.skip, lane.ask) = (length - bytes, ask);
        lane.empty = if bytes == 0 && through { lane.empty + 1 } else { 0 };
        if lane.empty > MAX_EMPTY_STEPS { Progress::Leave(Course::GiveUp) } else { Progress::Moved(bytes) }
    }
}
