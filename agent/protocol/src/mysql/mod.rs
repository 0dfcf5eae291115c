//! MySQL's protocol, version 10, as MySQL and MariaDB speak it (MySQL Internals, "Client/Server Protocol"; MariaDB,
//! "Client/Server Protocol"), both roles. Comes in: bytes of both directions. Goes out: an exchange for each command that
//! is answered. Refuses: passwords, parameters and rows, which are passed over by their lengths; what is compressed, of
//! which the lengths alone are told.

pub(crate) mod about;
mod command;
mod compressed;
mod detect;
mod handshake;
mod pairing;
mod response;
mod wire;

use command::{Command, Reading};
use detect::{Speaker, evidence, together};
use handshake::{Abilities, Greeting, Reply};
use pairing::Pairing;
use response::{Place, Said};
use wire::{HEADER, Header};

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Role},
    facts::Side,
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step, Successor, TLS},
    settings::Settings,
    sql::queue::Number,
    stream::Gap,
};

/// MySQL on one connection.
pub struct Mysql {
    /// Which way commands travel.
    asks: Direction,
    received: Lane,
    sent: Lane,
    pairing: Pairing,
    phase: Phase,
    /// What both sides can do, where the handshake was seen.
    abilities: Option<Abilities>,
    /// Calls in a row without a packet where one should begin.
    strays: u16,
}

/// Where in the life of a connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server greets.
    Greeting,
    /// The client answers.
    Reply,
    /// The client proves who it is.
    Login,
    /// The client commands.
    Commands,
    /// The same, compressed.
    Compressed,
    /// What follows is encrypted.
    Encrypted,
    /// What follows are events of replication.
    Stream,
}

/// What is found in the bytes.
pub struct Frame(Packet);

enum Packet {
    Greeting(Box<Greeting>),
    Reply(Option<Reply>),
    /// The login is over, well or not; the server's status.
    LoggedIn(Option<u16>),
    /// A command.
    Command(Box<Command>),
    /// Rows.
    Rows(u64),
    /// A packet of an answer.
    Said(Box<Said>),
    /// On a compressed connection: a command that cannot be read.
    Unread,
    /// On a compressed connection: a part of an answer; what it says, where it can be read.
    Part(Option<Box<Said>>),
    /// It belongs to what came before, as a file that the client sends does.
    More,
}

/// One direction.
#[derive(Default)]
struct Lane {
    /// Does a packet begin at the front?
    synced: bool,
    /// The packet before goes on in the next one.
    continues: bool,
    /// Whose bytes are passed over.
    owner: Option<Number>,
}

impl Protocol for Mysql {
    type Frame = Frame;

