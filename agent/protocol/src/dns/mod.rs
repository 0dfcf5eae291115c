//! DNS over UDP and TCP (RFC 1035, RFC 6891, RFC 7766), both roles, also of one socket that asks and is asked. Comes in:
//! datagrams, or messages behind their lengths. Goes out: an exchange a question. Refuses: multicast DNS, whose
//! questions nobody has to answer.
//!
//! Recognised by a message that can be read to its last byte. Paired by id, name and type, in any order, with the peer
//! where the socket is not connected.

pub(crate) mod about;
mod codes;
mod message;
mod pairing;

use message::Message;
use pairing::Pairing;

use crate::{
    cursor::Cursor,
    event::{Address, Direction, Nanos, Policy, Transport},
    exchange::Ending,
    facts::Facts,
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step},
    settings::Settings,
};

/// Port of multicast DNS (RFC 6762).
const MULTICAST: u16 = 5353;

/// DNS on one socket.
pub struct Dns {
    /// Is a call a message? Else each has its length before it.
    datagrams: bool,
    /// Which way the first question went.
    asks: Option<Direction>,
    /// Does the next message of a stream begin with one of the next calls? Received, sent.
    seeks_received: bool,
    seeks_sent: bool,
    pairing: Pairing,
    /// Messages in a row that were none.
    strays: u16,
}

/// A message, and whether its end is missing.
pub struct Frame(Box<Message>, bool);

impl Protocol for Dns {
    type Frame = Frame;

    const NAME: &'static str = "dns";
    /// Messages are short, and answers come last.
    const POLICY: Policy = Policy::Full;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        if is_multicast(sight.facts) {
            return Detection::NotForUs;
        }
        let looks = [sight.received.bytes, sight.sent.bytes].map(|bytes| look(bytes, sight.facts));
        match looks {
            [Detection::Certain, _] | [_, Detection::Certain] => Detection::Certain,
            [Detection::Unsure, _] | [_, Detection::Unsure] => Detection::Unsure,
            _ => Detection::NotForUs,
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        Self {
            datagrams: is_datagrams(sight.facts),
            asks: None,
            seeks_received: true,
            seeks_sent: true,
            pairing: Pairing::default(),
            strays: 0,
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        match (input.bytes().is_empty(), input.cut()) {
            (true, None) => Step::NeedMore,
            (true, Some(_)) => Step::Resync,
            (false, _) if self.datagrams => self.datagram(input, settings),
            (false, _) if *self.seeks(direction) && !input.boundary() => Step::Resync,
            (false, _) => self.framed(direction, input, settings),
        }
    }

    fn is_idle(&self, _direction: Direction) -> bool {
        true
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        let Frame(message, cut) = frame;
        if message.is_response {
            self.pairing.answer(direction, *message, extent, cut, scene);
        } else {
            self.asks.get_or_insert(direction);
            self.pairing.ask(direction, *message, extent, cut, scene);
        }
    }

    fn missed(&mut self, direction: Direction, _scene: &mut Scene<'_>) {
        *self.seeks(direction) = true;
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.pairing.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.pairing.finish(ending, now, scene);
    }

    fn asks(&self) -> Option<Direction> {
        self.asks
    }
}

impl Dns {
    const fn seeks(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::Received => &mut self.seeks_received,
            Direction::Sent => &mut self.seeks_sent,
        }
    }

    /// One call, and what was not copied of it.
    fn datagram(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let call = input.call();
        let whole = call.len() < input.bytes().len() || input.cut().is_none();
        let length = if whole { call.len() as u64 } else { input.available() };
        match message::read(call).filter(|message| message.is_sound && (message.is_exact || !whole)) {
            Some(message) => self.found(message, !whole, length),
            None => self.stray(Step::Skip(length), settings),
        }
    }

    /// A message of a stream, behind its length (RFC 1035 section 4.2.2).
    fn framed(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let mut cursor = Cursor::new(input.bytes());
        let Some(length) = cursor.u16_be() else { return Step::NeedMore };
        let (bytes, whole) = match cursor.take(length.into()) {
            Some(bytes) => (bytes, true),
            None if input.cut().is_none() => return Step::NeedMore,
            None => (cursor.rest(), false),
        };
        match message::read(bytes).filter(|message| message.is_sound) {
            Some(message) => {
                *self.seeks(direction) = false;
                self.found(message, !whole, u64::from(length) + 2)
            }
            None => self.stray(Step::Resync, settings),
        }
    }

    fn found(&mut self, message: Message, cut: bool, length: u64) -> Step<Frame> {
        self.strays = 0;
        Step::Frame(Frame(Box::new(message), cut), length)
    }

    /// No message where one should be.
    fn stray(&mut self, step: Step<Frame>, settings: &Settings) -> Step<Frame> {
        self.strays += 1;
        if self.strays > settings.max_strays { Step::GiveUp } else { step }
    }
}

fn is_datagrams(facts: &Facts) -> bool {
    facts.socket.transport == Transport::Udp
}

fn is_multicast(facts: &Facts) -> bool {
    let port = |address: Address| if let Address::Inet(address) = address { address.port() } else { 0 };
    port(facts.socket.local) == MULTICAST || port(facts.socket.peer) == MULTICAST
}

fn look(bytes: &[u8], facts: &Facts) -> Detection {
    if bytes.is_empty() {
        return Detection::NotForUs;
    }
    let body = if is_datagrams(facts) {
        Some(bytes)
    } else {
        let mut cursor = Cursor::new(bytes);
        match cursor.u16_be().map(usize::from) {
            None => None,
            Some(length) if length <= message::HEADER => return Detection::NotForUs,
            Some(length) => match cursor.take(length) {
                Some(body) => Some(body),
                None if may_begin(cursor.rest()) => None,
                None => return Detection::NotForUs,
            },
        }
    };
    match body.map(message::read) {
        None => Detection::Unsure,
        Some(Some(message)) if is_certain(&message) => Detection::Certain,
        Some(_) => Detection::NotForUs,
    }
}

/// Could a message begin so? Flags and counts are told by the first bytes. Only a response has a code (RFC 1035 section
/// 4.1.1): the hello of a TLS client, of 256 to 511 bytes as most are, differs from a question in nothing else.
fn may_begin(bytes: &[u8]) -> bool {
    let zero = |at: usize| bytes.get(at).is_none_or(|byte| *byte == 0);
    let asks = bytes.get(2).is_some_and(|flags| flags & 0x80 == 0);
    let flags = bytes.get(3).is_none_or(|flags| flags & 0x40 == 0 && !(asks && flags & 0x0f != 0));
    let operation = bytes.get(2).is_none_or(|flags| flags & 0x78 == 0);
    flags && operation && zero(4) && bytes.get(5).is_none_or(|count| *count == 1)
}

fn is_certain(message: &Message) -> bool {
    let asked = |question: &message::Question| {
        matches!(question.class, 1 | 3 | 4 | 255) && (codes::is_known(question.kind) || message.is_response)
    };
    message.is_sound
        && message.is_exact
        && message.opcode == 0
        && message.question.as_ref().is_some_and(asked)
}
