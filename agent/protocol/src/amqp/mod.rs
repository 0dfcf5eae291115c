//! AMQP 0-9-1 (the specification of that name, and RabbitMQ's extensions), both roles. Comes in: bytes of both directions.
//! Goes out: an exchange for each message that is published, handed on or fetched, and for each question of a client.
//! Refuses: to look at payloads; they are passed over by their lengths.
//!
//! Recognised by its preface, or by a whole frame with a method that exists. Frames belong to channels; answers on a
//! channel come in order, confirmations name a number that both sides count, settlements the tag of a delivery.
//!
//! A publish is over when it is confirmed, where the channel was told to confirm, else when it is sent. A delivery is
//! over when the consumer settles it, so that its span covers the work on the message, else when it is sent.

pub(crate) mod about;
mod channel;
mod frame;
mod lane;
mod method;
mod operation;
mod properties;
mod speech;
mod waiting;

use std::collections::BTreeMap;

use channel::Channel;
use frame::{HEADER, Header, PREFACE, PREFACE_LENGTH, Shape, shape};
use lane::Lane;
use method::{By, Method};
use operation::Party;
use properties::Properties;
use waiting::{Kind, Waiting};

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::Ending,
    facts::Side,
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step},
    settings::Settings,
};

/// AMQP on one connection.
pub struct Amqp {
    /// Which way a client's methods travel, once it is known.
    asks: Option<Direction>,
    received: Lane,
    sent: Lane,
    channels: BTreeMap<u16, Channel>,
    waiting: Waiting,
    /// Was the connection seen from its first byte?
    fresh: bool,
    /// Was a frame read?
    sound: bool,
    /// Calls in a row that began with no frame.
    strays: u16,
}

/// What is found in the bytes.
pub struct Frame(Found);

enum Found {
    Preface,
    /// `cut`: its arguments were not there whole.
    Method {
        channel: u16,
        method: Box<Method>,
        cut: bool,
    },
    /// `None`: not even the size of the body was there.
    Content {
        channel: u16,
        properties: Option<Box<Properties>>,
    },
    /// A piece of a body of so many bytes.
    Body {
        channel: u16,
        size: u64,
    },
    /// A frame of a message is through.
    Done {
        channel: u16,
    },
}

impl Protocol for Amqp {
    type Frame = Frame;