    const NAME: &'static str = "mysql";
    /// The begin of each call has the statement, its end tells how the response ends; rows between are not copied.
    const POLICY: Policy = Policy::Undecided;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        together(evidence(&sight.received), evidence(&sight.sent))
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let asks = asking(sight);
        let role = if asks == Direction::Received { Role::Server } else { Role::Client };
        let greeting = sight.of(asks.reverse()).bytes;
        let greets = greeting.get(HEADER..).is_some_and(|payload| handshake::greeting(payload).is_some());
        let lane = || Lane { synced: greets, ..Lane::default() };
        Self {
            asks,
            received: lane(),
            sent: lane(),
            pairing: Pairing::new(role, sight.lost > 0),
            phase: if greets { Phase::Greeting } else { Phase::Commands },
            abilities: None,
            strays: 0,
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let (client, synced) = (direction == self.asks, self.lane(direction).synced);
        match self.phase {
            Phase::Encrypted => Step::HandOver(Successor::Token(TLS.to_owned())),
            Phase::Stream => Step::GiveUp,
            Phase::Compressed => self.compressed(direction, input, settings),
            _ if !synced => self.find(direction, input, settings),
            Phase::Greeting if client => Step::Wait,
            _ => self.packet(direction, input, settings),
        }
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        let owner = match frame.0 {
            Packet::Greeting(greeting) => self.greeted(&greeting),
            Packet::Reply(reply) => self.replied(reply),
            Packet::LoggedIn(status) => self.logged_in(status),
            Packet::Command(command) => self.command(*command, extent, scene),
            Packet::More => {
                let (owner, response) = (self.lane(direction).owner, direction != self.asks);
                self.pairing.passed(owner, response, extent);
                owner
            }
            Packet::Rows(rows) => self.pairing.rows(rows, extent, scene),
            Packet::Said(said) => self.pairing.answer(*said, extent, scene),
            Packet::Unread => {
                self.pairing.complete_unseen(scene);
                Some(self.pairing.ask_unread(extent, scene))
            }
            Packet::Part(said) => self.pairing.answer_unread(said.map(|said| *said), extent, scene),
        };
        self.lane(direction).owner = owner;
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let (owner, response) = (self.lane(direction).owner, direction != self.asks);
        self.pairing.passed(owner, response, extent);
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        *self.lane(direction) = Lane::default();
        if direction == self.asks {
            self.pairing.miss_requests();
        } else {
            self.pairing.miss_answers(scene);
        }
        if !matches!(self.phase, Phase::Compressed | Phase::Stream | Phase::Encrypted) {
            self.phase = Phase::Commands;
        }
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let unseen = self.unseen();
        self.pairing.expire(now, unseen, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if self.unseen() {
            self.pairing.complete_unseen(scene);
        }
        self.pairing.finish(ending, now, scene);
    }

    fn asks(&self) -> Option<Direction> {
        Some(self.asks)
    }
}

/// Calls in a row without a packet where one should begin, before the connection is left alone.
const MAX_STRAYS: u16 = 64;

/// Most bytes looked at of an answer's packet that is not a row.
const MAX_WORD: usize = 4096;

impl Mysql {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// Is the end of the answer under way not to be seen?
    fn unseen(&mut self) -> bool {
        let answers = self.asks.reverse();
        self.phase == Phase::Compressed || !self.lane(answers).synced
    }

    fn greeted(&mut self, greeting: &Greeting) -> Option<Number> {
        self.pairing.system = greeting.system;
        self.pairing.status(greeting.status);
        self.abilities = Some(greeting.abilities);
        self.phase = Phase::Reply;
        None
    }

    fn replied(&mut self, reply: Option<Reply>) -> Option<Number> {
        self.phase = Phase::Login;
        match reply {
            Some(Reply::Encrypts) => self.phase = Phase::Encrypted,
            Some(Reply::Begins(abilities, characters, database)) => {
                self.pairing.characters = characters;
                self.abilities = self.abilities.map(|server| server.and(abilities));
                self.pairing.eof = self.abilities.map(|both| !both.deprecates_eof());
                self.pairing.enter(database);
            }
            None => self.abilities = None,
        }
        None
    }

    fn logged_in(&mut self, status: Option<u16>) -> Option<Number> {
        let compresses = self.abilities.is_some_and(Abilities::compresses);
        self.phase = if compresses { Phase::Compressed } else { Phase::Commands };
        status.into_iter().for_each(|status| self.pairing.status(status));
        None
    }

    fn command(&mut self, command: Command, extent: &Extent, scene: &mut Scene<'_>) -> Option<Number> {
        if self.unseen() {
            self.pairing.complete_unseen(scene);
        }
        self.strays = 0;
        let streams = command.reply == command::Reply::Stream;
        let owner = self.pairing.ask(command, self.phase == Phase::Compressed, extent, scene);
        if streams {
            self.phase = Phase::Stream;
            self.pairing.finish(Ending::Answered, Nanos::default(), scene);
        }
        owner
    }

