//! Comes in: a conversation as a list of calls. Goes out: what a [`Session`] says of it, and the three properties that
//! every parser holds, as functions that panic where one is broken. For tests and fuzz targets only.

use std::{
    cell::Cell,
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
};

use crate::{
    Session, Settings,
    cursor::Cursor,
    event::{Address, Cookie, Direction, Nanos, Socket, Task, Transport},
    exchange::{Ending, Exchange, Message, Output},
    facts::{Facts, Side},
    registry::Entry,
    stream::{Front, Gap, Mark, Next, Stream},
};

/// One call, as the kernel would tell it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which way.
    pub direction: Direction,
    /// When, ns.
    pub time: u64,
    /// Pieces in stream order.
    pub parts: Vec<Part>,
}

/// A piece of a call.
#[derive(Clone, Debug)]
pub enum Part {
    /// Captured.
    Bytes(Vec<u8>),
    /// Not there.
    Gap(Gap, u64),
}

/// A call whose bytes were all captured. The time is set by [`talk`].
#[must_use]
pub fn call(direction: Direction, bytes: impl AsRef<[u8]>) -> Call {
    Call { direction, time: 0, parts: vec![Part::Bytes(bytes.as_ref().to_vec())] }
}

/// What the program read.
#[must_use]
pub fn received(bytes: impl AsRef<[u8]>) -> Call {
    call(Direction::Received, bytes)
}

/// What the program wrote.
#[must_use]
pub fn sent(bytes: impl AsRef<[u8]>) -> Call {
    call(Direction::Sent, bytes)
}

impl Call {
    /// With `length` bytes behind that are not there.
    #[must_use]
    pub fn gap(mut self, gap: Gap, length: u64) -> Self {
        self.parts.push(Part::Gap(gap, length));
        self
    }

    /// With captured bytes behind.
    #[must_use]
    pub fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.parts.push(Part::Bytes(bytes.as_ref().to_vec()));
        self
    }
}

/// Reads a recorded conversation, seen from `side`: a line for each call, `> ` before what the client wrote, `< ` before
/// what the server wrote, then the bytes, with `\0`, `\n`, `\r`, `\\` and `\xHH` for those that are no text.
///
/// # Panics
/// Where a line has another form.
#[must_use]
pub fn recorded(text: &str, side: Side) -> Vec<Call> {
    let calls = text.lines().map(|line| {
        let (who, bytes) = line.split_once(' ').expect("a line says who speaks");
        let client = match who {
            ">" => true,
            "<" => false,
            other => panic!("`{other}` is neither `>` nor `<`"),
        };
        let sent = client == (side == Side::Client);
        call(if sent { Direction::Sent } else { Direction::Received }, unescaped(bytes))
    });
    talk(calls.collect())
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut letters = text.chars();
    let mut bytes = Vec::new();
    while let Some(letter) = letters.next() {
        let byte = match (letter, letter == '\\') {
            (letter, false) => u32::from(letter),
            _ => match letters.next() {
                Some('0') => 0,
                Some('n') => 10,
                Some('r') => 13,
                Some('\\') => 92,
                Some('x') => {
                    let digits: String = letters.by_ref().take(2).collect();
                    u32::from_str_radix(&digits, 16).expect("two hexadecimal digits")
                }
                other => panic!("`{other:?}` escapes nothing"),
            },
        };
        bytes.push(u8::try_from(byte).expect("a byte"));
    }
    bytes
}

/// A second apart: as a client that waits does.
pub const STEP: u64 = 1_000_000_000;

/// Gives the calls times, [`STEP`] apart, the first at 1 s.
#[must_use]
pub fn talk(mut calls: Vec<Call>) -> Vec<Call> {
    for (place, call) in calls.iter_mut().enumerate() {
        call.time = (place as u64 + 1) * STEP;
    }
    calls
}

