//! The three properties of every parser, for DNS with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{
    event::Direction,
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Call, call, talk},
};

/// A question and its answer, behind their lengths.
fn exchange() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let labels = prop::collection::vec("[a-zA-Z0-9_-]{1,12}", 0..4);
    let kind = prop_oneof![Just(1_u8), Just(28), Just(5), Just(16)];
    (any::<u16>(), labels, kind, 0_u8..6, any::<bool>()).prop_map(|(id, labels, kind, code, edns)| {
        let mut name = Vec::new();
        for label in labels {
            name.push(label.len() as u8);
            name.extend(label.into_bytes());
        }
        name.extend([0, 0, kind, 0, 1]);
        let more: &[u8] = if edns { b"\0\0\x29\x04\xd0\0\0\0\0\0\0" } else { b"" };
        let ask =
            [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)], &name[..], more].concat();
        let record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x09\0\x04\x0a\x01\x02\x03";
        let head = [0x81, 0x80 | code, 0, 1, 0, 1, 0, 0, 0, u8::from(edns)];
        let answer = [&id.to_be_bytes()[..], &head, &name[..], record, more].concat();
        (framed(&ask), framed(&answer))
    })
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// Questions and answers in turn, or all questions first and the last one's answer first.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    (prop::collection::vec(exchange(), 1..12), any::<bool>()).prop_map(|(exchanges, pipelined)| {
        let (asks, mut answers): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
        if pipelined {
            answers.reverse();
            let (asks, answers) = (asks.concat(), answers.concat());
            return talk(vec![call(Direction::Sent, asks), call(Direction::Received, answers)]);
        }
        let turns = asks.into_iter().zip(answers);
        talk(turns.flat_map(|(ask, answer)| [testing::sent(ask), testing::received(answer)]).collect())
    })
}

/// Pieces of DNS and of nothing, with gaps of all kinds.
fn noise() -> impl Strategy<Value = Vec<Call>> {
    let piece = prop_oneof![
        exchange().prop_map(|(ask, _)| ask),
        exchange().prop_map(|(_, answer)| answer),
        exchange().prop_map(|(ask, _)| ask[2..].to_vec()),
        exchange().prop_map(|(_, answer)| answer[2..].to_vec()),
        Just(b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let gap = prop_oneof![Just(Gap::NotCopied), Just(Gap::Lost), Just(Gap::IoUring)];
    let gap = prop::option::weighted(0.2, (gap, 1_u64..1 << 40));
    let call = (any::<bool>(), piece, gap, "[ -~\r\n]{0,9}").prop_map(|(first, bytes, gap, tail)| {
        let call = call(if first { Direction::Received } else { Direction::Sent }, bytes);
        gap.map_or(call.clone(), |(gap, length)| call.gap(gap, length).then(tail))
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
    fn every_answered_question_is_in_one_exchange(calls in conversation(), side in side()) {
        let mut bench = testing::Bench::new(REGISTRY, side);
        bench.play(&calls);
        prop_assert!(bench.exchanges().count() > 0);
        testing::every_opening_ends_once(&bench.out);
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