    fn reading<'a>(&self, settings: &'a Settings) -> Reading<'a> {
        let attributes = self.abilities.map(Abilities::attributes);
        Reading { dialect: self.pairing.dialect(), attributes, settings }
    }

    /// A packet begins at the front.
    fn packet(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let header = wire::header(bytes);
        let ready = header.is_some_and(|header| header.length == 0 || bytes.len() > HEADER);
        let (Some(header), true) = (header, ready) else {
            if input.cut().is_none() {
                return Step::NeedMore;
            }
            self.lane(direction).synced = false;
            return self.find(direction, input, settings);
        };
        let lane = self.lane(direction);
        if std::mem::replace(&mut lane.continues, header.continues()) {
            return Step::Frame(Frame(Packet::More), header.total());
        }
        let step = match (direction == self.asks, self.phase) {
            (true, Phase::Commands) => self.asked(header, input, settings),
            (true, _) => reply(header, input, self.phase),
            (false, Phase::Commands) => self.answered(header, input),
            (false, phase) => login(header, input, phase),
        };
        if step == Need::More {
            self.lane(direction).continues = false;
        }
        match step {
            Need::Frame(packet, length) => Step::Frame(Frame(packet), length),
            Need::More => Step::NeedMore,
            Need::Stray => self.stray(direction),
        }
    }

    /// A client's packet.
    fn asked(&mut self, header: Header, input: &Input<'_>, settings: &Settings) -> Need {
        let content = Content::of(header, input, settings.max_head);
        if self.pairing.uploads() {
            return Need::Frame(Packet::More, header.total());
        }
        if header.sequence != 0 {
            let known = self.pairing.logs_in() || header.length == 0;
            return if known { Need::Frame(Packet::More, header.total()) } else { Need::Stray };
        }
        if !content.complete && command::needs_content(content.first()) {
            return Need::More;
        }
        // An execution's number stands in its first bytes, its parameters behind them are not looked at.
        if content.bytes.len() < MIN_COMMAND.min(header.length as usize) && input.cut().is_none() {
            return Need::More;
        }
        match command::read(content.bytes, content.whole, self.reading(settings)) {
            Some(command) => Need::Frame(Packet::Command(Box::new(command)), header.total()),
            None => Need::Stray,
        }
    }

    /// A server's packet.
    fn answered(&mut self, header: Header, input: &Input<'_>) -> Need {
        let content = Content::of(header, input, MAX_WORD);
        let Some((reply, place)) = self.pairing.awaited() else {
            // The EOF behind a statement's columns, where it was not known that one would come.
            return Need::Frame(Packet::More, header.total());
        };
        let first = content.first();
        if matches!(place, Place::Row) && !response::needs_content(place, first, header.length) {
            let (rows, length, continues) = run(input.bytes());
            self.lane(self.asks.reverse()).continues = continues;
            return Need::Frame(Packet::Rows(rows), length);
        }
        if !content.complete && response::needs_content(place, first, header.length) {
            return Need::More;
        }
        let said = response::read(content.bytes, header.length, place, reply, self.pairing.eof);
        Need::Frame(Packet::Said(Box::new(said)), header.total())
    }

    /// No packet begins where one should.
    fn stray(&mut self, direction: Direction) -> Step<Frame> {
        *self.lane(direction) = Lane::default();
        self.strays += 1;
        // Without an answer so far, and with so much that does not fit, it was never MySQL.
        if !self.pairing.proven || self.strays > MAX_STRAYS { Step::GiveUp } else { Step::Resync }
    }

    /// Packets begin somewhere behind: with a call, or with the end of an answer in a call's last bytes.
    fn find(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        match (input.bytes().is_empty(), input.cut()) {
            (true, None) => return Step::NeedMore,
            (_, Some((Gap::Lost | Gap::IoUring, _))) => return Step::Resync,
            (true, Some((Gap::NotCopied, length))) => return self.skip(direction, length),
            (false, _) => {}
        }
        let call = input.call();
        // A server reads the header by a call of its own.
        if input.boundary() && input.bytes().len() <= HEADER && input.cut().is_none() {
            return Step::NeedMore;
        }
        if input.boundary() && self.begins(direction, input.bytes()) {
            self.lane(direction).synced = true;
            return self.packet(direction, input, settings);
        }
        if call.len() == input.bytes().len() && input.cut().is_some() {
            return self.skip(direction, input.available());
        }
        let end = wire::response_end(call).filter(|_| direction != self.asks);
        let length = end.unwrap_or(call.len()) as u64;
        let step = self.skip(direction, length);
        self.lane(direction).synced = end.is_some();
        step
    }

    /// Could a packet begin with this call?
    fn begins(&mut self, direction: Direction, bytes: &[u8]) -> bool {
        let Some(header) = wire::header(bytes) else { return false };
        let payload = bytes.get(HEADER..).unwrap_or_default();
        if payload.is_empty() {
            return false;
        }
        if direction == self.asks {
            let known = payload.first().is_some_and(|code| command::command(*code).is_some());
            return header.sequence == 0 && known && payload.len() <= header.length as usize;
        }
        header.sequence == 1 && header.length > 0 && !self.pairing.answering()
    }

    /// Passes over bytes that cannot be read.
    fn skip(&mut self, direction: Direction, length: u64) -> Step<Frame> {
        self.lane(direction).owner = if direction != self.asks {
            self.pairing.blind()
        } else if self.pairing.uploads() {
            self.pairing.newest()
        } else {
            self.pairing.miss_requests();
            None
        };
        Step::Skip(length)
    }
}