/// Reads calls from random bytes: a byte that says what comes, one for its length, then the bytes themselves. For
/// fuzz targets, whose corpus so stays readable.
#[must_use]
pub fn calls_from(bytes: &[u8]) -> Vec<Call> {
    let mut cursor = Cursor::new(bytes);
    let mut calls: Vec<Call> = Vec::new();
    while let Some((kind, length)) = cursor.u8().zip(cursor.u8()) {
        let bytes = cursor.take(length.into()).unwrap_or(cursor.rest());
        let direction = if kind & 1 == 0 { Direction::Received } else { Direction::Sent };
        let call = call(direction, bytes);
        calls.push(match kind >> 1 & 7 {
            1 => call.gap(Gap::NotCopied, u64::from(kind) << (length % 32)),
            2 => call.gap(Gap::Lost, length.into()),
            3 => call.gap(Gap::IoUring, length.into()),
            4 => call.gap(Gap::NotCopied, length.into()).then("\r\n0\r\n\r\n"),
            _ => call,
        });
    }
    talk(calls)
}

/// Bytes up to a gap, and the gap.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    place: usize,
    gap: Option<(Gap, u64)>,
}

/// A stream of plain bytes in memory.
pub struct Plain {
    offset: u64,
    runs: VecDeque<Run>,
    /// Begin of each piece, where it came from, and whether a call began there.
    marks: Vec<(u64, Mark, bool)>,
    end: Next,
    written: u64,
    lost: u64,
    looks: Cell<u64>,
}

impl Plain {
    /// Empty; its first byte will have this stream offset.
    #[must_use]
    pub fn at(offset: u64) -> Self {
        let (runs, marks) = (VecDeque::from([Run::default()]), Vec::new());
        Self { offset, runs, marks, end: Next::More, written: offset, lost: 0, looks: Cell::new(0) }
    }

    /// Appends a call.
    pub fn push(&mut self, call: &Call) {
        let task = Task { pid: 7, tid: 7, key: 7, rests: 0, next: None };
        let mark = Mark { time: Nanos(call.time), task };
        self.marks.push((self.written, mark, true));
        for part in &call.parts {
            self.append(part);
        }
    }

    fn append(&mut self, part: &Part) {
        if self.runs.back().is_none_or(|run| run.gap.is_some()) {
            self.runs.push_back(Run::default());
        }
        let Some(run) = self.runs.back_mut() else { return };
        match part {
            Part::Bytes(bytes) => {
                run.bytes.extend_from_slice(bytes);
                self.written += bytes.len() as u64;
            }
            Part::Gap(gap, length) => {
                run.gap = (*length > 0).then_some((*gap, *length));
                self.written += length;
                self.lost += if *gap == Gap::Lost { *length } else { 0 };
            }
        }
    }

    /// Nothing follows.
    pub const fn end(&mut self, end: Next) {
        self.end = end;
    }

    /// How often somebody looked at it or asked for a mark: a measure of work.
    #[must_use]
    pub const fn looks(&self) -> u64 {
        self.looks.get()
    }
}

