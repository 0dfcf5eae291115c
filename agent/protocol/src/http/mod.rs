//! HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112), both roles. Comes in: bytes of both directions. Goes out: exchanges.
//! Refuses: to look at bodies: declared ones are passed over by their length, chunked ones from size to size, and
//! where sizes were not captured the end is found at the end of a call or the next head that begins one.

pub(crate) mod about;
mod chunk;
pub(crate) mod closing;
pub(crate) mod fields;
pub(crate) mod head;
pub(crate) mod legacy;
pub(crate) mod message;
mod pairing;
mod start;

use message::{Framing, Repeated, Request, Response, Verb};
use pairing::{Number, Pairing, Taken};
use start::{Start, start};

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Role},
    facts, grpc,
    protocol::{Detection, Extent, Input, Legacy, Protocol, Scene, Sight, Step, Successor},
    settings::Settings,
    stream::Gap,
};

/// HTTP/1 on one connection.
pub struct Http {
    /// Which way requests travel.
    asks: Direction,
    received: Side,
    sent: Side,
    pairing: Pairing,
    repeated: Repeated,
    /// Was the connection seen from its first byte? Then bytes that do not fit mean that it is not HTTP.
    fresh: bool,
    /// Calls in a row that should have been heads.
    strays: u16,
    /// The connection goes on in another protocol.
    successor: Option<Successor>,
}

/// What is found in the bytes.
pub enum Frame {
    /// A request's head.
    Request(RequestHead),
    /// A response's head.
    Response(ResponseHead),
    /// The body is over; its length, where it is known.
    End(Option<u64>),
}

/// A request's head, read.
pub struct RequestHead(Box<Request>);

/// A response's head, read.
pub struct ResponseHead(Response);

/// One direction.
#[derive(Default)]
struct Side {
    state: State,
    /// Bytes of an incomplete head that were searched for its end.
    scanned: usize,
    /// The request that the message under way is, or answers.
    message: Option<Number>,
    /// Payload bytes of a chunked body so far.
    body: u64,
    /// Was a head seen, with nothing lost or left over since?
    synced: bool,
    /// May the bytes passed over last have held a head?
    blind: bool,
    /// The body is one of gRPC-Web, and may end with trailers.
    web: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A message begins here.
    #[default]
    Head,
    /// A message begins with one of the next calls.
    Search,
    /// A body of this length begins here.
    Length(u64),
    /// So much of a gRPC-Web body, or of a chunk of it, begins here.
    Web { left: u64, chunked: bool },
    /// A body ended here.
    Over(Option<u64>),
    /// A chunk begins here; behind the first one, the line end of the one before comes first.
    Chunk { first: bool },
    /// The trailer section begins here.
    Trailer,
    /// Somewhere in a message whose end is not known, except that it has so many bytes more at least.
    Adrift { chunked: bool, due: Option<u64> },
    /// The body ends with the connection.
    UntilEnd,
    /// Behind a request that may hand the connection over: nothing is read until its answer is there.
    Gate(Number),
}

impl Protocol for Http {
    type Frame = Frame;

    const NAME: &'static str = "http";
    const POLICY: Policy = Policy::Heads;

