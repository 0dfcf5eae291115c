//! The framework, shown with one small protocol of each kind that it has to carry: binary with a length prefix,
//! multiplexed, datagrams, and a server that speaks first. None is real; each is as short as it can be.

use std::collections::VecDeque;

use proptest::prelude::*;
use wirespan_protocol::{
    cursor::Cursor,
    event::{Direction, Nanos, Policy},
    exchange::{Ending, Exchange, Key, Message, Opening, Outcome, Output, Role, Target},
    facts::Side,
    protocol::{Detection, Extent, Input, Protocol, Scene, Sight, Step, Successor},
    registry::{Entry, REGISTRY},
    settings::Settings,
    testing::{self, Bench, Call, call, received, sent, talk},
    token::Tokens,
};

/// Each request's key, its message and what it is about.
#[derive(Default)]
struct Waiting(VecDeque<(Key, Message, String)>);

impl Waiting {
    fn open(&mut self, sub: u64, what: String, extent: &Extent, scene: &mut Scene<'_>) {
        let key = Key { cookie: scene.facts.socket.cookie, offset: extent.offset, sub };
        let (facts, start) = (*scene.facts, extent.first);
        scene.out.push(Output::Opened(Opening {
            key,
            role: Role::Server,
            facts,
            start,
            carrier: Vec::new(),
            shape: 0,
            tokens: Tokens::default(),
        }));
        self.0.push_back((key, message(extent), what));
    }

    /// By order where no id is given.
    fn close(&mut self, sub: Option<u64>, response: Option<&Extent>, ending: Ending, scene: &mut Scene<'_>) {
        let found = self.0.iter().position(|(key, ..)| sub.is_none_or(|sub| key.sub == sub));
        let Some((key, request, what)) = found.and_then(|place| self.0.remove(place)) else { return };
        scene.out.push(Output::Closed(Box::new(Exchange {
            key,
            protocol: "test",
            role: Role::Server,
            facts: *scene.facts,
            request,
            response: response.map(message),
            ending,
            ended: response.map_or(request.last.time, |extent| extent.last.time),
            method: what.into(),
            target: Target::None,
            outcome: Outcome::Unset,
            attributes: Vec::new(),
            links: Vec::new(),
        })));
    }

    fn close_all(&mut self, ending: Ending, scene: &mut Scene<'_>) {
        while !self.0.is_empty() {
            self.close(None, None, ending, scene);
        }
    }
}

