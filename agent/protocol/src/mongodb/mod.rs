//! MongoDB (OP_MSG, OP_COMPRESSED, and OP_QUERY with OP_REPLY for the first hello), both roles. Comes in: bytes of both
//! directions. Goes out: an exchange a command. Refuses: documents, filters and credentials, which are passed over by
//! their lengths; what is compressed, of which the lengths alone are told.
//!
//! Recognised by a header whose opcode fits what follows, in messages of either side. Paired by the id that an answer
//! names; of an exhaust cursor, each answer names the one before.

pub(crate) mod about;
mod bson;
mod command;
mod pairing;
mod reply;
mod wire;

use command::Command;
use pairing::Pairing;
use reply::Reply;
use wire::{HEADER, Header};

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Role},
    facts::Side,
    footing::{self, Footing},
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step},
    settings::Settings,
    stream::{Front, Next},
};

/// MongoDB on one connection.
pub struct Mongodb {
    /// Which way commands travel.
    asks: Direction,
    received: Lane,
    sent: Lane,
    pairing: Pairing,
    footing: Footing,
}

/// Where in a direction we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// The next message begins with one of the next calls.
    Seeks,
    /// A message begins at the front.
    Between,
    /// So many bytes of a message are left.
    Inside(u64),
    /// All bytes of a message are through.
    Behind,
}

/// What is found in the bytes.
pub struct Frame(Found);

enum Found {
    /// A command, and whether all its bytes are there.
    Command(u32, Box<Command>, bool),
    /// An answer, and whether all its bytes are there.
    Reply(Box<Reply>, bool),
    /// The end of what was begun.
    End,
}

impl Protocol for Mongodb {
    type Frame = Frame;

    const NAME: &'static str = "mongodb";
    /// The begin of every call: it names the command, or tells of an error; documents cost no more than that.
    const POLICY: Policy = Policy::Undecided;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match (evidence(&sight.received), evidence(&sight.sent)) {
            (Detection::Certain, _) | (_, Detection::Certain) => Detection::Certain,
            (Detection::Unsure, _) | (_, Detection::Unsure) => Detection::Unsure,
            _ => Detection::NotForUs,
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let asks = asking(sight);
        Self {
            asks,
            received: Lane::Seeks,
            sent: Lane::Seeks,
            pairing: Pairing::new(if asks == Direction::Received { Role::Server } else { Role::Client }),
            footing: Footing::new(sight),
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        match *self.lane(direction) {
            Lane::Inside(left) => {
                *self.lane(direction) = Lane::Behind;
                Step::Skip(left)
            }
            Lane::Behind => {
                *self.lane(direction) = Lane::Between;
                Step::Frame(Frame(Found::End), 0)
            }
            lane => match footing::before(input, true, lane == Lane::Seeks) {
                Some(step) => step,
                None if lane == Lane::Seeks => self.seek(direction, input, settings),
                None => self.message(direction, input, settings),
            },
        }
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        let whole = match frame.0 {
            Found::Command(id, command, whole) => {
                self.pairing.ask(id, *command, extent, scene);
                whole
            }
            Found::Reply(reply, whole) => {
                self.pairing.answer(*reply, extent, scene);
                whole
            }
            Found::End => true,
        };
        match (whole, direction == self.asks) {
            (true, true) => self.pairing.asked(scene),
            (true, false) => self.pairing.answered(scene),
            (false, _) => {}
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        self.pairing.passed(direction == self.asks, extent);
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        *self.lane(direction) = Lane::Seeks;
        if direction != self.asks {
            self.pairing.lose(scene);
        }
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.pairing.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.pairing.end_all(ending, now, scene);
    }

    fn asks(&self) -> Option<Direction> {
        Some(self.asks)
    }
}

impl Mongodb {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// Does a message begin with this call?
    fn seek(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        match wire::look(input.bytes()) {
            Detection::Certain => self.message(direction, input, settings),
            Detection::Unsure if input.cut().is_none() => Step::NeedMore,
            Detection::Unsure | Detection::NotForUs => Step::Resync,
        }
    }

    /// The message at the front; of a long one its begin.
    fn message(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let cut = input.cut().is_some();
        if bytes.len() < HEADER {
            return if cut { Step::Resync } else { Step::NeedMore };
        }
        let Some(header) = wire::header(bytes) else { return self.stray(direction, settings) };
        let wanted = (header.length as usize).min(settings.max_head.max(HEADER));
        let content = match bytes.get(..wanted) {
            Some(content) => content,
            None if cut => bytes,
            None => return Step::NeedMore,
        };
        let left = u64::from(header.length) - content.len() as u64;
        let Some(found) = self.found(direction, header, content, settings) else {
            return self.stray(direction, settings);
        };
        self.footing.answered();
        *self.lane(direction) = if left == 0 { Lane::Between } else { Lane::Inside(left) };
        Step::Frame(Frame(found), content.len() as u64)
    }

    fn found(
        &mut self,
        direction: Direction,
        header: Header,
        content: &[u8],
        settings: &Settings,
    ) -> Option<Found> {
        let whole = content.len() == header.length as usize;
        if direction != self.asks {
            return Some(Found::Reply(Box::new(reply::read(header, content, settings.max_text)), whole));
        }
        let command = command::read(header, content, settings.max_text)?;
        self.footing.asked();
        Some(Found::Command(header.id, Box::new(command), whole))
    }

    /// No message where one should be.
    fn stray(&mut self, direction: Direction, settings: &Settings) -> Step<Frame> {
        *self.lane(direction) = Lane::Seeks;
        self.footing.stray(settings)
    }
}

fn evidence(front: &Front<'_>) -> Detection {
    match wire::look(front.bytes) {
        _ if front.bytes.is_empty() || !front.boundary => Detection::NotForUs,
        // A few bytes alone say nothing; where no more come they must not stand in another protocol's way.
        Detection::Unsure if front.bytes.len() < HEADER && front.next != Next::More => Detection::NotForUs,
        detection => detection,
    }
}

/// Which way commands travel: as the kernel says, else the messages. A client may number its first command 0, so that
/// the answer names a 0, as a command does.
fn asking(sight: &Sight<'_>) -> Direction {
    let answers = |front: &Front<'_>| wire::header(front.bytes).map(|header| header.is_answer());
    match (sight.facts.side, answers(&sight.received), answers(&sight.sent)) {
        (Side::Server, ..) => Direction::Received,
        (Side::Client, ..) | (_, Some(true), _) | (_, _, Some(false)) => Direction::Sent,
        (_, Some(false), _) | (_, _, Some(true)) => Direction::Received,
        (Side::Unknown, None, None) => Direction::Sent,
    }
}
