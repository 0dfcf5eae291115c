//! PostgreSQL's protocol, version 3 (manual, chapter "Frontend/Backend Protocol"), both roles. Comes in: bytes of both
//! directions. Goes out: an exchange for each statement that is run. Refuses: passwords, parameters and rows, which are
//! passed over by their lengths. Where the kernel cut a call, the end of the response is found in the call's last bytes.

pub(crate) mod about;
mod back;
mod front;
mod pairing;
mod startup;
mod wire;

use back::Answer;
use front::{Needed, Request};
use pairing::{Owner, Pairing};
use startup::{Seen, Startup};
use wire::{Chain, HEADER, Header, Speaker};

use crate::{
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Role},
    facts::Side,
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step, Successor, TLS},
    settings::Settings,
    sql::{Dialect, Family},
    stream::{Front, Gap},
};

/// PostgreSQL on one connection.
pub struct Postgresql {
    /// Which way requests travel.
    asks: Direction,
    received: Lane,
    sent: Lane,
    pairing: Pairing,
    /// The client has not begun its session.
    starting: bool,
    /// The server's next byte says whether what follows is encrypted.
    negotiating: bool,
    /// The client asked to cancel; the connection ends without an answer.
    cancels: bool,
    /// What follows is encrypted.
    encrypted: bool,
    /// A replication stream has begun.
    replicates: bool,
    /// A group was answered: it is PostgreSQL.
    proven: bool,
    /// Does a backslash escape in plain strings? (`standard_conforming_strings`)
    backslash: Option<bool>,
    /// Calls in a row without a message where one should begin.
    strays: u16,
}

/// What is found in the bytes.
pub struct Frame(Message);

enum Message {
    Request(Request),
    Answer(Answer),
}

/// One direction.
#[derive(Default)]
struct Lane {
    /// Does a message begin at the front?
    synced: bool,
    /// Whose bytes are passed over.
    owner: Owner,
}

impl Protocol for Postgresql {
    type Frame = Frame;

    const NAME: &'static str = "postgresql";
    /// The begin of each call has the statement, its end tells how the response ends; rows between are not copied.
    const POLICY: Policy = Policy::Undecided;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match (evidence(&sight.received).1, evidence(&sight.sent).1) {
            (Detection::Certain, _) | (_, Detection::Certain) => Detection::Certain,
            (Detection::Unsure, _) | (_, Detection::Unsure) => Detection::Unsure,
            _ => Detection::NotForUs,
        }
    }

    fn begin(sight: &Sight<'_>) -> Self {
        let asks = asking(sight);
        let starting = matches!(startup::startup(sight.of(asks).bytes, true), Seen::Message(..));
        let role = if asks == Direction::Received { Role::Server } else { Role::Client };
        let lane = |direction| Lane { synced: starting && direction == asks, owner: Owner::Nobody };
        Self {
            asks,
            received: lane(Direction::Received),
            sent: lane(Direction::Sent),
            pairing: Pairing::new(role, sight.lost > 0),
            starting,
            negotiating: false,
            cancels: false,
            encrypted: false,
            replicates: false,
            proven: false,
            backslash: None,
            strays: 0,
        }
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        if self.encrypted {
            return Step::HandOver(Successor::Token(TLS.to_owned()));
        }
        if self.replicates {
            return Step::GiveUp;
        }
        match direction == self.asks {
            true if self.starting => self.startup(input, settings),
            false if self.negotiating => negotiated(input),
            _ if self.lane(direction).synced => self.message(direction, input, settings),
            _ => self.find(direction, input, settings),
        }
    }

    fn pair(&mut self, direction: Direction, frame: Frame, extent: &Extent, scene: &mut Scene<'_>) {
        let owner = match frame.0 {
            Message::Request(request) => self.ask(request, extent, scene),
            Message::Answer(answer) => self.answer(answer, extent, scene),
        };
        self.lane(direction).owner = owner;
    }

    fn passed(&mut self, direction: Direction, extent: &Extent) {
        let owner = self.lane(direction).owner;
        if direction == self.asks {
            self.pairing.asked(owner, extent);
        } else {
            self.pairing.passed(owner, extent);
        }
    }

    fn missed(&mut self, direction: Direction, scene: &mut Scene<'_>) {
        *self.lane(direction) = Lane::default();
        if direction == self.asks {
            self.pairing.miss_requests();
        } else {
            self.pairing.miss_answers(scene);
        }
    }

    fn ended(&mut self, _direction: Direction, _ending: Ending, scene: &mut Scene<'_>) {
        if self.cancels {
            self.pairing.finish(Ending::Answered, Nanos::default(), scene);
        }
    }

    fn expire(&mut self, now: Nanos, scene: &mut Scene<'_>) {
        let unseen = self.unseen();
        self.pairing.expire(now, unseen, scene);
    }

    fn finish(&mut self, ending: Ending, now: Nanos, scene: &mut Scene<'_>) {
        if self.cancels {
            return self.pairing.finish(Ending::Answered, now, scene);
        }
        if self.unseen() {
            self.pairing.complete_unseen(scene);
        }
        self.pairing.finish(ending, now, scene);
    }

    fn asks(&self) -> Option<Direction> {
        Some(self.asks)
    }
}

