//! HTTP/2 in clear text (RFC 9113), both roles, and gRPC upon it. Comes in: bytes of both directions. Goes out: an
//! exchange for each stream that a client opened. Refuses: to look at payload; it is passed over by its length, and
//! where frames were not captured the next one is looked for where a call begins or ends.
//!
//! A connection is recognised by its preface, by HTTP/1's hand-over, or, when it is older than we are, by frames in both
//! directions. Fields that were sent before are not known then, until they are sent again (see [`hpack`]).
//!
//! What a server pushes is passed over: its blocks are read, since the table of fields wants them, but no exchange is
//! made, for no program asked.
//!
//! The kernel copies as much as it can of each call ([`Policy::Full`], 16 KiB), since heads lie anywhere among the
//! frames that a program writes or reads with one call, and one that is missed takes the table of fields with it. What
//! a call has beyond that costs its length.

pub(crate) mod about;
mod frame;
mod hpack;
mod lane;
mod stream;
mod streams;

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Role},
    grpc::Status,
    http::legacy::Upgrade,
    protocol::{Detection, Extent, Input, Legacy, Protocol, Scene, Sight, Step},
    settings::Settings,
};
use frame::{HEADER, Header, PREFACE, Shape, shape};
use lane::{Block, Lane, State};
use streams::Streams;

/// HTTP/2 on one connection.
pub struct Http2 {
    /// Which way requests travel, once it is known.
    asks: Option<Direction>,
    received: Lane,
    sent: Lane,
    streams: Streams,
    /// Calls in a row in which no frame was found.
    strays: u16,
}

/// What is found in the bytes.
pub enum Frame {
    /// The client's preface.
    Preface,
    /// A piece of a header block, which is complete with it.
    Block {
        /// Complete with this piece?
        whole: bool,
    },
    /// Payload of a stream begins: its length, without padding.
    Data(u32, u64),
    /// The stream's last frame of this direction is through.
    End(u32),
    /// A stream is given up; the error code, where it was captured.
    Reset(u32, Option<u32>),
    /// So many bytes went by in which frames were missed.
    Unseen(u64),
    /// Streams above this one are not answered; the error code.
    GoAway(u32, u32),
}

impl Protocol for Http2 {
    type Frame = Frame;

    const NAME: &'static str = "http2";
    const POLICY: Policy = Policy::Full;
    const TOKENS: &'static [&'static str] = &["h2c"];

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        let seen = [sight.received, sight.sent].map(|front| shape(front.bytes));
        match seen {
            [Shape::Preface, _] | [_, Shape::Preface] | [Shape::Frames, Shape::Frames] => Detection::Certain,
            [Shape::Frames, _] | [_, Shape::Frames] => Detection::Unsure,
            _ => {
                let begins = |bytes: &[u8]| !bytes.is_empty() && shape(bytes) == Shape::Partial;
                let any = begins(sight.received.bytes) || begins(sight.sent.bytes);
                if any { Detection::Unsure } else { Detection::NotForUs }
            }
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let preface = |direction: &Direction| shape(sight.of(*direction).bytes) == Shape::Preface;
        let asks = [Direction::Received, Direction::Sent].into_iter().find(preface);
        let whole = asks.is_some() && sight.lost == 0;
        let (received, sent) = lanes(asks, whole);
        Self { asks, received, sent, streams: Streams::default(), strays: 0 }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        if let Some(step) = self.unseen(direction, input) {
            return step;
        }
        let step = match self.lane(direction).state {
            State::Start => self.start(direction, input, settings),
            State::Frame => self.frame(direction, input, settings),
            State::Search => self.search(direction, input, settings),
            State::Payload { .. } => self.payload(direction, input, settings),
        };
        if let Step::Frame(_, length) | Step::Skip(length) = &step {
            self.lane(direction).position = input.offset() + length;
        }
        step
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        let answers = self.answers(direction);
        match frame {
            Frame::Preface => self.asks = Some(direction),
            Frame::Block { whole } => self.block(direction, whole, extent, scene),
            Frame::Data(stream, length) => {
                self.lane(direction).current = Some(stream);
                self.passed(direction, extent);
                if let Some(stream) = self.streams.get(stream) {
                    stream.data(answers, length);
                }
            }
            Frame::End(stream) => self.streams.end(stream, answers, scene),
            Frame::Reset(stream, code) => {
                let name = code.map_or("stream_reset", frame::error_name);
                let status = if answers { Status::of_reset(code.unwrap_or(8)) } else { Status::CANCELLED };
                self.streams.reset(stream, name, status, extent.last.time, scene);
            }
            Frame::GoAway(last, code) if answers => {
                let name = if code == 0 { "refused_stream" } else { frame::error_name(code) };
                self.streams.refuse(last, name, Status::UNAVAILABLE, extent.last.time, scene);
            }
            Frame::GoAway(..) => {}
            Frame::Unseen(bytes) => self.streams.pass_unseen(answers, &Extent { bytes, ..*extent }, scene),
        }
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let answers = self.answers(direction);
        let Some(stream) = self.lane(direction).current else { return };
        if let Some(stream) = self.streams.get(stream) {
            stream.extend(answers, extent);
        }
    }

    fn missed(&mut self, direction: Direction, _scene: &mut Scene<'_>) {
        self.lane(direction).forget();
        // Streams are open only where it is known which way requests travel.
        self.streams.doubt(self.answers(direction));
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        self.streams.expire(now, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        self.streams.finish(ending, now, scene);
    }

    fn inherit(&mut self, legacy: Legacy) {
        let Ok(upgrade) = legacy.downcast::<Upgrade>() else { return };
        self.asks = Some(if upgrade.role == Role::Server { Direction::Received } else { Direction::Sent });
        (self.received, self.sent) = lanes(self.asks, true);
        self.streams.inherit(*upgrade);
    }

    fn asks(&self) -> Option<Direction> {
        self.asks
    }
}

