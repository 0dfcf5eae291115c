//! FastCGI (Specification 1.0, 1996), both roles: a web server asks, PHP-FPM or another application answers. Comes in: bytes
//! of both directions. Goes out: an exchange a request, with the attributes of HTTP, whose requests these are. Refuses:
//! bodies, and what an application writes to its STDERR, which are passed over by their lengths.
//!
//! Recognised by the record that begins a request. The kernel copies as much as it can of each call ([`Policy::Full`]):
//! parameters carry every header, cookies among them, and the one that tells of a trace may be the last.

pub(crate) mod about;
mod head;
mod params;
mod record;
mod stream;
mod streams;

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Role},
    footing::{self, Footing},
    http,
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step},
    settings::Settings,
    stream::Front,
};
use record::{HEADER, Header, Kind, Verdict};
use streams::Streams;

/// The registry's name.
const NAME: &str = "fastcgi";

/// FastCGI on one connection.
pub struct Fastcgi {
    /// Which way requests travel.
    asks: Direction,
    received: Lane,
    sent: Lane,
    streams: Streams,
    footing: Footing,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// Is the begin of a record yet to be found?
    seeks: bool,
    /// The request to which bytes belong that are passed over.
    current: Option<u16>,
    /// Bytes of an incomplete record that were searched for a head's end.
    scanned: usize,
}

/// What is found in the bytes.
pub struct Frame {
    id: u16,
    found: Found,
}

enum Found {
    Begin,
    /// Parameters that are kept, and whether that is not all; none: they are complete.
    Params(Vec<u8>, bool),
    ParamsEnd,
    Abort,
    /// Payload, bytes.
    Stdin(u16),
    /// Payload, bytes; what of it may belong to the head, and whether more of that was not kept.
    Stdout(u16, Vec<u8>, bool),
    Stderr(u16),
    End(Verdict),
}

impl Protocol for Fastcgi {
    type Frame = Frame;

    const NAME: &'static str = NAME;
    const POLICY: Policy = Policy::Full;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match (evidence(&sight.received), evidence(&sight.sent)) {
            (Detection::Certain, _) | (_, Detection::Certain) => Detection::Certain,
            (Detection::Unsure, _) | (_, Detection::Unsure) => Detection::Unsure,
            _ => Detection::NotForUs,
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let is_server = evidence(&sight.received) != Detection::NotForUs;
        let asks = if is_server { Direction::Received } else { Direction::Sent };
        let footing = Footing::new(sight);
        let answers = Lane { seeks: !footing.is_fresh(), ..Lane::default() };
        let (received, sent) =
            if is_server { (Lane::default(), answers) } else { (answers, Lane::default()) };
        Self { asks, received, sent, streams: Streams::default(), footing }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        self.lane(direction).current = None;
        if let Some(step) = footing::before(input, true, false) {
            return step;
        }
        if self.lane(direction).seeks {
            self.seek(direction, input, settings)
        } else {
            self.record(direction, input, settings)
        }
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        let Frame { id, found } = frame;
        match found {
            Found::Begin => {
                let role = if direction == Direction::Received { Role::Server } else { Role::Client };
                return self.streams.begin(id, role, extent, scene);
            }
            Found::End(verdict) => return self.streams.end(id, verdict, extent, scene),
            _ => {}
        }
        let Some(stream) = self.streams.get(id) else { return };
        if direction == self.asks {
            stream.extend(false, extent);
        }
        match found {
            Found::Params(piece, cut) => stream.note(&piece, cut),
            Found::ParamsEnd => stream.open(scene),
            Found::Abort => stream.abort(),
            Found::Stdin(length) => stream.take(length),
            Found::Stdout(length, piece, cut) => stream.answer(length, &piece, cut, extent, scene),
            Found::Stderr(length) => stream.complain(length),
            Found::Begin | Found::End(_) => {}
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let answers = direction != self.asks;
        let current = self.lane(direction).current;
        if let Some(stream) = current.and_then(|id| self.streams.get(id)) {
            stream.extend(answers, extent);
        }
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        *self.lane(direction) = Lane { seeks: true, ..Lane::default() };
        self.streams.doubt(direction != self.asks, scene);
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.streams.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.streams.finish(ending, now, scene);
    }

    fn asks(&self) -> Option<Direction> {
        Some(self.asks)
    }
}

impl Fastcgi {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// Looks for a record where a call begins, or for the last ones of a call that answers.
    fn seek(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let asks = direction == self.asks;
        if input.boundary() && bytes.len() < HEADER && input.cut().is_none() {
            return Step::NeedMore;
        }
        if input.boundary() && Header::read(bytes, asks).is_some() {
            self.lane(direction).seeks = false;
            return self.record(direction, input, settings);
        }
        let rest = Some(input.call()).filter(|rest| !asks && rest.len() <= record::MAX_REST);
        match rest.and_then(record::last_records) {
            Some(0) => {
                self.lane(direction).seeks = false;
                self.record(direction, input, settings)
            }
            Some(place) => Step::Skip(place as u64),
            None => Step::Resync,
        }
    }