    fn detect(sight: &Sight<'_>, settings: &Settings) -> Detection {
        let sides = [sight.received, sight.sent].map(|front| {
            let bytes = front.bytes.get(..settings.max_head).unwrap_or(front.bytes);
            match start(unblank(bytes)) {
                _ if front.bytes.is_empty() => Detection::NotForUs,
                Start::Request | Start::Response => Detection::Certain,
                Start::Partial | Start::PartialRequest => Detection::Unsure,
                Start::Nothing => Detection::NotForUs,
            }
        });
        match sides {
            [Detection::Certain, _] | [_, Detection::Certain] => Detection::Certain,
            [Detection::Unsure, _] | [_, Detection::Unsure] => Detection::Unsure,
            _ => Detection::NotForUs,
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let asks = match (start(unblank(sight.received.bytes)), start(unblank(sight.sent.bytes))) {
            (Start::Request, _) | (_, Start::Response) => Direction::Received,
            (_, Start::Request) | (Start::Response, _) => Direction::Sent,
            (Start::PartialRequest, _) => Direction::Received,
            _ => Direction::Sent,
        };
        Self {
            asks,
            received: Side::at(State::Search),
            sent: Side::at(State::Search),
            pairing: Pairing::new(sight.lost > 0),
            repeated: Repeated::default(),
            fresh: sight.facts.side != facts::Side::Unknown && sight.lost == 0,
            strays: 0,
            successor: None,
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        if let Some(successor) = self.successor.take() {
            return Step::HandOver(successor);
        }
        let state = self.side(direction).state;
        match state {
            State::Head | State::Search => self.head(direction, input, settings),
            State::Length(length) if length <= input.available() => {
                self.over(direction, Some(length), length)
            }
            State::Length(length) => {
                self.side(direction).state = State::Over(Some(length));
                Step::Skip(length)
            }
            State::Web { left, chunked } => self.web(direction, input, left, chunked, settings),
            State::Over(body) => self.over(direction, body, 0),
            State::Chunk { first } => self.chunk(direction, input, first),
            State::Trailer => self.trailer(direction, input),
            State::Adrift { chunked, due } => self.adrift(direction, input, chunked, due),
            State::UntilEnd => until_end(input),
            State::Gate(number) if self.pairing.oldest() > number => {
                self.side(direction).state = State::Head;
                self.head(direction, input, settings)
            }
            State::Gate(_) => Step::Wait,
        }
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        match frame {
            Frame::Request(request) => self.ask(direction, request.0, extent, scene),
            Frame::Response(response) => self.answer(direction, response.0, extent, scene),
            Frame::End(body) => {
                self.passed(direction, extent);
                self.end(direction, body, scene);
            }
        }
    }

    fn is_idle(&self, direction: Direction) -> bool {
        let side = if direction == Direction::Received { &self.received } else { &self.sent };
        self.successor.is_none() && matches!(side.state, State::Head | State::Search | State::UntilEnd)
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let answers = direction != self.asks;
        if let State::Adrift { due: Some(due), .. } = &mut self.side(direction).state {
            *due = due.saturating_sub(extent.bytes);
        }
        if let (Some(number), true) = (self.side(direction).message, extent.bytes > 0) {
            self.pairing.extend(number, answers, extent);
        }
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        let side = self.side(direction);
        let blind = std::mem::take(&mut side.blind);
        *side = Side::at(State::Search);
        match (blind, direction == self.asks) {
            (false, _) => {}
            (true, true) => self.pairing.miss_requests(),
            (true, false) => self.pairing.miss_responses(scene),
        }
    }

    fn ended(&mut self, direction: Direction, ending: Ending, scene: &mut Scene<'_>) {
        if direction != self.asks && ending == Ending::Closed {
            self.pairing.complete_at_end(scene);
        }
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.pairing.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.pairing.finish(ending, now, scene);
    }

    fn bequeath(&mut self) -> Option<Legacy> {
        self.pairing.bequeath()
    }

    fn asks(&self) -> Option<Direction> {
        Some(self.asks)
    }
}

/// Longest trailers of a gRPC-Web body that are read, with what stands before them, bytes.
const MAX_TRAILERS: u64 = 4096;

/// Longest line of chunk size with extensions, bytes.
const MAX_CHUNK_LINE: usize = 4096;

impl Side {
    fn at(state: State) -> Self {
        Self { state, ..Self::default() }
    }
}

impl Http {
    const fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    const fn role(&self) -> Role {
        match self.asks {
            Direction::Received => Role::Server,
            Direction::Sent => Role::Client,
        }
    }

    /// A message's head, or what stands in its place.
    fn head(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let blank = bytes.len() - unblank(bytes).len();
        match (self.side(direction).state, bytes.first()) {
            (_, None) if input.cut().is_none() => return Step::NeedMore,
            (State::Search, Some(_)) if !input.boundary() => {
                return self.stray(direction, input, false, settings);
            }
            (_, Some(_)) if blank > 0 => {
                self.side(direction).state = State::Head;
                return Step::Skip(blank as u64);
            }
            _ => {}
        }
        let expected = if direction == self.asks { Start::Request } else { Start::Response };
        let stop = input.cut().is_some() || bytes.len() >= settings.max_head;
        match start(bytes) {
            found if found == expected => self.message(direction, bytes, stop, settings),
            Start::PartialRequest if expected == Start::Request && stop => {
                self.message(direction, bytes, stop, settings)
            }
            Start::Partial | Start::PartialRequest if !stop => Step::NeedMore,
            _ => self.stray(direction, input, true, settings),
        }
    }

    fn message(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        stop: bool,
        settings: &Settings,
    ) -> Step<Frame> {
        let bytes = bytes.get(..settings.max_head).unwrap_or(bytes);
        let scanned = self.side(direction).scanned;
        // Most heads come whole: their end is found in reading them. One that came in parts is searched for its end first, so
        // that it is read twice at most.
        let found = if scanned > 0 && !stop && head::end(bytes, scanned).is_none() {
            None
        } else if direction == self.asks {
            message::request(bytes, stop, self.role(), &mut self.repeated, settings)
                .map(|(request, length)| (Frame::Request(RequestHead(request)), length))
        } else {
            message::response(bytes, stop, settings)
                .map(|(response, length)| (Frame::Response(ResponseHead(response)), length))
        };
        let Some((frame, length)) = found else {
            self.side(direction).scanned = bytes.len().saturating_sub(3);
            return Step::NeedMore;
        };
        self.strays = 0;
        *self.side(direction) = Side { synced: true, ..Side::default() };
        Step::Frame(frame, length as u64)
    }

    /// No head where one should be. Heads may have gone by where bytes are missing, or where the last message did
    /// not end where it seemed to.
    fn stray(
        &mut self,
        direction: Direction,
        input: &Input<'_>,
        counts: bool,
        settings: &Settings,
    ) -> Step<Frame> {
        let gap = input.cut().is_some_and(|(gap, _)| gap != Gap::NotCopied || input.bytes().is_empty());
        let side = self.side(direction);
        side.blind |= side.synced || gap;
        self.strays += u16::from(counts);
        if self.strays > settings.max_strays || (counts && !gap && self.mistaken(direction, input)) {
            return Step::GiveUp;
        }
        Step::Resync
    }

    /// Do bytes that are no head mean that this is not HTTP? On a new connection, and in answer to a request, they
    /// do; else they may be the rest of an older message.
    fn mistaken(&mut self, direction: Direction, input: &Input<'_>) -> bool {
        let answers = direction != self.asks && self.pairing.awaits(input.mark(0).time);
        (self.fresh || answers) && !self.side(direction).synced && !self.side(direction).blind
    }

    fn over(&mut self, direction: Direction, body: Option<u64>, length: u64) -> Step<Frame> {
        self.side(direction).state = State::Head;
        Step::Frame(Frame::End(body), length)
    }

    fn chunk(&mut self, direction: Direction, input: &Input<'_>, first: bool) -> Step<Frame> {
        match chunk::line(input.bytes(), first) {
            chunk::Line::Size(0, length) => {
                self.side(direction).state = State::Trailer;
                Step::Skip(length as u64)
            }
            chunk::Line::Size(size, length) => {
                let side = self.side(direction);
                side.body += size;
                if side.web {
                    side.state = State::Web { left: size, chunked: true };
                    return Step::Skip(length as u64);
                }
                side.state = State::Chunk { first: false };
                Step::Skip(size + length as u64)
            }
            chunk::Line::Partial if input.cut().is_none() && input.bytes().len() <= MAX_CHUNK_LINE => {
                Step::NeedMore
            }
            chunk::Line::Partial | chunk::Line::Invalid => self.lose_way(direction, input),
        }
    }

    /// Of a gRPC-Web body the trailers at its end, or at that of a chunk, are read; the rest is passed over.
    fn web(
        &mut self,
        direction: Direction,
        input: &Input<'_>,
        left: u64,
        chunked: bool,
        settings: &Settings,
    ) -> Step<Frame> {
        let side = self.side(direction);
        let (message, body) = (side.message, side.body);
        let (far, there) = (left.saturating_sub(MAX_TRAILERS), input.bytes().len() as u64);
        if far > 0 || there < left {
            if far == 0 && input.cut().is_none() {
                return Step::NeedMore;
            }
            let passed = if far > 0 { far } else { input.available().min(left) };
            side.state = State::Web { left: left - passed, chunked };
            return Step::Skip(passed);
        }
        let end = usize::try_from(left).ok().and_then(|left| input.bytes().get(..left));
        if let Some((number, lines)) = message.zip(end.and_then(grpc::web_trailers)) {
            self.pairing.note_web(number, lines, settings);
        }
        match (chunked, left) {
            (false, _) => self.over(direction, Some(body), left),
            (true, 0) => self.chunk(direction, input, false),
            (true, _) => {
                self.side(direction).state = State::Chunk { first: false };
                Step::Skip(left)
            }
        }
    }

    fn trailer(&mut self, direction: Direction, input: &Input<'_>) -> Step<Frame> {
        let bytes = input.bytes();
        let end = match bytes {
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            _ => head::end(bytes, 0),
        };
        match end {
            Some(length) => {
                let body = self.side(direction).body;
                self.over(direction, Some(body), length as u64)
            }
            None if input.cut().is_none() && bytes.len() <= MAX_CHUNK_LINE => Step::NeedMore,
            None => self.lose_way(direction, input),
        }
    }

    /// Sizes of chunks are missing: the end has to be found otherwise.
    fn lose_way(&mut self, direction: Direction, input: &Input<'_>) -> Step<Frame> {
        self.side(direction).state = State::Adrift { chunked: true, due: None };
        self.adrift(direction, input, true, None)
    }

    /// Looks for the end of a message at the ends and begins of calls.
    fn adrift(
        &mut self,
        direction: Direction,
        input: &Input<'_>,
        chunked: bool,
        due: Option<u64>,
    ) -> Step<Frame> {
        let bytes = input.bytes();
        match (bytes.is_empty(), input.cut()) {
            (true, None) => return Step::NeedMore,
            (true, Some((Gap::NotCopied, length))) => return Step::Skip(length),
            (true, Some(_)) => {
                self.side(direction).blind = true;
                return Step::Resync;
            }
            (false, _) => {}
        }
        if input.boundary() {
            match self.next_begins(direction, input) {
                Some(true) => return self.over(direction, None, 0),
                Some(false) => {}
                None => return Step::NeedMore,
            }
        }
        let call = input.call();
        let length = call.len() as u64;
        let whole = call.len() < bytes.len() || !matches!(input.cut(), Some((Gap::NotCopied, _)));
        let last_chunk = chunked && (call.ends_with(b"\n0\r\n\r\n") || call == b"0\r\n\r\n");
        if whole && (last_chunk || due.is_some_and(|due| due <= length)) {
            let step = self.over(direction, None, length);
            // A likely end, no certain one: the next head is looked for, not expected.
            *self.side(direction) = Side { synced: false, state: State::Search, ..*self.side(direction) };
            return step;
        }
        Step::Skip(length)
    }

    /// Does the next message begin here? `None` where more bytes would tell.
    fn next_begins(&self, direction: Direction, input: &Input<'_>) -> Option<bool> {
        let expected = if direction == self.asks { Start::Request } else { Start::Response };
        match start(input.bytes()) {
            found if found == expected => Some(true),
            Start::Partial | Start::PartialRequest if input.cut().is_none() && input.end().is_none() => None,
            Start::PartialRequest => Some(direction == self.asks),
            _ => Some(false),
        }
    }

    fn ask(&mut self, direction: Direction, request: Box<Request>, extent: &Extent, scene: &mut Scene<'_>) {
        let framing = request.framing;
        let gate = request.verb == Verb::Connect || request.upgrade;
        let number = self.pairing.ask(request, self.role(), extent, scene);
        let side = self.side(direction);
        side.message = Some(number);
        side.state = match framing {
            Framing::None | Framing::UntilEnd if gate => State::Gate(number),
            framing => body(framing),
        };
    }

    fn answer(&mut self, direction: Direction, response: Response, extent: &Extent, scene: &mut Scene<'_>) {
        let (token, web) = (response.upgrade.clone(), response.web);
        let taken = self.pairing.answer(response, extent, scene);
        let side = self.side(direction);
        side.message = if let Taken::By(number, _) = taken { Some(number) } else { None };
        match taken {
            Taken::By(_, Framing::Length(length)) if web => {
                (side.body, side.state) = (length, State::Web { left: length, chunked: false });
            }
            Taken::By(_, framing) => (side.web, side.state) = (web, body(framing)),
            Taken::Complete => side.state = State::Head,
            Taken::Orphan => side.state = State::Adrift { chunked: false, due: None },
            Taken::Interim => {}
            Taken::HandOver(Verb::Connect) => self.successor = Some(Successor::Unknown),
            Taken::HandOver(_) => self.successor = Some(Successor::Token(token.unwrap_or_default())),
        }
    }

    fn end(&mut self, direction: Direction, body: Option<u64>, scene: &mut Scene<'_>) {
        let Some(number) = self.side(direction).message.take() else { return };
        if direction == self.asks {
            self.pairing.asked(number, body);
        } else if self.pairing.oldest() == number {
            self.pairing.complete(body, scene);
        }
    }
}

/// What comes behind a head.
const fn body(framing: Framing) -> State {
    match framing {
        Framing::None => State::Head,
        Framing::Length(length) => State::Length(length),
        Framing::Chunked => State::Chunk { first: true },
        Framing::UntilEnd => State::UntilEnd,
        Framing::Unknown(due) => State::Adrift { chunked: false, due },
    }
}

/// Without the empty lines that are to be ignored before a head (RFC 9112 section 2.2).
fn unblank(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    bytes.get(blank..).unwrap_or_default()
}

fn until_end(input: &Input<'_>) -> Step<Frame> {
    match input.available() {
        0 => Step::NeedMore,
        available => Step::Skip(available),
    }
}