/// Longest trailers of a gRPC-Web body that are read, bytes.
const MAX_TRAILERS: usize = 4096;

impl Http2 {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// Is it the direction of responses?
    fn answers(&self, direction: Direction) -> bool {
        self.asks.is_some_and(|asks| asks != direction)
    }

    /// Bytes went by since the last frame that was understood.
    fn unseen(&mut self, direction: Direction, input: &Input<'_>) -> Option<Step<Frame>> {
        let position = &mut self.lane(direction).position;
        let before = std::mem::replace(position, input.offset());
        let bytes = input.offset().checked_sub(before).filter(|bytes| before > 0 && *bytes > 0)?;
        Some(Step::Frame(Frame::Unseen(bytes), 0))
    }

    /// The first byte that we see of a direction.
    fn start(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        if bytes.starts_with(PREFACE) {
            self.lane(direction).state = State::Frame;
            return Step::Frame(Frame::Preface, PREFACE.len() as u64);
        }
        if PREFACE.starts_with(bytes) && input.cut().is_none() {
            return Step::NeedMore;
        }
        self.lane(direction).state = State::Search;
        self.search(direction, input, settings)
    }

    /// Looks for a frame where a call begins, or for the last ones of a call.
    fn search(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let found = match (input.boundary(), bytes.len() < HEADER && input.cut().is_none()) {
            _ if bytes.is_empty() => {
                return if input.cut().is_some() { Step::Resync } else { Step::NeedMore };
            }
            (true, true) => return Step::NeedMore,
            (true, false) => (shape(bytes) == Shape::Frames).then_some(0),
            (false, _) => {
                Some(input.call()).filter(|rest| rest.len() <= frame::MAX_REST).and_then(frame::last_frames)
            }
        };
        match found {
            Some(place) => {
                self.strays = 0;
                self.lane(direction).state = State::Frame;
                if place > 0 { Step::Skip(place as u64) } else { self.frame(direction, input, settings) }
            }
            None => self.stray(input, settings),
        }
    }

    /// No frame where one should be. Calls that were cut are no wonder, once there is proof that it is HTTP/2.
    fn stray(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let counts = input.boundary() && !(self.streams.proven && input.cut().is_some());
        self.strays += u16::from(counts);
        if self.strays > settings.max_strays { Step::GiveUp } else { Step::Resync }
    }