    /// The record at the front.
    fn record(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let (bytes, cut) = (input.bytes(), input.cut().is_some());
        if bytes.len() < HEADER {
            return if cut { Step::Resync } else { Step::NeedMore };
        }
        let Some(header) = Header::read(bytes, direction == self.asks) else {
            return self.footing.stray(settings);
        };
        let whole = header.whole() as u64;
        let found = match header.kind {
            Kind::Begin | Kind::End if bytes.len() < header.whole() && !cut => return Step::NeedMore,
            Kind::OtherAsk | Kind::OtherAnswer => return Step::Skip(whole),
            Kind::Begin => Some(Found::Begin),
            Kind::Abort => Some(Found::Abort),
            Kind::End => Some(Found::End(Verdict::read(bytes).unwrap_or_default())),
            Kind::Params => self.params(header, input, settings),
            Kind::Stdin => Some(Found::Stdin(header.content)),
            Kind::Stdout => self.stdout(direction, header, input, settings),
            Kind::Stderr => Some(Found::Stderr(header.content)),
        };
        let Some(found) = found else { return Step::NeedMore };
        if header.kind == Kind::Begin {
            self.footing.asked();
        }
        let current = (header.kind != Kind::Stderr).then_some(header.id);
        *self.lane(direction) = Lane { current, ..Lane::default() };
        Step::Frame(Frame { id: header.id, found }, whole)
    }

    /// `None`: more bytes would tell.
    fn params(&mut self, header: Header, input: &Input<'_>, settings: &Settings) -> Option<Found> {
        if header.content == 0 {
            return Some(Found::ParamsEnd);
        }
        let room = self.streams.get(header.id).and_then(|stream| stream.room(settings.max_head));
        let (there, wanted) = content(header, input, room);
        let complete = there.len() == wanted || input.cut().is_some();
        complete.then(|| Found::Params(there.to_vec(), there.len() < header.content.into()))
    }

    /// Of the head its end is enough. `None`: more bytes would tell.
    fn stdout(
        &mut self,
        direction: Direction,
        header: Header,
        input: &Input<'_>,
        settings: &Settings,
    ) -> Option<Found> {
        let room = self.streams.get(header.id).and_then(|stream| stream.head_room(settings.max_head));
        let (there, wanted) = content(header, input, room);
        let lane = self.lane(direction);
        let ends = http::head::end(there, lane.scanned.saturating_sub(3)).is_some();
        lane.scanned = there.len();
        let complete = there.len() == wanted || input.cut().is_some() || ends;
        let short = room.is_some() && there.len() < header.content.into() && !ends;
        complete.then(|| Found::Stdout(header.content, there.to_vec(), short))
    }
}

/// What is there of a record's content, and how much of it is wanted: up to `room` bytes (`None`: nothing).
fn content<'a>(header: Header, input: &Input<'a>, room: Option<usize>) -> (&'a [u8], usize) {
    let wanted = usize::from(header.content).min(room.unwrap_or_default());
    let there = input.bytes().get(HEADER..).unwrap_or_default();
    (there.get(..wanted).unwrap_or(there), wanted)
}

fn evidence(front: &Front<'_>) -> Detection {
    if front.bytes.is_empty() || !front.boundary { Detection::NotForUs } else { record::look(front.bytes) }
}