fn message(extent: &Extent) -> Message {
    let Extent { offset, first, last, bytes, missing } = *extent;
    Message { offset, first, last, bytes, body: None, missing, truncated: false }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is the same in all of them: nothing expires, a loss ends what waits.
macro_rules! common {
    () => {
        fn missed(&mut self, _direction: Direction, scene: &mut Scene<'_>) {
            self.waiting.close_all(Ending::Lost, scene);
        }
        fn expire(&mut self, _now: Nanos, _scene: &mut Scene<'_>) {}
        fn finish(&mut self, ending: Ending, _now: Nanos, scene: &mut Scene<'_>) {
            self.waiting.close_all(ending, scene);
        }
        fn asks(&self) -> Option<Direction> {
            Some(Direction::Received)
        }
    };
}

/// Binary: magic, length, payload; answered in order. The payload is only looked at as far as it was captured.
#[derive(Default)]
struct Prefixed {
    waiting: Waiting,
}

const MAGIC: u16 = 0xCAFE;

impl Protocol for Prefixed {
    type Frame = String;
    const NAME: &'static str = "prefixed";
    const POLICY: Policy = Policy::Full;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match (sight.received.bytes, Cursor::new(sight.received.bytes).u16_be()) {
            (_, Some(MAGIC)) => Detection::Certain,
            ([] | [0xCA], _) => Detection::Unsure,
            _ => Detection::NotForUs,
        }
    }

    fn begin(_sight: &Sight<'_>) -> Self {
        Self::default()
    }

    fn parse(&mut self, _direction: Direction, input: &Input<'_>, _settings: &Settings) -> Step<String> {
        let mut cursor = Cursor::new(input.bytes());
        let Some((magic, length)) = cursor.u16_be().zip(cursor.u16_be()) else { return Step::NeedMore };
        let whole = cursor.rest().len() >= usize::from(length) || input.cut().is_some();
        match (magic == MAGIC, whole) {
            (false, _) => Step::Resync,
            (true, false) => Step::NeedMore,
            (true, true) => {
                let payload = cursor.rest().get(..usize::from(length)).unwrap_or(cursor.rest());
                Step::Frame(text(payload), 4 + u64::from(length))
            }
        }
    }

    fn pair(&mut self, direction: Direction, frame: String, extent: &Extent, scene: &mut Scene<'_>) {
        match direction {
            Direction::Received => self.waiting.open(0, frame, extent, scene),
            Direction::Sent => self.waiting.close(None, Some(extent), Ending::Answered, scene),
        }
    }

    common!();
}

/// Multiplexed: a stream id and a length; answers in any order.
#[derive(Default)]
struct Multiplexed {
    waiting: Waiting,
}

impl Protocol for Multiplexed {
    type Frame = (u64, String);
    const NAME: &'static str = "multiplexed";
    const POLICY: Policy = Policy::Full;
    const TOKENS: &'static [&'static str] = &["mux"];

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match sight.received.bytes {
            [b'M', b'X', ..] => Detection::Certain,
            [] | [b'M'] => Detection::Unsure,
            _ => Detection::NotForUs,
        }
    }

    fn begin(_sight: &Sight<'_>) -> Self {
        Self::default()
    }

    fn parse(&mut self, _direction: Direction, input: &Input<'_>, _settings: &Settings) -> Step<Self::Frame> {
        let mut cursor = Cursor::new(input.bytes());
        let Some([b'M', b'X', id, length]) = cursor.array() else {
            return if input.bytes().len() < 4 { Step::NeedMore } else { Step::Resync };
        };
        match cursor.take(length.into()) {
            Some(payload) => Step::Frame((id.into(), text(payload)), 4 + u64::from(length)),
            None => Step::NeedMore,
        }
    }

    fn pair(&mut self, direction: Direction, frame: Self::Frame, extent: &Extent, scene: &mut Scene<'_>) {
        match direction {
            Direction::Received => self.waiting.open(frame.0, frame.1, extent, scene),
            Direction::Sent => self.waiting.close(Some(frame.0), Some(extent), Ending::Answered, scene),
        }
    }

    common!();
}

/// Datagrams with an id: a frame is what one call carried.
#[derive(Default)]
struct Datagrams {
    waiting: Waiting,
}

impl Protocol for Datagrams {
    type Frame = (u64, String);
    const NAME: &'static str = "datagrams";
    const POLICY: Policy = Policy::Full;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        match sight.received.bytes {
            [b'?', _, ..] => Detection::Certain,
            _ => Detection::NotForUs,
        }
    }

    fn begin(_sight: &Sight<'_>) -> Self {
        Self::default()
    }

    fn parse(&mut self, _direction: Direction, input: &Input<'_>, _settings: &Settings) -> Step<Self::Frame> {
        match input.call() {
            [] => Step::NeedMore,
            datagram @ [b'?' | b'!', id, name @ ..] => {
                Step::Frame(((*id).into(), text(name)), datagram.len() as u64)
            }
            _ => Step::Resync,
        }
    }

    fn pair(&mut self, direction: Direction, frame: Self::Frame, extent: &Extent, scene: &mut Scene<'_>) {
        match direction {
            Direction::Received => self.waiting.open(frame.0, frame.1, extent, scene),
            Direction::Sent => self.waiting.close(Some(frame.0), Some(extent), Ending::Answered, scene),
        }
    }

    common!();
}

/// Text; the server greets, then answers line for line. `SWITCH token` hands over, `HANG` gives up.
#[derive(Default)]
struct Greeting {
    waiting: Waiting,
    greeted: bool,
    successor: Option<Successor>,
}

impl Protocol for Greeting {
    type Frame = String;
    const NAME: &'static str = "greeting";
    const POLICY: Policy = Policy::Full;

    fn detect(sight: &Sight<'_>, _settings: &Settings) -> Detection {
        let (sent, greeting) = (sight.sent.bytes, b"220 hello");
        match (sent.starts_with(greeting), greeting.starts_with(sent)) {
            (true, _) => Detection::Certain,
            (false, true) => Detection::Unsure,
            (false, false) => Detection::NotForUs,
        }
    }

