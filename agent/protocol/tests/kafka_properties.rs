//! The three properties of every parser, for Kafka with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{
    event::Direction,
    exchange::Ending,
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Bench, Call, call, talk},
};

fn sized(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).expect("short").to_be_bytes()[..], body].concat()
}

fn request(key: u16, version: u16, correlation: u32, body: &[u8]) -> Vec<u8> {
    let head =
        [&key.to_be_bytes()[..], &version.to_be_bytes(), &correlation.to_be_bytes(), b"\0\x03app"].concat();
    sized(&[&head, body].concat())
}

fn answer(correlation: u32, body: &[u8]) -> Vec<u8> {
    sized(&[&correlation.to_be_bytes()[..], body].concat())
}

fn named(topic: &str) -> Vec<u8> {
    [&u16::try_from(topic.len()).expect("short").to_be_bytes()[..], topic.as_bytes()].concat()
}

/// A question and its answer; of kinds with tables, of flexible versions, of any body.
fn turn(correlation: u32) -> impl Strategy<Value = [Vec<u8>; 2]> {
    let any_body = prop::collection::vec(any::<u8>(), 0..60);
    (0_u8..5, "[a-z]{1,9}", any_body.clone(), any_body, 0_u16..90).prop_map(
        move |(kind, topic, body, other, key)| {
            let topic = named(&topic);
            match kind {
                0 => {
                    let records = sized(&body);
                    let body = [
                        b"\xff\xff\xff\xff\0\0\0\x01\0\0\0\x01",
                        &topic[..],
                        b"\0\0\0\x01\0\0\0\0",
                        &records,
                    ]
                    .concat();
                    let said = [b"\0\0\0\x01", &topic[..], b"\0\0\0\x01\0\0\0\0\0\x03"].concat();
                    [request(0, 3, correlation, &body), answer(correlation, &said)]
                }
                1 => [
                    request(3, 1, correlation, &[b"\0\0\0\x01", &topic[..]].concat()),
                    answer(correlation, &other),
                ],
                2 => [request(1, 12, correlation, &body), answer(correlation, &other)],
                3 => [request(12, 4, correlation, &body), answer(correlation, &other)],
                _ => [request(key.min(40), 0, correlation, &body), answer(correlation, &other)],
            }
        },
    )
}

fn conversation() -> impl Strategy<Value = Vec<Call>> {
    let turns = (1..20_u32).prop_flat_map(|many| (0..many).map(turn).collect::<Vec<_>>());
    (turns, any::<bool>()).prop_map(|(turns, pipelined)| {
        if pipelined {
            let (asks, answers): (Vec<_>, Vec<_>) =
                turns.into_iter().map(|[ask, answer]| (ask, answer)).unzip();
            return talk(vec![testing::sent(asks.concat()), testing::received(answers.concat())]);
        }
        let turns = turns.into_iter();
        talk(turns.flat_map(|[ask, answer]| [testing::sent(ask), testing::received(answer)]).collect())
    })
}

/// Pieces of Kafka and of nothing, with gaps of all kinds.
fn noise() -> impl Strategy<Value = Vec<Call>> {
    let bytes = prop_oneof![
        4 => (0..9_u32).prop_flat_map(turn).prop_map(|turn| turn.concat()),
        1 => Just(request(0, 9, 1, &[0xff; 20])),
        1 => Just(b"\x06\x00\x00\x00\0\0\0\x03\0\0\0\x01\0\x03app".to_vec()),
        1 => Just(answer(1, b"\x7f\xff\xff\xff\x7f\xff\xff\xff")),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let gap = prop_oneof![Just(Gap::NotCopied), Just(Gap::Lost), Just(Gap::IoUring)];
    let gap = prop::option::weighted(0.2, (gap, 1_u64..1 << 40));
    let call = (any::<bool>(), bytes, gap).prop_map(|(first, bytes, gap)| {
        let call = call(if first { Direction::Received } else { Direction::Sent }, bytes);
        gap.map_or(call.clone(), |(gap, length)| call.gap(gap, length))
    });
    prop::collection::vec(call, 0..30).prop_map(talk)
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Unknown)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_split_gives_the_same(calls in conversation(), cuts in prop::collection::vec(1_usize..40, 1..12), side in side()) {
        testing::same_for_any_split(REGISTRY, side, &calls, &cuts);
    }

    #[test]
    fn every_request_is_one_exchange(calls in conversation(), side in side()) {
        let mut bench = Bench::new(REGISTRY, side);
        bench.play(&calls).finish(Ending::Closed, u64::MAX);
        testing::every_opening_ends_once(&bench.out);
        let numbers: Vec<_> = bench.exchanges().map(|exchange| exchange.key.sub).collect();
        prop_assert!((0..numbers.len() as u64).all(|number| numbers.contains(&number)), "{:?}", numbers);
        prop_assert!(bench.exchanges().all(|exchange| exchange.ending == Ending::Answered));
    }

    #[test]
    fn any_prefix_waits(calls in conversation(), side in side()) {
        testing::prefixes_wait(REGISTRY, side, &calls);
    }

    #[test]
    fn anything_at_all_is_bounded(calls in noise(), side in side()) {
        testing::bounded(REGISTRY, side, &calls);
    }
}
