//! Kafka with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{
    exchange::Ending,
    testing::{self, Bench},
};

use crate::{Call, Exchange, REGISTRY, noise, properties, rubbish, side, talk, together, turns};

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
fn turn(correlation: u32) -> impl Strategy<Value = Exchange> {
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
                    (request(0, 3, correlation, &body), answer(correlation, &said))
                }
                1 => (
                    request(3, 1, correlation, &[b"\0\0\0\x01", &topic[..]].concat()),
                    answer(correlation, &other),
                ),
                2 => (request(1, 12, correlation, &body), answer(correlation, &other)),
                3 => (request(12, 4, correlation, &body), answer(correlation, &other)),
                _ => (request(key.min(40), 0, correlation, &body), answer(correlation, &other)),
            }
        },
    )
}

/// Numbers count up from 0.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    let exchanges = (1..20_u32).prop_flat_map(|many| (0..many).map(turn).collect::<Vec<_>>());
    (exchanges, any::<bool>()).prop_map(|(exchanges, pipelined)| {
        talk(if pipelined { together(exchanges) } else { turns(exchanges) })
    })
}

/// Pieces of Kafka and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..9_u32).prop_flat_map(turn).prop_map(|(ask, answer)| [ask, answer].concat()),
        1 => Just(request(0, 9, 1, &[0xff; 20])),
        1 => Just(b"\x06\x00\x00\x00\0\0\0\x03\0\0\0\x01\0\x03app".to_vec()),
        1 => Just(answer(1, b"\x7f\xff\xff\xff\x7f\xff\xff\xff")),
        1 => rubbish(),
    ]
}

properties!(unanswered, 256, conversation(), conversation(), noise(piece()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_request_is_one_exchange(calls in conversation(), side in side()) {
        let mut bench = Bench::new(REGISTRY, side);
        bench.play(&calls).finish(Ending::Closed, u64::MAX);
        testing::every_opening_ends_once(&bench.out);
        let numbers: Vec<_> = bench.exchanges().map(|exchange| exchange.key.sub).collect();
        prop_assert!((0..numbers.len() as u64).all(|number| numbers.contains(&number)), "{:?}", numbers);
        prop_assert!(bench.exchanges().all(|exchange| exchange.ending == Ending::Answered));
    }
}
