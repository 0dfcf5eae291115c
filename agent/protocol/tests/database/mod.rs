//! What the tests of database protocols share: recorded conversations in, a line for each exchange out.

use wirespan_protocol::{
    exchange::{Ending, Exchange, Output, Target, Value},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Bench, Call, Part, every_opening_ends_once},
};

/// What no test may show: it stands in every recorded literal, parameter and password.
const SECRET: &str = "hush";

fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    let (_, value) = exchange.attributes.iter().find(|(found, _)| found == name)?;
    Some(match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

/// Name, then what is not as usual, then the text.
pub(crate) fn line(exchange: &Exchange) -> String {
    let mut line = exchange.method.to_string();
    if let Target::Name(name) = &exchange.target {
        line = format!("{line} {name}");
    }
    for (label, name) in [
        ("rows", "db.response.returned_rows"),
        ("changed", "wirespan.affected_rows"),
        ("error", "error.type"),
        ("state", "wirespan.sqlstate"),
        ("unknown", "wirespan.statement_unknown"),
        ("compressed", "wirespan.compressed"),
    ] {
        if let Some(value) = attribute(exchange, name) {
            line = format!("{line}, {label} {value}");
        }
    }
    if exchange.ending != Ending::Answered {
        line = format!("{line}, {:?}", exchange.ending);
    }
    match attribute(exchange, "db.query.text") {
        Some(text) => format!("{line}: {text}"),
        None => line,
    }
}

/// Plays the calls; what is known while the connection is open.
pub(crate) fn play(calls: &[Call], side: Side) -> Bench {
    let mut bench = Bench::new(REGISTRY, side);
    bench.play(calls);
    let shown = format!("{:?}", bench.out);
    assert!(!shown.contains(SECRET), "a secret got out: {shown}");
    bench
}

/// A line for each exchange of the calls, up to the connection's end.
pub(crate) fn lines(calls: &[Call], side: Side) -> Vec<String> {
    let mut bench = play(calls, side);
    bench.finish(Ending::Closed, u64::MAX);
    every_opening_ends_once(&bench.out);
    bench.exchanges().map(line).collect()
}

/// Both sides of a recorded conversation show the same exchanges, and the three properties hold for it.
pub(crate) fn shows(recording: &str, expected: &[&str]) {
    for side in [Side::Client, Side::Server] {
        let calls = testing::recorded(recording, side);
        assert_eq!(lines(&calls, side), expected, "{side:?}");
        for cuts in [&[1][..], &[7, 3, 100], &[5], &[64, 1]] {
            testing::same_for_any_split(REGISTRY, side, &calls, cuts);
        }
        testing::prefixes_wait(REGISTRY, side, &calls);
        testing::bounded(REGISTRY, side, &calls);
    }
}

/// The calls from the first one on that holds `text`, as a daemon sees them that came later than the connection.
pub(crate) fn from<'a>(calls: &'a [Call], text: &str) -> &'a [Call] {
    let holds = |call: &Call| {
        call.parts.iter().any(|part| match part {
            Part::Bytes(bytes) => bytes.windows(text.len()).any(|window| window == text.as_bytes()),
            Part::Gap(..) => false,
        })
    };
    let place = calls.iter().position(holds).expect("a call holds it");
    &calls[place..]
}

/// As the kernel tells long calls: the first `head` bytes, a gap, the last 64 bytes.
pub(crate) fn cut(calls: &[Call], head: usize) -> Vec<Call> {
    calls.iter().map(|call| cut_call(call, head)).collect()
}

fn cut_call(call: &Call, head: usize) -> Call {
    let [Part::Bytes(bytes)] = call.parts.as_slice() else { return call.clone() };
    let Some(gap) = bytes.len().checked_sub(head + 64).filter(|gap| *gap > 0) else { return call.clone() };
    let (first, last) = (bytes[..head].to_vec(), bytes[head + gap..].to_vec());
    let parts = vec![Part::Bytes(first), Part::Gap(Gap::NotCopied, gap as u64), Part::Bytes(last)];
    Call { parts, ..call.clone() }
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
