//! What the tests of messaging protocols share: recorded conversations in, a line for each exchange out.

use wirespan_protocol::{
    event::Direction,
    exchange::{Ending, Exchange, Output, Target, Value},
    facts::Side,
    registry::REGISTRY,
    testing::{self, Bench, Call, Part, every_opening_ends_once},
};

/// What no test may show: it stands in every recorded message.
const SECRET: &str = "hush";

/// One attribute as text.
pub(crate) fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    let (_, value) = exchange.attributes.iter().find(|(found, _)| found == name)?;
    Some(match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        other => format!("{other:?}"),
    })
}

/// Name, then what `labels` (a word, an attribute) tell of it, then what is not as usual.
fn line(exchange: &Exchange, labels: &[(&str, &str)]) -> String {
    let mut line = exchange.method.to_string();
    if let Target::Destination(name) = &exchange.target {
        line = format!("{line} {name}");
    }
    for (label, name) in labels {
        if let Some(value) = attribute(exchange, name) {
            line = format!("{line}, {label} {value}");
        }
    }
    if !exchange.links.is_empty() {
        line = format!("{line}, links {}", exchange.links.len());
    }
    match &exchange.outcome {
        wirespan_protocol::exchange::Outcome::Error(name, _) => line = format!("{line}, error {name}"),
        wirespan_protocol::exchange::Outcome::Unset if exchange.ending != Ending::Answered => {
            line = format!("{line}, {:?}", exchange.ending);
        }
        wirespan_protocol::exchange::Outcome::Unset => {}
    }
    line
}

/// Plays the calls; what is known while the connection is open.
pub(crate) fn play(calls: &[Call], side: Side) -> Bench {
    let mut bench = Bench::new(REGISTRY, side);
    bench.play(calls);
    let shown = format!("{:?}", bench.out);
    assert!(!shown.contains(SECRET), "a payload got out: {shown}");
    bench
}

/// A line for each exchange of the calls, up to the connection's end.
pub(crate) fn lines(calls: &[Call], side: Side, labels: &[(&str, &str)]) -> Vec<String> {
    let mut bench = play(calls, side);
    bench.finish(Ending::Closed, u64::MAX);
    every_opening_ends_once(&bench.out);
    bench.exchanges().map(|exchange| line(exchange, labels)).collect()
}

/// Both sides of a recorded conversation show the same exchanges, and the three properties hold for it.
pub(crate) fn shows(recording: &str, labels: &[(&str, &str)], expected: &[&str]) {
    for side in [Side::Client, Side::Server] {
        let calls = testing::recorded(recording, side);
        assert_eq!(lines(&calls, side, labels), expected, "{side:?}");
        for cuts in [&[1][..], &[7, 3, 100], &[5], &[64, 1]] {
            testing::same_for_any_split(REGISTRY, side, &calls, cuts);
        }
        testing::prefixes_wait(REGISTRY, side, &calls);
        testing::bounded(REGISTRY, side, &calls);
    }
}

/// The calls from the first one on that holds `text`, as a daemon sees them that came later than the connection.
pub(crate) fn from<'a>(calls: &'a [Call], text: &[u8]) -> &'a [Call] {
    let holds = |call: &Call| {
        call.parts.iter().any(|part| match part {
            Part::Bytes(bytes) => bytes.windows(text.len()).any(|window| window == text),
            Part::Gap(..) => false,
        })
    };
    let place = calls.iter().position(holds).expect("a call holds it");
    &calls[place..]
}

/// Of the calls of one direction, the `which`th is not there: its bytes were lost.
pub(crate) fn without(calls: &[Call], direction: Direction, which: usize) -> Vec<Call> {
    let mut calls = calls.to_vec();
    let concerned = calls.iter_mut().filter(|call| call.direction == direction).nth(which).expect("a call");
    let length: u64 = concerned
        .parts
        .iter()
        .map(|part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Gap(_, length) => *length,
        })
        .sum();
    concerned.parts = vec![Part::Gap(wirespan_protocol::stream::Gap::Lost, length)];
    calls
}

/// Trace contexts of all requests.
pub(crate) fn carriers(bench: &Bench) -> Vec<String> {
    let opened = bench.out.iter().filter_map(|output| match output {
        Output::Opened(opening) => Some(opening),
        _ => None,
    });
    opened
        .flat_map(|opening| opening.carrier.iter().map(|(name, value)| format!("{name}: {value}")))
        .collect()
}
