//! Comes in: both streams of a connection, from the first byte that was seen of it. Goes out: its exchanges. Refuses:
//! to export a guess: what an unproven protocol opened is withdrawn.

use wirespan_connection::{
    event::{Direction, Nanos, Policy, Transport},
    facts::Facts,
    stream::Stream,
};

use crate::{
    conversation::{Conversation, Course, Streams},
    exchange::{Ending, Output},
    protocol::{Input, Scene, Sight, Successor},
    registry::{self, Claim, Entry, REGISTRY},
    settings::Settings,
};

/// The protocol stage of one connection.
pub struct Session {
    registry: &'static [Entry],
    state: State,
}

enum State {
    Unknown(Tries),
    Speaking(Speech),
    /// Nothing that is known here.
    NotOurs,
}

/// Calls passed over while nobody claimed them.
#[derive(Clone, Copy, Default)]
struct Tries {
    received: u8,
    sent: u8,
}

struct Speech {
    entry: &'static Entry,
    conversation: Box<dyn Conversation>,
    /// Was the protocol recognised for certain, or has an answer proven it? Until then it is a guess.
    proven: bool,
    /// Was a request answered? Until then bytes that do not fit mean that even certainty was mistaken.
    answered: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self::with(REGISTRY)
    }
}

impl Session {
    /// A session that knows the protocols of `registry` alone.
    #[must_use]
    pub const fn with(registry: &'static [Entry]) -> Self {
        Self { registry, state: State::Unknown(Tries { received: 0, sent: 0 }) }
    }

    /// Reads what can be read from both streams, in the order of time.
    pub fn advance(
        &mut self,
        settings: &Settings,
        facts: &Facts,
        received: &mut dyn Stream,
        sent: &mut dyn Stream,
        out: &mut Vec<Output>,
    ) {
        let mut streams = Streams { received, sent };
        let mut scene = Scene { settings, facts, out };
        // Each round either reads all, or changes the state; a hand-over without end is no protocol.
        for _ in 0..MAX_ROUNDS {
            let again = match &mut self.state {
                State::Unknown(_) => self.recognise(&mut streams, &scene),
                State::Speaking(_) => self.converse(&mut streams, &mut scene),
                State::NotOurs => {
                    drain(&mut streams);
                    false
                }
            };
            if !again {
                return;
            }
        }
        self.state = State::NotOurs;
    }

    /// Ends requests that wait too long. To be called from time to time; `now` on the clock of the events.
    pub fn tick(&mut self, settings: &Settings, facts: &Facts, now: Nanos, out: &mut Vec<Output>) {
        let State::Speaking(speech) = &mut self.state else { return };
        let begin = out.len();
        speech.conversation.expire(now, &mut Scene { settings, facts, out });
        speech.judge(out, begin);
    }

    /// The connection is over (or evicted: [`Ending::Lost`]): ends every open exchange.
    pub fn finish(
        &mut self,
        settings: &Settings,
        facts: &Facts,
        ending: Ending,
        now: Nanos,
        out: &mut Vec<Output>,
    ) {
        let State::Speaking(mut speech) = std::mem::replace(&mut self.state, State::NotOurs) else { return };
        let begin = out.len();
        speech.conversation.finish(ending, now, &mut Scene { settings, facts, out });
        speech.judge(out, begin);
    }