    fn frame(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        self.lane(direction).current = None;
        let Some(header) = Header::read(bytes) else {
            return if input.cut().is_some() { Step::Resync } else { Step::NeedMore };
        };
        let continues = self.lane(direction).block.is_some_and(|block| block.stream == header.stream);
        if !header.lawful() || (self.lane(direction).block.is_some() && !continues) {
            return self.stray(input, settings);
        }
        match header.kind {
            frame::DATA => self.data(direction, &header, input),
            frame::HEADERS | frame::PUSH_PROMISE | frame::CONTINUATION => {
                self.head(direction, &header, input, settings)
            }
            frame::RST_STREAM | frame::GOAWAY => end(&header, input),
            _ => Step::Skip(header.whole()),
        }
    }

    fn data(&mut self, direction: Direction, header: &Header, input: &Input<'_>) -> Step<Frame> {
        let byte = input.bytes().get(HEADER).copied();
        let padding = match (header.padded(), byte) {
            (false, _) => 0,
            (true, Some(padding)) => u64::from(padding),
            (true, None) if input.cut().is_none() => return Step::NeedMore,
            (true, None) => 0,
        };
        let behind = u64::from(header.padded());
        let length = u64::from(header.length);
        let left = length.saturating_sub(behind + padding);
        let (stream, padding) = (header.stream, length - behind - left);
        self.lane(direction).state = State::Payload { stream, left, padding, ends: header.ends_stream() };
        Step::Frame(Frame::Data(stream, left), HEADER as u64 + behind)
    }

    /// Payload and padding of a DATA frame, then the stream's end if it was the last.
    fn payload(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let State::Payload { stream, left, padding, ends } = self.lane(direction).state else {
            return Step::Resync;
        };
        if left > 0 {
            let Some(passed) = self.watch(direction, stream, left, input, settings) else {
                return Step::NeedMore;
            };
            self.lane(direction).state = State::Payload { stream, left: left - passed, padding, ends };
            return Step::Skip(passed);
        }
        if padding > 0 {
            self.lane(direction).state = State::Payload { stream, left, padding: 0, ends };
            return Step::Skip(padding);
        }
        self.lane(direction).state = State::Frame;
        if ends { Step::Frame(Frame::End(stream), 0) } else { self.frame(direction, input, settings) }
    }

    /// How much of the payload can pass: all, or up to the next message of a call. `None`: more bytes would tell.
    fn watch(
        &mut self,
        direction: Direction,
        id: u32,
        left: u64,
        input: &Input<'_>,
        settings: &Settings,
    ) -> Option<u64> {
        let answers = self.answers(direction);
        let Some(messages) = self.streams.messages(id, answers) else { return Some(left) };
        let fits = usize::try_from(left).unwrap_or(usize::MAX).min(input.bytes().len());
        let bytes = input.bytes().get(..fits).unwrap_or_default();
        if let Some(trailers) = messages.trailers() {
            return self.trailers(id, trailers, left, bytes, input, settings);
        }
        let taken = messages.feed(bytes) as u64;
        let whole = taken == bytes.len() as u64 && messages.trailers().is_none();
        let blind = if whole { messages.blind().min(left - taken) } else { 0 };
        messages.pass(blind);
        match (taken + blind, input.cut()) {
            (0, None) => None,
            (0, Some(_)) => {
                messages.lose();
                Some(left)
            }
            (passed, _) => Some(passed),
        }
    }

    /// The trailers that end a gRPC-Web body.
    fn trailers(
        &mut self,
        id: u32,
        length: usize,
        left: u64,
        bytes: &[u8],
        input: &Input<'_>,
        settings: &Settings,
    ) -> Option<u64> {
        let readable = length as u64 <= left && length <= MAX_TRAILERS;
        if readable && bytes.len() < length && input.cut().is_none() {
            return None;
        }
        let call = self.streams.get(id)?.call().as_mut()?;
        if let Some(lines) = bytes.get(..length).filter(|_| readable) {
            call.told.note_web(lines, settings);
        }
        call.answered
            .iter_mut()
            .chain(&mut call.asked)
            .for_each(|messages| messages.pass(left.min(messages.blind())));
        Some(left)
    }