    fn begin(_sight: &Sight<'_>) -> Self {
        Self::default()
    }

    fn parse(&mut self, direction: Direction, input: &Input<'_>, settings: &Settings) -> Step<String> {
        if let Some(successor) = self.successor.take() {
            return Step::HandOver(successor);
        }
        if direction == Direction::Received && !self.greeted {
            return Step::Wait;
        }
        let mut cursor = Cursor::new(input.bytes());
        match cursor.line() {
            Some(b"HANG") => Step::GiveUp,
            Some(line) => Step::Frame(text(line), cursor.place() as u64),
            None if input.bytes().len() > settings.max_text => Step::GiveUp,
            None => Step::NeedMore,
        }
    }

    fn pair(&mut self, direction: Direction, frame: String, extent: &Extent, scene: &mut Scene<'_>) {
        match direction {
            Direction::Received => self.waiting.open(0, frame, extent, scene),
            Direction::Sent if !self.greeted => self.greeted = true,
            Direction::Sent => {
                let token = frame.strip_prefix("SWITCH ").map(str::to_owned);
                self.successor = token.map(Successor::Token);
                self.waiting.close(None, Some(extent), Ending::Answered, scene);
            }
        }
    }

    common!();
}

static SKETCHES: [Entry; 4] =
    [Entry::of::<Prefixed>(), Entry::of::<Multiplexed>(), Entry::of::<Datagrams>(), Entry::of::<Greeting>()];

fn exchanges(calls: Vec<Call>) -> Vec<(String, u64, Ending)> {
    let mut bench = Bench::new(&SKETCHES, Side::Server);
    bench.play(&talk(calls)).finish(Ending::Closed, u64::MAX);
    testing::every_opening_ends_once(&bench.out);
    bench
        .exchanges()
        .map(|exchange| {
            (
                exchange.method.to_string(),
                exchange.response.map_or(0, |response| response.offset),
                exchange.ending,
            )
        })
        .collect()
}

fn answered(what: &str, offset: u64) -> (String, u64, Ending) {
    (what.to_owned(), offset, Ending::Answered)
}

fn prefixed(payload: &str) -> Vec<u8> {
    let length = payload.len() as u16;
    [&MAGIC.to_be_bytes()[..], &length.to_be_bytes(), payload.as_bytes()].concat()
}

fn multiplexed(id: u8, payload: &str) -> Vec<u8> {
    [&[b'M', b'X', id, payload.len() as u8], payload.as_bytes()].concat()
}

#[test]
fn a_binary_protocol_answers_in_order() {
    let calls =
        vec![received([prefixed("a"), prefixed("b")].concat()), sent(prefixed("x")), sent(prefixed("y"))];
    assert_eq!(exchanges(calls), [answered("a", 5000), answered("b", 5005)]);
}

#[test]
fn a_cut_frame_is_told_at_once_and_its_rest_is_skipped() {
    use wirespan_protocol::stream::Gap;
    let cut = received([0xCA, 0xFE, 0, 100, b'h', b'i']).gap(Gap::NotCopied, 90).then("12345678");
    let calls = vec![cut, sent(prefixed("x")), received(prefixed("b")), sent(prefixed("y"))];
    assert_eq!(exchanges(calls), [answered("hi", 5000), answered("b", 5005)]);
}

#[test]
fn a_multiplexed_protocol_answers_in_any_order() {
    let calls = vec![
        received([multiplexed(1, "a"), multiplexed(2, "b")].concat()),
        sent(multiplexed(2, "")),
        sent(multiplexed(1, "")),
    ];
    assert_eq!(exchanges(calls), [answered("b", 5000), answered("a", 5004)]);
}

#[test]
fn datagrams_are_frames_of_their_own() {
    let calls = vec![received("?1one"), received("?2two"), sent("!2"), sent("!1"), received("?3")];
    let lost = ("".to_owned(), 0, Ending::Closed);
    assert_eq!(exchanges(calls), [answered("two", 5000), answered("one", 5002), lost]);
}