impl Postgresql {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// Is the end of the response under way not to be seen?
    const fn unseen(&mut self) -> bool {
        let answers = self.asks.reverse();
        !self.lane(answers).synced
    }

    const fn dialect(&self) -> Dialect {
        Dialect { family: Family::Postgresql, backslash: self.backslash }
    }

    fn ask(&mut self, request: Request, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        let continues = matches!(request, Request::Copy | Request::Sync | Request::Flush | Request::Silent);
        if !continues && self.unseen() {
            self.pairing.complete_unseen(scene);
        }
        match request {
            Request::Encrypt => self.negotiating = true,
            Request::Begin(_) => self.starting = false,
            Request::Cancel => (self.cancels, self.starting) = (true, false),
            _ => {}
        }
        self.pairing.ask(request, extent, scene)
    }

    fn answer(&mut self, answer: Answer, extent: &Extent, scene: &mut Scene<'_>) -> Owner {
        match answer {
            Answer::Encrypted => self.encrypted = true,
            Answer::Refused => self.negotiating = false,
            Answer::Conforming(conforming) => self.backslash = Some(!conforming),
            Answer::Replicating => self.replicates = true,
            Answer::Ready => (self.proven, self.strays) = (true, 0),
            _ => {}
        }
        let owner = self.pairing.answer(answer, extent, scene);
        if self.replicates {
            self.pairing.finish(Ending::Answered, Nanos::default(), scene);
        }
        owner
    }

    /// The first message, which has no kind before its length.
    fn startup(&mut self, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let cut = input.cut().is_some() || input.bytes().len() >= settings.max_head;
        match startup::startup(input.bytes(), cut) {
            Seen::Message(message, length) => {
                let request = match message {
                    Startup::Begin(database) => Request::Begin(database),
                    Startup::Encrypt => Request::Encrypt,
                    Startup::Cancel => Request::Cancel,
                };
                Step::Frame(Frame(Message::Request(request)), length)
            }
            Seen::Partial => Step::NeedMore,
            Seen::Nothing => {
                self.starting = false;
                self.stray(self.asks)
            }
        }
    }

    /// A message begins at the front.
    fn message(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let speaker = self.speaker(direction);
        let bytes = input.bytes();
        let Some(header) = wire::header(bytes) else {
            if input.cut().is_none() {
                return Step::NeedMore;
            }
            self.lane(direction).synced = false;
            return self.find(direction, input, settings);
        };
        if !header.fits(speaker) {
            return self.stray(direction);
        }
        if let (Speaker::Server, b'D') = (speaker, header.kind) {
            let (rows, length) = run(bytes, header.kind);
            return Step::Frame(Frame(Message::Answer(Answer::Rows(rows))), length);
        }
        if header.kind == b'd' {
            let message = match speaker {
                Speaker::Client => Message::Request(Request::Copy),
                Speaker::Server => Message::Answer(Answer::Aside),
            };
            return Step::Frame(Frame(message), run(bytes, header.kind).1);
        }
        self.read(header, speaker, input, settings)
    }

    fn read(&self, header: Header, by: Speaker, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let total = usize::try_from(header.total).unwrap_or(usize::MAX);
        let most = total.min(HEADER + settings.max_head);
        let content = bytes.get(HEADER..most.min(bytes.len())).unwrap_or_default();
        let needed = match by {
            Speaker::Client => front::needed(header.kind, content) == Needed::Whole,
            Speaker::Server => back::needs_content(header.kind),
        };
        if needed && bytes.len() < most && input.cut().is_none() {
            return Step::NeedMore;
        }
        let whole = bytes.len() >= total && most == total;
        let message = match by {
            Speaker::Client => {
                Message::Request(front::request(header.kind, content, whole, self.dialect(), settings))
            }
            Speaker::Server => Message::Answer(back::answer(header.kind, content)),
        };
        Step::Frame(Frame(message), header.total)
    }

    fn speaker(&self, direction: Direction) -> Speaker {
        if direction == self.asks { Speaker::Client } else { Speaker::Server }
    }

    /// No message begins where one should.
    fn stray(&mut self, direction: Direction) -> Step<Frame> {
        self.lane(direction).synced = false;
        self.strays += 1;
        // Without an answer so far, and with so much that does not fit, it was never PostgreSQL.
        if !self.proven || self.strays > MAX_STRAYS { Step::GiveUp } else { Step::Resync }
    }