    /// A frame with a piece of a header block. What the kernel did not copy of it is passed over by its length.
    fn head(
        &mut self,
        direction: Direction,
        header: &Header,
        input: &Input<'_>,
        settings: &Settings,
    ) -> Step<Frame> {
        let bytes = input.bytes();
        let whole = usize::try_from(header.whole()).unwrap_or(usize::MAX);
        let short = bytes.len() < whole;
        if short && input.cut().is_none() && bytes.len() < settings.max_head.max(64) + HEADER {
            return Step::NeedMore;
        }
        let lane = self.lane(direction);
        let (kind, first) = (header.kind, header.kind != frame::CONTINUATION);
        if first {
            lane.block = Some(Block::of(header, kind == frame::PUSH_PROMISE));
        }
        if lane.block.is_none() {
            return Step::Skip(header.whole());
        }
        let before = usize::from(header.padded()) + header.before_block();
        let padding = bytes.get(HEADER).copied().filter(|_| header.padded()).map_or(0, usize::from);
        let end = whole.min(bytes.len()).saturating_sub(if short { 0 } else { padding });
        let piece = bytes.get(HEADER + before..end).unwrap_or_default();
        lane.piece(piece, short, header.ends_block(), settings.max_head);
        Step::Frame(Frame::Block { whole: header.ends_block() }, header.whole())
    }

    /// A piece of a header block. With the last one it is a request, a response or trailers.
    fn block(&mut self, direction: Direction, whole: bool, extent: &Extent, scene: &mut Scene<'_>) {
        let lane = self.lane(direction);
        let Some(mut block) = lane.block.take() else { return };
        let extent = block.extend(extent);
        if !whole {
            lane.block = Some(block);
            return;
        }
        lane.current = Some(block.stream);
        if block.promise {
            return;
        }
        self.learn(direction);
        let Some(asks) = self.asks else { return };
        let (streams, fields) = match direction {
            Direction::Received => (&mut self.streams, &self.received.fields),
            Direction::Sent => (&mut self.streams, &self.sent.fields),
        };
        if direction == asks {
            let role = if asks == Direction::Received { Role::Server } else { Role::Client };
            streams.ask(block.stream, block.ends, role, fields, &extent, scene);
        } else {
            streams.answer(block.stream, fields, &extent, scene);
            if block.ends {
                streams.end(block.stream, true, scene);
            }
        }
    }

    /// Which way requests travel, where no preface has told: as the pseudo-header fields say.
    fn learn(&mut self, direction: Direction) {
        let fields = &self.lane(direction).fields;
        let has = |name: &[u8]| fields.get(name).is_some();
        let asks = match (has(b":status"), has(b":method") || has(b":path") || has(b":scheme")) {
            (true, false) => Some(direction.reverse()),
            (false, true) => Some(direction),
            _ => None,
        };
        self.asks = self.asks.or(asks);
    }
}

/// Both directions. Of a connection seen from its first byte, the client's begins with the preface and the other with
/// a frame.
fn lanes(asks: Option<Direction>, whole: bool) -> (Lane, Lane) {
    let lane = |direction| {
        let begins = whole && asks != Some(direction);
        Lane::new(whole, if begins { State::Frame } else { State::Start })
    };
    (lane(Direction::Received), lane(Direction::Sent))
}

/// A frame that ends a stream, or all of them.
fn end(header: &Header, input: &Input<'_>) -> Step<Frame> {
    let number = |place: usize| {
        let bytes = input.bytes().get(HEADER + place..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let read = if header.kind == frame::GOAWAY { number(0).zip(number(4)) } else { number(0).zip(Some(0)) };
    match read {
        None if input.cut().is_none() => Step::NeedMore,
        None if header.kind == frame::GOAWAY => Step::Skip(header.whole()),
        Some((last, code)) if header.kind == frame::GOAWAY => {
            Step::Frame(Frame::GoAway(last & (u32::MAX >> 1), code), header.whole())
        }
        read => Step::Frame(Frame::Reset(header.stream, read.map(|(code, _)| code)), header.whole()),
    }
}