    const NAME: &'static str = "amqp";
    /// Frames begin anywhere in a call, and one that is missed takes the numbers of confirmations along.
    const POLICY: Policy = Policy::Full;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match [sight.received, sight.sent].map(|front| shape(front.bytes)) {
            [Shape::Preface | Shape::Frame(_), _] | [_, Shape::Preface | Shape::Frame(_)] => {
                Detection::Certain
            }
            [Shape::Partial, _] | [_, Shape::Partial] => Detection::Unsure,
            [Shape::Nothing, Shape::Nothing] => Detection::NotForUs,
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let fronts = [(Direction::Received, sight.received), (Direction::Sent, sight.sent)];
        let preface = fronts.iter().find(|(_, front)| shape(front.bytes) == Shape::Preface);
        let connected = match sight.facts.side {
            Side::Client => Some(Direction::Sent),
            Side::Server => Some(Direction::Received),
            Side::Unknown => None,
        };
        let fresh = preface.is_some() && sight.lost == 0;
        Self {
            asks: preface.map(|(direction, _)| *direction).or(connected),
            received: Lane::new(!fresh),
            sent: Lane::new(!fresh),
            channels: BTreeMap::new(),
            waiting: Waiting::default(),
            fresh,
            sound: false,
            strays: 0,
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let lane = self.lane(direction);
        if let Some(channel) = lane.check.take() {
            return Step::Frame(Frame(Found::Done { channel }), 0);
        }
        lane.current = None;
        let (bytes, cut) = (input.bytes(), input.cut().is_some());
        if bytes.len() < HEADER && cut && !self.lane(direction).seeks {
            return self.blind(direction);
        }
        if bytes.is_empty() {
            return wait(cut);
        }
        if self.lane(direction).seeks {
            match (input.boundary(), shape(bytes)) {
                (false, _) => return Step::Resync,
                (true, Shape::Partial) if !cut && bytes.len() < settings.max_head => return Step::NeedMore,
                (true, Shape::Preface | Shape::Frame(_)) => {}
                (true, Shape::Partial | Shape::Nothing) => return self.stray(direction, settings),
            }
        }
        self.frame(direction, input, settings)
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        match frame.0 {
            Found::Preface => self.asks = self.asks.or(Some(direction)),
            Found::Method { channel, method, cut } => {
                self.method(direction, channel, *method, cut, extent, scene);
            }
            Found::Content { channel, properties } => {
                self.head(direction, channel, properties.map(|boxed| *boxed), extent, scene);
            }
            Found::Body { channel, size } => {
                if let Some(content) = self.lane(direction).content(channel) {
                    content.piece(size);
                }
                self.extend(direction, extent);
            }
            Found::Done { channel } => self.done(direction, channel, scene),
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        self.extend(direction, extent);
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        self.lane(direction).seeks = true;
        self.cut_contents(direction, Ending::Lost, Nanos::default(), scene);
        if self.asks.is_none_or(|asks| asks == direction) {
            self.channels.values_mut().for_each(Channel::doubt);
            self.waiting.doubt(Kind::Delivery);
        } else {
            self.waiting.lose_calls(scene);
            self.waiting.doubt(Kind::Publish);
        }
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.waiting.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        for direction in [Direction::Received, Direction::Sent] {
            self.cut_contents(direction, ending, now, scene);
        }
        self.waiting.finish(ending, now, scene);
    }

    fn asks(&self) -> Option<Direction> {
        self.asks
    }
}

/// Channels of a connection that are remembered.
const MAX_CHANNELS: usize = 2048;

impl Amqp {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    fn party(&self) -> Party {
        if self.asks == Some(Direction::Received) { Party::Broker } else { Party::Client }
    }

    /// What is known of a channel. One that we did not see opened may be in any state.
    fn channel(&mut self, channel: u16) -> &mut Channel {
        if self.channels.len() >= MAX_CHANNELS && !self.channels.contains_key(&channel) {
            self.channels.pop_first();
        }
        let fresh = self.fresh;
        self.channels
            .entry(channel)
            .or_insert_with(|| if fresh { Channel::default() } else { Channel::joined() })
    }

    fn frame(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let (bytes, cut) = (input.bytes(), input.cut().is_some());
        if bytes.starts_with(PREFACE) {
            let whole = bytes.len() >= PREFACE_LENGTH;
            return if whole {
                self.read(direction, Found::Preface, PREFACE_LENGTH as u64)
            } else {
                wait(cut)
            };
        }
        let Some(header) = Header::read(bytes) else {
            return if PREFACE.starts_with(bytes) || bytes.len() < HEADER { wait(cut) } else { Step::Resync };
        };
        if !header.lawful() || header.ends(bytes) == Some(false) {
            return self.stray(direction, settings);
        }
        let short = (bytes.len() as u64) < header.whole();
        let read = match header.kind {
            frame::BODY => Found::Body { channel: header.channel, size: header.size.into() },
            frame::METHOD | frame::CONTENT => {
                if short && !cut && bytes.len() < settings.max_head {
                    return Step::NeedMore;
                }
                match content(&header, bytes, settings) {
                    Some(found) => found,
                    None => return self.stray(direction, settings),
                }
            }
            _ if short => return wait(cut),
            _ => return Step::Skip(header.whole()),
        };
        self.read(direction, read, header.whole())
    }

    /// The next frame was not copied. Within a body it is known how many bytes the rest takes.
    fn blind(&mut self, direction: Direction) -> Step<Frame> {
        match self.lane(direction).unseen() {
            Some((channel, size, length)) => self.read(direction, Found::Body { channel, size }, length),
            None => Step::Resync,
        }
    }

    fn read(&mut self, direction: Direction, found: Found, length: u64) -> Step<Frame> {
        (self.sound, self.strays) = (true, 0);
        let lane = self.lane(direction);
        lane.seeks = false;
        if let Found::Content { channel, .. } | Found::Body { channel, .. } = &found {
            (lane.current, lane.check) = (Some(*channel), Some(*channel));
        }
        Step::Frame(Frame(found), length)
    }

    /// No frame where one should be: of a new connection, or too often, it means that it is another protocol.
    fn stray(&mut self, direction: Direction, settings: &Settings) -> Step<Frame> {
        self.strays += 1;
        self.lane(direction).seeks = true;
        if self.strays > settings.max_strays || (self.fresh && !self.sound) {
            return Step::GiveUp;
        }
        Step::Resync
    }

    fn extend(&mut self, direction: Direction, extent: &Extent) {
        self.lane(direction).extend(extent);
        let Some(channel) = self.lane(direction).current else { return };
        let got = matches!(
            self.lane(direction).content(channel),
            Some(lane::Content { carries: lane::Carries::Got, .. })
        );
        let answered = self.waiting.front(channel).filter(|_| got);
        if let Some(response) = answered.and_then(|operation| operation.response.as_mut()) {
            crate::pipeline::extend(response, extent);
        }
    }
}

/// More bytes would tell, unless there are none.
const fn wait(cut: bool) -> Step<Frame> {
    if cut { Step::Resync } else { Step::NeedMore }
}

/// A method or a content header, as far as it is there.
fn content(header: &Header, bytes: &[u8], settings: &Settings) -> Option<Found> {
    let readable = bytes.get(..settings.max_head).unwrap_or(bytes);
    let (channel, payload) = (header.channel, header.payload(readable));
    let cut = payload.len() < header.size as usize;
    if header.kind == frame::CONTENT {
        let properties = Properties::read(payload, settings.max_text).map(Box::new);
        return Some(Found::Content { channel, properties });
    }
    let method = Method::read(payload, settings.max_text).map(Box::new);
    method.map(|method| Found::Method { channel, method, cut })
}

/// Who speaks a method, where it tells.
const fn asks_by(by: By, direction: Direction) -> Option<Direction> {
    match by {
        By::Client => Some(direction),
        By::Broker => Some(direction.reverse()),
        By::Either => None,
    }
}
