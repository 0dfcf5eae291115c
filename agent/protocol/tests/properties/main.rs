//! The three properties that every parser holds (any split gives the same, any prefix waits, anything at all is bounded),
//! for each protocol with random conversations and random noise. Here is what they share.

mod amqp;
mod dns;
#[path = "../documents/mod.rs"]
mod documents;
mod fastcgi;
#[path = "../frames/mod.rs"]
mod frames;
mod http;
mod http2;
mod kafka;
mod memcached;
mod mongodb;
#[path = "../records/mod.rs"]
mod records;
mod redis;
mod sql;
mod websocket;

use proptest::prelude::*;
use wirespan_protocol::{
    event::Direction,
    exchange::Output,
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Bench, Call, call, received, sent, talk},
};

/// What a client writes, and what the server answers.
type Exchange = (Vec<u8>, Vec<u8>);

/// Requests and answers in turn.
fn turns(exchanges: Vec<Exchange>) -> Vec<Call> {
    exchanges.into_iter().flat_map(|(ask, answer)| [sent(ask), received(answer)]).collect()
}

/// All requests, then all answers.
fn together(exchanges: Vec<Exchange>) -> Vec<Call> {
    let (asks, answers): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
    vec![sent(asks.concat()), received(answers.concat())]
}

/// So many exchanges, in turn or all requests first.
fn conversation(
    exchange: impl Strategy<Value = Exchange>,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Call>> {
    (prop::collection::vec(exchange, count), any::<bool>()).prop_map(|(exchanges, pipelined)| {
        talk(if pipelined { together(exchanges) } else { turns(exchanges) })
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Received), Just(Direction::Sent)]
}

/// Bytes that are not there, of any kind, up to `longest`.
fn gap(longest: u64) -> impl Strategy<Value = (Gap, u64)> {
    (prop_oneof![Just(Gap::NotCopied), Just(Gap::Lost), Just(Gap::IoUring)], 1..longest)
}

/// Pieces in either direction, some with a gap and something else behind.
fn noise(piece: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<Call>> {
    let tail =
        prop_oneof!["[ -~\r\n]{0,9}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..20)];
    let gap = prop::option::weighted(0.2, gap(1 << 40));
    let call = (direction(), piece, gap, tail).prop_map(|(direction, piece, gap, tail)| {
        let call = call(direction, piece);
        gap.map_or(call.clone(), |(gap, length)| call.gap(gap, length).then(tail))
    });
    prop::collection::vec(call, 0..30).prop_map(talk)
}

/// Random bytes that mean nothing.
fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

/// Who connected may be known or not.
fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Unknown)]
}

/// Each request is opened, and what was opened ends once.
fn every_request_ends(side: Side, calls: &[Call]) {
    let mut bench = Bench::new(REGISTRY, side);
    bench.play(calls);
    assert!(bench.out.iter().any(|output| matches!(output, Output::Opened(_))), "nothing was understood");
    testing::every_opening_ends_once(&bench.out);
}

/// The properties as tests: number of cases, answered conversations, conversations of which any prefix waits, noise. Whose
/// requests may go unanswered says so in front, and has a test of its own in place of `every_request_ends`.
macro_rules! properties {
    ($cases:literal, $conversation:expr, $noise:expr) => {
        properties!($cases, $conversation, $conversation, $noise);
    };
    ($cases:literal, $conversation:expr, $prefixes:expr, $noise:expr) => {
        properties!(unanswered, $cases, $conversation, $prefixes, $noise);

        proptest::proptest! {
            #![proptest_config(proptest::prelude::ProptestConfig::with_cases($cases))]

            #[test]
            fn every_request_ends(calls in $conversation, side in crate::side()) {
                crate::every_request_ends(side, &calls);
            }
        }
    };
    (unanswered, $cases:literal, $conversation:expr, $prefixes:expr, $noise:expr) => {
        proptest::proptest! {
            #![proptest_config(proptest::prelude::ProptestConfig::with_cases($cases))]

            #[test]
            fn any_split_gives_the_same(
                calls in $conversation,
                cuts in proptest::collection::vec(1_usize..40, 1..12),
                side in crate::side(),
            ) {
                wirespan_protocol::testing::same_for_any_split(crate::REGISTRY, side, &calls, &cuts);
            }

            #[test]
            fn any_prefix_waits(calls in $prefixes, side in crate::side()) {
                wirespan_protocol::testing::prefixes_wait(crate::REGISTRY, side, &calls);
            }

            #[test]
            fn anything_at_all_is_bounded(calls in $noise, side in crate::side()) {
                wirespan_protocol::testing::bounded(crate::REGISTRY, side, &calls);
            }
        }
    };
}
use properties;