impl Stream for Plain {
    fn front(&self) -> Front<'_> {
        self.looks.set(self.looks.get() + 1);
        let run = self.runs.front();
        let bytes = run.and_then(|run| run.bytes.get(run.place..)).unwrap_or_default();
        let next = match run.and_then(|run| run.gap) {
            Some((gap, length)) => Next::Gap(gap, length),
            None => self.end,
        };
        let place = self.marks.partition_point(|mark| mark.0 < self.offset);
        let boundary = self.marks.get(place).is_some_and(|mark| mark.0 == self.offset);
        Front { offset: self.offset, bytes, next, boundary }
    }

    fn consume(&mut self, count: u64) {
        let mut left = count;
        self.offset += count;
        while let Some(run) = self.runs.front_mut() {
            let bytes = left.min((run.bytes.len() - run.place) as u64);
            run.place += bytes as usize;
            left -= bytes;
            if let (true, Some((_, length))) = (run.place == run.bytes.len(), &mut run.gap) {
                let passed = left.min(*length);
                *length -= passed;
                left -= passed;
                if *length > 0 {
                    break;
                }
            } else {
                break;
            }
            self.runs.pop_front();
        }
        assert_eq!(left, 0, "nobody passes over bytes that are not there yet");
    }

    fn mark(&self, offset: u64) -> Mark {
        self.looks.set(self.looks.get() + 1);
        let place = self.marks.partition_point(|mark| mark.0 <= offset);
        let mark = self.marks.get(place.saturating_sub(1)).map(|mark| mark.1);
        mark.unwrap_or(Mark { time: Nanos(0), task: Task::default() })
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

/// A TCP connection from 10.0.0.1:40000 to 10.0.0.2:8080, seen from `side`.
#[must_use]
pub fn facts(side: Side) -> Facts {
    let address = |last, port| Address::Inet(SocketAddr::from((Ipv4Addr::new(10, 0, 0, last), port)));
    let (client, server) = (address(1, 40_000), address(2, 8080));
    let (local, peer) = if side == Side::Client { (client, server) } else { (server, client) };
    let cookie = Cookie(1);
    let socket = Socket { cookie, netns: 1, transport: Transport::Tcp, local, peer };
    let (task, opened) = (Task { pid: 7, tid: 7, key: 7, rests: 0, next: None }, Nanos(1));
    Facts { socket, side, task, cgroup: 1, opened, rtt_us: 0, retransmits: 0, io_uring: false }
}

/// A connection and the session that follows it.
pub struct Bench {
    /// Bounds.
    pub settings: Settings,
    /// The connection.
    pub facts: Facts,
    /// The session.
    pub session: Session,
    /// What the program reads; begins at offset 1000.
    pub received: Plain,
    /// What the program writes; begins at offset 5000.
    pub sent: Plain,
    /// What the session said.
    pub out: Vec<Output>,
}

impl Bench {
    /// A new connection.
    #[must_use]
    pub fn new(registry: &'static [Entry], side: Side) -> Self {
        Self {
            settings: Settings::default(),
            facts: facts(side),
            session: Session::with(registry),
            received: Plain::at(1000),
            sent: Plain::at(5000),
            out: Vec::new(),
        }
    }

    /// Appends a call without reading it.
    pub fn push(&mut self, call: &Call) {
        match call.direction {
            Direction::Received => self.received.push(call),
            Direction::Sent => self.sent.push(call),
        }
    }

    /// Reads what can be read.
    pub fn advance(&mut self) {
        let Self { settings, facts, session, received, sent, out } = self;
        session.advance(settings, facts, received, sent, out);
    }

    /// Appends each call and reads it.
    pub fn play(&mut self, calls: &[Call]) -> &mut Self {
        for call in calls {
            self.push(call);
            self.advance();
        }
        self
    }

    /// Time has passed.
    pub fn tick(&mut self, now: u64) -> &mut Self {
        self.session.tick(&self.settings, &self.facts, Nanos(now), &mut self.out);
        self
    }

    /// The connection is over.
    pub fn finish(&mut self, ending: Ending, now: u64) -> &mut Self {
        let next = if let Ending::Broken(errno) = ending { Next::Broken(errno) } else { Next::End };
        self.received.end(next);
        self.sent.end(next);
        self.advance();
        self.session.finish(&self.settings, &self.facts, ending, Nanos(now), &mut self.out);
        self
    }

    /// Exchanges that ended.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.out.iter().filter_map(|output| match output {
            Output::Closed(exchange) => Some(exchange.as_ref()),
            _ => None,
        })
    }
}

/// What of the output does not depend on when it was read.
fn essence(out: &[Output]) -> Vec<String> {
    let message = |message: &Message| {
        let Message { offset, bytes, body, missing, truncated, .. } = message;
        format!("{offset}+{bytes} body {body:?} missing {missing} truncated {truncated}")
    };
    let mut lines: Vec<_> = out.iter().map(|output| match output {
        Output::Opened(opening) => format!("opened {:?} {:?}", opening.key, opening.carrier),
        Output::Resumed(resumption) => format!("resumed {:?}", resumption.key),
        Output::Answering(resumption) => format!("answering {:?}", resumption.key),
        Output::Withdrawn(key) => format!("withdrawn {key:?}"),
        Output::Closed(exchange) => {
            let Exchange { key, role, ending, method, target, outcome, attributes, .. } = exchange.as_ref();
            let request = message(&exchange.request);
            let response = exchange.response.as_ref().map(message);
            format!("closed {key:?} {role:?} {ending:?} {method} {target:?} {outcome:?} {attributes:?} {request} {response:?}")
        }
    }).collect();
    lines.sort_unstable();
    lines
}