#[test]
fn a_server_may_speak_first() {
    let calls =
        vec![sent("220 hello\r\n"), received("one\n"), sent("250\n"), received("two\n"), sent("250\n")];
    assert_eq!(exchanges(calls), [answered("one", 5011), answered("two", 5015)]);
}

#[test]
fn a_token_hands_over_to_the_protocol_that_claims_it() {
    let calls = vec![
        sent("220 hello\n"),
        received("please\n"),
        sent("SWITCH mux\n"),
        received(multiplexed(9, "m")),
        sent(multiplexed(9, "")),
    ];
    assert_eq!(exchanges(calls), [answered("please", 5010), answered("m", 5021)]);
}

#[test]
fn what_an_unproven_protocol_opened_is_withdrawn_when_it_gives_up() {
    let mut bench = Bench::new(&SKETCHES, Side::Server);
    bench.play(&talk(vec![sent("220 hello\n"), received("one\n"), received("HANG\n")]));
    assert!(matches!(bench.out[..], [Output::Opened(_), Output::Withdrawn(_)]), "{:?}", bench.out);
    assert_eq!((bench.session.protocol(), bench.session.policy()), (None, Policy::Ignore));
}

/// Whatever its numbers may mean to a protocol: hellos of every length that clients send, and what older connections say.
#[test]
fn what_is_encrypted_is_left_alone_from_its_first_bytes() {
    let begin = |kind: u8, length: u16, body: &[u8]| {
        let [high, low] = length.to_be_bytes();
        [&[kind, 3, 1, high, low][..], body, &[0x5a; 64]].concat()
    };
    for length in 60..2000_u16 {
        for first in
            [begin(0x16, length, &[1, 0, 0, 8, 3, 3]), begin(0x17, length, b"GET / HTTP/1.1\r\n\r\n")]
        {
            let mut bench = Bench::new(REGISTRY, Side::Client);
            bench.play(&[sent(first)]);
            assert!(bench.out.is_empty(), "{length}");
            assert_eq!(
                (bench.session.protocol(), bench.session.policy()),
                (None, Policy::Ignore),
                "{length}"
            );
        }
    }
}

#[test]
fn a_loss_ends_what_waits() {
    use wirespan_protocol::stream::Gap;
    let lost = sent("").gap(Gap::Lost, 5);
    let calls = vec![received(prefixed("a")), sent(prefixed("x")), received(prefixed("b")), lost];
    assert_eq!(exchanges(calls), [answered("a", 5000), ("b".to_owned(), 0, Ending::Lost)]);
}

/// A conversation of each protocol that is cut anywhere; datagrams are not.
fn conversations() -> [Vec<Call>; 3] {
    [
        vec![
            received([prefixed("one"), prefixed(""), prefixed("three")].concat()),
            sent([prefixed("1"), prefixed("22"), prefixed("333")].concat()),
        ],
        vec![
            received([multiplexed(1, "a"), multiplexed(2, "bcd")].concat()),
            sent([multiplexed(2, "x"), multiplexed(1, "")].concat()),
        ],
        vec![sent("220 hello\r\n"), received("one\r\ntwo\n"), sent("250\n251\n")],
    ]
}

#[test]
fn any_prefix_waits() {
    for calls in conversations() {
        testing::prefixes_wait(&SKETCHES, Side::Server, &talk(calls));
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same(cuts in prop::collection::vec(1_usize..12, 1..9)) {
        for calls in conversations() {
            testing::same_for_any_split(&SKETCHES, Side::Server, &talk(calls), &cuts);
        }
    }

    #[test]
    fn anything_at_all_is_bounded(calls in prop::collection::vec((any::<bool>(), piece()), 0..24)) {
        let direction = |first| if first { Direction::Received } else { Direction::Sent };
        let calls = calls.into_iter().map(|(first, bytes)| call(direction(first), bytes)).collect();
        testing::bounded(&SKETCHES, Side::Server, &talk(calls));
    }
}

/// Random bytes, and what looks like a frame.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(prefixed("x")),
        Just(multiplexed(1, "x")),
        Just(b"?1x".to_vec()),
        Just(b"220 hello\n".to_vec()),
        Just(b"SWITCH mux\n".to_vec()),
    ]
}