/// What became of a packet.
enum Need {
    Frame(Packet, u64),
    More,
    Stray,
}

impl PartialEq for Need {
    fn eq(&self, other: &Self) -> bool {
        matches!((self, other), (Self::More, Self::More) | (Self::Stray, Self::Stray))
    }
}

/// What is there of a packet's payload.
struct Content<'a> {
    bytes: &'a [u8],
    /// All of it is there.
    whole: bool,
    /// As much as is ever looked at is there, or no more will come.
    complete: bool,
}

impl<'a> Content<'a> {
    /// `most`: so much is looked at.
    fn of(header: Header, input: &Input<'a>, most: usize) -> Self {
        let length = header.length as usize;
        let there = input.bytes().len().saturating_sub(HEADER).min(length);
        let most = length.min(most);
        let bytes = input.bytes().get(HEADER..HEADER + there.min(most)).unwrap_or_default();
        Self { bytes, whole: bytes.len() == length, complete: bytes.len() == most || input.cut().is_some() }
    }

    fn first(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }
}

/// Bytes of a command that are looked at whatever it is: its code and the number of a statement.
const MIN_COMMAND: usize = 5;

/// A client's packet before it may command.
fn reply(header: Header, input: &Input<'_>, phase: Phase) -> Need {
    let content = Content::of(header, input, MAX_WORD);
    match phase {
        Phase::Reply if !content.complete => Need::More,
        Phase::Reply => Need::Frame(Packet::Reply(handshake::reply(content.bytes)), header.total()),
        _ => Need::Frame(Packet::More, header.total()),
    }
}

/// A server's packet before the client may command.
fn login(header: Header, input: &Input<'_>, phase: Phase) -> Need {
    let content = Content::of(header, input, MAX_WORD);
    if !content.complete {
        return Need::More;
    }
    let packet = match (phase, content.first()) {
        (Phase::Greeting, _) => match handshake::greeting(content.bytes) {
            Some(greeting) => Packet::Greeting(Box::new(greeting)),
            None => return Need::Stray,
        },
        (_, 0x00) => {
            let said = response::read(content.bytes, header.length, Place::Head, command::Reply::Word, None);
            Packet::LoggedIn(said.status)
        }
        _ => Packet::More,
    };
    Need::Frame(packet, header.total())
}

/// Rows that follow each other, whole or begun: their number, their length, and whether the last one goes on in another
/// packet.
fn run(bytes: &[u8]) -> (u64, u64, bool) {
    let (mut count, mut length) = (0, 0_u64);
    while let Some(rest) = usize::try_from(length).ok().and_then(|place| bytes.get(place..)) {
        let (Some(header), Some(first)) = (wire::header(rest), rest.get(HEADER)) else { break };
        if response::needs_content(Place::Row, *first, header.length) || header.length == 0 {
            break;
        }
        count += 1;
        length += header.total();
        if header.continues() {
            return (count, length, true);
        }
    }
    (count, length, false)
}

/// Which way commands travel: as the packets say, or the kernel.
fn asking(sight: &Sight<'_>) -> Direction {
    match (evidence(&sight.received).speaker, evidence(&sight.sent).speaker, sight.facts.side) {
        (Some(Speaker::Client), _, _) | (_, Some(Speaker::Server), _) => Direction::Received,
        (Some(Speaker::Server), _, _) | (_, Some(Speaker::Client), _) => Direction::Sent,
        (None, None, Side::Server) => Direction::Received,
        (None, None, Side::Client | Side::Unknown) => Direction::Sent,
    }
}