    /// What the kernel should copy of this connection.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        match &self.state {
            State::Unknown(_) => Policy::Undecided,
            State::Speaking(speech) => speech.entry.policy,
            State::NotOurs => Policy::Ignore,
        }
    }

    /// Name of the protocol, once it is recognised.
    #[must_use]
    pub const fn protocol(&self) -> Option<&'static str> {
        match &self.state {
            State::Speaking(speech) => Some(speech.entry.name),
            State::Unknown(_) | State::NotOurs => None,
        }
    }

    /// Asks the registry; `true` to go on.
    fn recognise(&mut self, streams: &mut Streams<'_>, scene: &Scene<'_>) -> bool {
        let sight = look(streams, scene);
        if sight.received.bytes.is_empty() && sight.sent.bytes.is_empty() {
            return self.discard(streams, scene.settings, true);
        }
        // Of datagrams the same bytes may be numbers of any question.
        let is_stream = scene.facts.socket.transport != Transport::Udp;
        if is_stream && (encrypted(sight.received.bytes) || encrypted(sight.sent.bytes)) {
            self.state = State::NotOurs;
            return true;
        }
        match registry::claim(self.registry, &sight, scene.settings) {
            Claim::Certain(entry) => self.begin(entry, &sight, true),
            Claim::Perhaps(entry) if cut(streams) => self.begin(entry, &sight, false),
            Claim::Perhaps(_) | Claim::Several if !full(streams, scene.settings) => false,
            Claim::Perhaps(_) | Claim::Several | Claim::Nobody => {
                self.discard(streams, scene.settings, false)
            }
        }
    }

    fn begin(&mut self, entry: &'static Entry, sight: &Sight<'_>, proven: bool) -> bool {
        self.state = State::Speaking(Speech::begin(entry, sight, proven));
        true
    }

    /// Passes over calls that nobody claims, a bounded number of them.
    fn discard(&mut self, streams: &mut Streams<'_>, settings: &Settings, only_gaps: bool) -> bool {
        let State::Unknown(tries) = &mut self.state else { return false };
        let mut moved = false;
        for direction in [Direction::Received, Direction::Sent] {
            let length = first_call(streams.of(direction), only_gaps);
            streams.consume(direction, length);
            *tries.of(direction) += u8::from(length > 0);
            moved |= length > 0;
        }
        if tries.received.max(tries.sent) >= settings.max_detection_tries.max(1) {
            self.state = State::NotOurs;
        }
        moved
    }

    fn converse(&mut self, streams: &mut Streams<'_>, scene: &mut Scene<'_>) -> bool {
        let State::Speaking(speech) = &mut self.state else { return false };
        let begin = scene.out.len();
        let course = speech.conversation.advance(streams, scene);
        speech.judge(scene.out, begin);
        match course {
            Course::Idle => false,
            Course::GiveUp => self.leave(scene, State::NotOurs),
            Course::HandOver(Successor::Unknown) => self.leave(scene, State::Unknown(Tries::default())),
            Course::HandOver(Successor::Token(token)) => {
                let next = self.heir(&token, &look(streams, scene));
                self.leave(scene, next)
            }
        }
    }

    /// The successor, with what the present protocol leaves to it.
    fn heir(&mut self, token: &str, sight: &Sight<'_>) -> State {
        let mut next = self.successor(token, sight);
        if let (State::Speaking(before), State::Speaking(after)) = (&mut self.state, &mut next)
            && let Some(legacy) = before.conversation.bequeath()
        {
            after.conversation.inherit(legacy);
        }
        next
    }

    fn successor(&self, token: &str, sight: &Sight<'_>) -> State {
        let claimed = |entry: &&Entry| entry.tokens.iter().any(|known| token.eq_ignore_ascii_case(known));
        match self.registry.iter().find(claimed) {
            Some(entry) => State::Speaking(Speech::begin(entry, sight, true)),
            None => State::NotOurs,
        }
    }

    /// Ends the conversation: what is still open can not be followed.
    fn leave(&mut self, scene: &mut Scene<'_>, next: State) -> bool {
        let State::Speaking(mut speech) = std::mem::replace(&mut self.state, next) else { return false };
        let begin = scene.out.len();
        // No later than anything seen of it; the protocol takes its own last time where this is earlier.
        speech.conversation.finish(Ending::Lost, scene.facts.opened, scene);
        speech.proven &= speech.answered;
        speech.judge(scene.out, begin);
        true
    }
}

/// State changes in one call of [`Session::advance`]; detection alone may take one per call that it passes over.
const MAX_ROUNDS: usize = 1024;

impl Tries {
    const fn of(&mut self, direction: Direction) -> &mut u8 {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }
}

impl Speech {
    fn begin(entry: &'static Entry, sight: &Sight<'_>, proven: bool) -> Self {
        Self { entry, conversation: (entry.begin)(sight), proven, answered: false }
    }

    /// Looks at what the conversation just said. An answer proves the protocol; without one, what ended was a guess
    /// and is withdrawn.
    #[inline]
    fn judge(&mut self, out: &mut [Output], begin: usize) {
        if !(self.proven && self.answered) {
            self.weigh(out, begin);
        }
    }

    fn weigh(&mut self, out: &mut [Output], begin: usize) {
        for output in out.iter_mut().skip(begin) {
            let Output::Closed(exchange) = output else { continue };
            self.answered |= matches!(exchange.ending, Ending::Answered | Ending::Upgraded);
            self.proven |= self.answered;
            if !self.proven {
                *output = Output::Withdrawn(exchange.key);
            }
        }
    }
}

fn look<'a>(streams: &'a Streams<'_>, scene: &Scene<'a>) -> Sight<'a> {
    Sight {
        received: streams.received.front(),
        sent: streams.sent.front(),
        lost: streams.received.lost() + streams.sent.lost(),
        facts: scene.facts,
    }
}

/// Does a record of TLS begin so (RFC 8446 section 5.1; no longer than those of TLS 1.2, RFC 5246 section 6.2.3)? Nothing that is
/// known here does, and some protocols might take its numbers for theirs until more of it has been copied.
fn encrypted(bytes: &[u8]) -> bool {
    const LONGEST: u16 = (1 << 14) + 2048;
    let [0x14..=0x17, 3, 0..=4, high, low, ..] = *bytes else { return false };
    (1..=LONGEST).contains(&u16::from_be_bytes([high, low]))
}

/// Length of the call at the front, with the gap behind it; with `only_gaps` of a gap at the front alone.
fn first_call(stream: &dyn Stream, only_gaps: bool) -> u64 {
    let input = Input::of(stream);
    match input.call().len() {
        length if length < input.bytes().len() => length as u64,
        _ if only_gaps && !input.bytes().is_empty() => 0,
        _ => input.available(),
    }
}

/// Is there a front of which no more can come?
fn cut(streams: &Streams<'_>) -> bool {
    [Direction::Received, Direction::Sent].into_iter().any(|direction| {
        let input = Input::of(streams.of(direction));
        !input.bytes().is_empty() && (input.cut().is_some() || input.end().is_some())
    })
}

/// Have enough bytes been seen to know?
fn full(streams: &Streams<'_>, settings: &Settings) -> bool {
    [Direction::Received, Direction::Sent].into_iter().any(|direction| {
        let input = Input::of(streams.of(direction));
        input.bytes().len() >= settings.max_head || input.cut().is_some()
    })
}

/// Nobody reads on: the store may forget the bytes.
fn drain(streams: &mut Streams<'_>) {
    for direction in [Direction::Received, Direction::Sent] {
        let available = Input::of(streams.of(direction)).available();
        streams.consume(direction, available);
    }
}