    /// Messages begin somewhere behind: with a call, or with the end of a response in a call's last bytes.
    fn find(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<Frame> {
        let bytes = input.bytes();
        let speaker = self.speaker(direction);
        match (bytes.is_empty(), input.cut()) {
            (true, None) => return Step::NeedMore,
            (_, Some((Gap::Lost | Gap::IoUring, _))) => return Step::Resync,
            (true, Some((Gap::NotCopied, length))) => return self.skip(direction, length),
            (false, _) => {}
        }
        if input.boundary() {
            match wire::chain(bytes, speaker) {
                Chain::Open if bytes.len() < HEADER && input.cut().is_none() => return Step::NeedMore,
                Chain::Open if bytes.len() < HEADER => {}
                Chain::Broken => {}
                Chain::Open | Chain::Closed => {
                    self.lane(direction).synced = true;
                    return self.message(direction, input, settings);
                }
            }
        }
        self.find_end(direction, input)
    }

    /// Looks at the last bytes of a call.
    fn find_end(&mut self, direction: Direction, input: &Input<'_>) -> Step<Frame> {
        let (speaker, call) = (self.speaker(direction), input.call());
        let whole = call.len() < input.bytes().len() || input.cut().is_none();
        if !whole {
            return self.skip(direction, input.available());
        }
        let end = match speaker {
            Speaker::Client => wire::request_end(call),
            // Of several groups in one gap nobody knows which one ends here.
            Speaker::Server if self.pairing.groups() > 1 => None,
            Speaker::Server => wire::response_end(call),
        };
        match end {
            Some(place) => {
                self.lane(direction).synced = true;
                self.skip(direction, place as u64)
            }
            None if speaker == Speaker::Server && self.pairing.groups() > 1 => Step::Resync,
            None => self.skip(direction, call.len() as u64),
        }
    }

    /// Passes over bytes that cannot be read.
    fn skip(&mut self, direction: Direction, length: u64) -> Step<Frame> {
        self.lane(direction).owner = if direction != self.asks {
            self.pairing.blind()
        } else if self.pairing.copies() {
            self.lane(direction).owner
        } else {
            self.pairing.miss_requests();
            Owner::Nobody
        };
        Step::Skip(length)
    }
}

/// Calls in a row without a message where one should begin, before the connection is left alone.
const MAX_STRAYS: u16 = 64;

/// Messages of one kind that follow each other, whole or begun: their number and length.
fn run(bytes: &[u8], kind: u8) -> (u64, u64) {
    let (mut count, mut length) = (0, 0_u64);
    while let Some(header) = usize::try_from(length).ok().and_then(|place| wire::header(bytes.get(place..)?))
    {
        if header.kind != kind || !header.fits(Speaker::Server) {
            break;
        }
        count += 1;
        length += header.total;
    }
    (count, length)
}

/// A server's answer to the question whether it encrypts: one byte; old ones answer with an error.
fn negotiated(input: &Input<'_>) -> Step<Frame> {
    let answer = match input.bytes().first() {
        None if input.cut().is_none() => return Step::NeedMore,
        Some(b'S' | b'G') => Answer::Encrypted,
        Some(b'N') => Answer::Refused,
        _ => return Step::GiveUp,
    };
    Step::Frame(Frame(Message::Answer(answer)), 1)
}

/// Who speaks in this direction, and is it PostgreSQL?
fn evidence(front: &Front<'_>) -> (Option<Speaker>, Detection) {
    let bytes = front.bytes;
    if bytes.is_empty() {
        return (None, Detection::NotForUs);
    }
    match startup::startup(bytes, false) {
        Seen::Message(..) => return (Some(Speaker::Client), Detection::Certain),
        Seen::Partial if front.boundary => return (Some(Speaker::Client), Detection::Unsure),
        Seen::Partial | Seen::Nothing => {}
    }
    if !front.boundary {
        let ends = wire::response_end(bytes).is_some();
        let found = if ends { Detection::Certain } else { Detection::NotForUs };
        return (ends.then_some(Speaker::Server), found);
    }
    match (wire::chain(bytes, Speaker::Client), wire::chain(bytes, Speaker::Server)) {
        (Chain::Closed, _) => (Some(Speaker::Client), Detection::Certain),
        (_, Chain::Closed) => (Some(Speaker::Server), Detection::Certain),
        (Chain::Open, Chain::Open) => (None, Detection::Unsure),
        (Chain::Open, Chain::Broken) => (Some(Speaker::Client), Detection::Unsure),
        (Chain::Broken, Chain::Open) => (Some(Speaker::Server), Detection::Unsure),
        (Chain::Broken, Chain::Broken) => (None, Detection::NotForUs),
    }
}

/// Which way requests travel: as the messages say, or the kernel.
fn asking(sight: &Sight<'_>) -> Direction {
    match (evidence(&sight.received).0, evidence(&sight.sent).0, sight.facts.side) {
        (Some(Speaker::Client), _, _) | (_, Some(Speaker::Server), _) => Direction::Received,
        (Some(Speaker::Server), _, _) | (_, Some(Speaker::Client), _) => Direction::Sent,
        (None, None, Side::Server) => Direction::Received,
        (None, None, Side::Client | Side::Unknown) => Direction::Sent,
    }
}
