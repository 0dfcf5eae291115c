//! The three properties of every parser, for Memcached with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{
    event::Direction,
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Call, call, talk},
};

/// A command of the text or the meta protocol with its answer.
fn text() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let key = "[a-z]{1,12}";
    prop_oneof![
        (key, "[ -~\r\n]{0,30}").prop_map(|(key, value)| {
            (format!("set {key} 0 0 {}\r\n{value}\r\n", value.len()), "STORED\r\n".to_owned())
        }),
        (key, "[ -~\r\n]{0,30}").prop_map(|(key, value)| {
            let answer = format!("VALUE {key} 0 {}\r\n{value}\r\nEND\r\n", value.len());
            (format!("get {key} other\r\n"), answer)
        }),
        key.prop_map(|key| (format!("incr {key} 1\r\n"), "12\r\n".to_owned())),
        key.prop_map(|key| (format!("delete {key}\r\n"), "NOT_FOUND\r\n".to_owned())),
        (key, "[ -~\r\n]{0,30}").prop_map(|(key, value)| {
            (format!("mg {key} v\r\n"), format!("VA {}\r\n{value}\r\n", value.len()))
        }),
        key.prop_map(|key| (format!("mg {key} v q\r\nmn\r\n"), "MN\r\n".to_owned())),
        key.prop_map(|key| (format!("append {key} 0 0 1\r\nx\r\n"), "SERVER_ERROR no\r\n".to_owned())),
        Just(("stats\r\n".to_owned(), "STAT a 1\r\nSTAT b 2\r\nEND\r\n".to_owned())),
    ]
    .prop_map(|(ask, answer)| (ask.into_bytes(), answer.into_bytes()))
}

fn packet(magic: u8, opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body = (extras.len() + key.len() + value.len()) as u32;
    let mut bytes = vec![magic, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    bytes.extend(body.to_be_bytes());
    bytes.extend([0; 12]);
    [bytes.as_slice(), extras, key, value].concat()
}

/// A command of the binary protocol with its answer.
fn binary() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (prop_oneof![Just(0_u8), Just(1), Just(9), Just(10)], "[a-z]{1,9}", "[ -~]{0,20}").prop_map(
        |(opcode, key, value)| match opcode {
            0 => (packet(0x80, 0, b"", key.as_bytes(), b""), packet(0x81, 0, &[0; 4], b"", value.as_bytes())),
            1 => (packet(0x80, 1, &[0; 8], key.as_bytes(), value.as_bytes()), packet(0x81, 1, b"", b"", b"")),
            9 => {
                let quiet = packet(0x80, 9, b"", key.as_bytes(), b"");
                ([quiet, packet(0x80, 10, b"", b"", b"")].concat(), packet(0x81, 10, b"", b"", b""))
            }
            _ => (packet(0x80, 10, b"", b"", b""), packet(0x81, 10, b"", b"", b"")),
        },
    )
}

/// Commands and answers in turn, or all commands first.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    let exchanges = prop_oneof![prop::collection::vec(text(), 1..30), prop::collection::vec(binary(), 1..30)];
    (exchanges, any::<bool>()).prop_map(|(exchanges, pipelined)| {
        let (asks, answers): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
        if pipelined {
            let (asks, answers) = (asks.concat(), answers.concat());
            return talk(vec![call(Direction::Sent, asks), call(Direction::Received, answers)]);
        }
        let turns = asks.into_iter().zip(answers);
        talk(turns.flat_map(|(ask, answer)| [testing::sent(ask), testing::received(answer)]).collect())
    })
}

/// Pieces of Memcached and of nothing, with gaps of all kinds.
fn noise() -> impl Strategy<Value = Vec<Call>> {
    let piece = prop_oneof![
        text().prop_map(|(ask, _)| ask),
        text().prop_map(|(_, answer)| answer),
        binary().prop_map(|(ask, _)| ask),
        binary().prop_map(|(_, answer)| answer),
        Just(b"set a 0 0 999999999999999999\r\n".to_vec()),
        Just(b"VALUE a 0 999999999999999999\r\n".to_vec()),
        Just(b"STAT a b\r\n".to_vec()),
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
    fn every_answered_command_is_in_one_exchange(calls in conversation(), side in side()) {
        let mut bench = testing::Bench::new(REGISTRY, side);
        bench.play(&calls);
        prop_assert!(bench.exchanges().count() > 0);
        testing::every_opening_ends_once(&bench.out);
    }

    #[test]
    fn any_prefix_waits(mut calls in conversation(), side in side()) {
        // A command that is unusual enough to tell the protocol by itself.
        calls.insert(0, testing::sent("set a 0 0 1\r\nx\r\n"));
        calls.insert(1, testing::received("STORED\r\n"));
        let calls = talk(calls);
        testing::prefixes_wait(REGISTRY, side, &calls);
    }

    #[test]
    fn anything_at_all_is_bounded(calls in noise(), side in side()) {
        testing::bounded(REGISTRY, side, &calls);
    }
}
