//! The three properties of every parser, for Redis with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{
    event::Direction,
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Call, call, talk},
};

fn command() -> impl Strategy<Value = String> {
    let words = |words: Vec<String>| {
        let head = format!("*{}\r\n", words.len());
        words.iter().fold(head, |text, word| text + &format!("${}\r\n{word}\r\n", word.len()))
    };
    let name = prop_oneof![
        Just("GET"),
        Just("set"),
        Just("MGET"),
        Just("EVAL"),
        Just("XREAD"),
        Just("SELECT"),
        Just("MULTI"),
        Just("EXEC"),
        Just("CONFIG"),
        Just("ZUNIONSTORE")
    ];
    let argument = prop_oneof![4 => "[ -~\r\n]{0,12}", 1 => "[0-9]{1,3}", 1 => "[a-z]{300,600}", 1 => Just("STREAMS".to_owned())];
    (name, prop::collection::vec(argument, 0..5))
        .prop_map(move |(name, arguments)| words(std::iter::once(name.to_owned()).chain(arguments).collect()))
}

/// Replies of all types, nested ones too.
fn reply() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "\\+[ -~]{0,9}\r\n",
        "-[A-Z]{1,9} [ -~]{0,9}\r\n",
        ":-?[0-9]{1,5}\r\n",
        ",[0-9]{1,3}\\.[0-9]\r\n",
        Just("_\r\n".to_owned()),
        Just("#t\r\n".to_owned()),
        Just("$-1\r\n".to_owned()),
        Just("*-1\r\n".to_owned()),
        Just("!9\r\nERR wrong\r\n".to_owned()),
        "[ -~\r\n]{0,20}".prop_map(|text| format!("${}\r\n{text}\r\n", text.len())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let many = prop::collection::vec(inner, 0..5);
        (many, prop_oneof![Just('*'), Just('~')])
            .prop_map(|(elements, kind)| format!("{kind}{}\r\n{}", elements.len(), elements.concat()))
    })
}

const PUSH: &str = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

/// Commands and replies in turn, or all commands first, pushed messages between the replies.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    let exchanges = prop::collection::vec((command(), reply(), any::<bool>()), 1..30);
    (exchanges, any::<bool>()).prop_map(|(exchanges, pipelined)| {
        let (asks, answers): (Vec<_>, Vec<_>) = exchanges
            .into_iter()
            .map(|(ask, answer, push)| (ask, if push { format!("{PUSH}{answer}") } else { answer }))
            .unzip();
        if pipelined {
            let (asks, answers) = (asks.concat(), answers.concat());
            return talk(vec![call(Direction::Sent, asks), call(Direction::Received, answers)]);
        }
        let turns = asks.into_iter().zip(answers);
        talk(turns.flat_map(|(ask, answer)| [testing::sent(ask), testing::received(answer)]).collect())
    })
}

/// Pieces of Redis and of nothing, with gaps of all kinds.
fn noise() -> impl Strategy<Value = Vec<Call>> {
    let text = prop_oneof![
        command(),
        reply(),
        "[ -~\r\n]{0,40}",
        Just("PING\r\n".to_owned()),
        Just("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$999999999999999999\r\n".to_owned()),
        Just("*999999999999999999\r\n*999999999999999999\r\n".to_owned()),
        Just("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n".to_owned()),
        Just("*1\r\n$7\r\nMONITOR\r\n".to_owned()),
        Just(PUSH.to_owned()),
        Just("|1\r\n+a\r\n+b\r\n".to_owned()),
    ];
    let bytes =
        prop_oneof![4 => text.prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let gap = prop_oneof![Just(Gap::NotCopied), Just(Gap::Lost), Just(Gap::IoUring)];
    let gap = prop::option::weighted(0.2, (gap, 1_u64..1 << 40));
    let call = (any::<bool>(), bytes, gap, "[ -~\r\n]{0,9}").prop_map(|(first, bytes, gap, tail)| {
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
    fn any_prefix_waits(calls in conversation(), side in side()) {
        testing::prefixes_wait(REGISTRY, side, &calls);
    }

    #[test]
    fn anything_at_all_is_bounded(calls in noise(), side in side()) {
        testing::bounded(REGISTRY, side, &calls);
    }
}