/// The first property: any split of a stream gives the same exchanges. `cuts` says where: each call is cut behind as
/// many bytes as the next number says, again and again. For calls of captured bytes alone.
///
/// # Panics
/// Where the property does not hold.
pub fn same_for_any_split(registry: &'static [Entry], side: Side, calls: &[Call], cuts: &[usize]) {
    let mut whole = Bench::new(registry, side);
    whole.play(calls).finish(Ending::Closed, u64::MAX);
    let mut pieces = Bench::new(registry, side);
    pieces.play(&split(calls, cuts)).finish(Ending::Closed, u64::MAX);
    assert_eq!(essence(&whole.out), essence(&pieces.out), "calls {calls:?} cut by {cuts:?}");
}

/// Cuts calls into smaller ones that follow each other by a nanosecond.
fn split(calls: &[Call], cuts: &[usize]) -> Vec<Call> {
    let mut lengths = cuts.iter().copied().map(|length| length.max(1)).cycle();
    let mut pieces = Vec::new();
    for call in calls {
        let bytes: Vec<u8> = call.parts.iter().flat_map(captured).copied().collect();
        let mut rest = bytes.as_slice();
        let mut time = call.time;
        while !rest.is_empty() {
            let length = lengths.next().unwrap_or(1).min(rest.len());
            let (piece, behind) = rest.split_at(length);
            let parts = vec![Part::Bytes(piece.to_vec())];
            pieces.push(Call { direction: call.direction, time, parts });
            (rest, time) = (behind, time + 1);
        }
    }
    pieces
}

fn captured(part: &Part) -> &[u8] {
    match part {
        Part::Bytes(bytes) => bytes,
        Part::Gap(..) => &[],
    }
}

/// The second property: any prefix of a conversation waits for more: it says nothing that the whole does not say,
/// and withdraws nothing. For calls of captured bytes alone.
///
/// # Panics
/// Where the property does not hold.
pub fn prefixes_wait(registry: &'static [Entry], side: Side, calls: &[Call]) {
    let mut whole = Bench::new(registry, side);
    let bytewise = split(calls, &[1]);
    whole.play(&bytewise);
    let all = essence(&whole.out);
    let mut prefix = Bench::new(registry, side);
    let mut said = 0;
    for call in &bytewise {
        prefix.push(call);
        prefix.advance();
        for line in essence(prefix.out.get(said..).unwrap_or_default()) {
            assert!(all.contains(&line) && !line.starts_with("withdrawn"), "too early: {line}");
        }
        said = prefix.out.len();
    }
    assert_eq!(essence(&prefix.out), all);
    assert_ne!(prefix.session.protocol(), None, "it was not recognised: {calls:?}");
}

/// Looks at a stream for each of its bytes and calls, at most.
const WORK: u64 = 64;

/// Bytes of output for each byte of input and call, at most: the fixed part of an exchange against its shortest form.
const MEMORY: u64 = 512;

/// The third property: whatever comes in, work and memory are bounded by a constant times the input, and what was
/// opened ends once.
///
/// # Panics
/// Where the property does not hold.
pub fn bounded(registry: &'static [Entry], side: Side, calls: &[Call]) {
    let mut bench = Bench::new(registry, side);
    bench.play(calls).finish(Ending::Closed, u64::MAX);
    let bytes = calls.iter().flat_map(|call| &call.parts).map(|part| captured(part).len() as u64 + 2);
    let input = bytes.sum::<u64>() + 4 * calls.len() as u64 + 8;
    let looks = bench.received.looks() + bench.sent.looks();
    assert!(looks <= WORK * input, "{looks} looks at {input} bytes");
    let size: usize = essence(&bench.out).iter().map(String::len).sum();
    assert!(size as u64 <= MEMORY * input, "{size} bytes from {input}");
    every_opening_ends_once(&bench.out);
}

/// # Panics
/// Where an exchange ends that was not opened, or twice, or never.
pub fn every_opening_ends_once(out: &[Output]) {
    let mut open = std::collections::HashSet::new();
    for output in out {
        match output {
            Output::Opened(opening) => assert!(open.insert(opening.key), "opened twice: {opening:?}"),
            Output::Resumed(resumption) | Output::Answering(resumption) => {
                assert!(open.contains(&resumption.key), "{resumption:?}")
            }
            Output::Closed(exchange) => assert!(open.remove(&exchange.key), "not open: {exchange:?}"),
            Output::Withdrawn(key) => assert!(open.remove(key), "not open: {key:?}"),
        }
    }
    assert!(open.is_empty(), "never ended: {open:?}");
}
