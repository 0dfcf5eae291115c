//! Comes in: what passed between real programs, a line a read: `>` or `<` for what the client or the server wrote, then
//! the bytes, escaped. Goes out: the calls as one of the two sees them.

use wirespan_protocol::{
    event::Direction,
    exchange::{Exchange, Value},
    facts::Side,
    registry::REGISTRY,
    testing::{Bench, Call, STEP, call, every_opening_ends_once, talk},
};

/// The calls of a capture.
pub(crate) fn calls(text: &str, side: Side) -> Vec<Call> {
    let (ask, answer) = match side {
        Side::Server => (Direction::Received, Direction::Sent),
        _ => (Direction::Sent, Direction::Received),
    };
    let line = |line: &str| match line.split_once(' ').expect("a mark and bytes") {
        (">", bytes) => call(ask, unescaped(bytes)),
        ("<", bytes) => call(answer, unescaped(bytes)),
        (mark, _) => panic!("no direction: {mark}"),
    };
    talk(text.lines().map(line).collect())
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        bytes.push(match (char, char == '\\') {
            (char, false) => u8::try_from(char).expect("ASCII"),
            (_, true) => match rest.next() {
                Some('r') => b'\r',
                Some('n') => b'\n',
                Some('x') => {
                    let digits: String = rest.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).expect("two digits")
                }
                _ => b'\\',
            },
        });
    }
    bytes
}

/// Plays a capture from its first byte to the end of the connection.
pub(crate) fn play(text: &str, side: Side) -> Bench {
    let mut bench = Bench::new(REGISTRY, side);
    let calls = calls(text, side);
    bench.play(&calls);
    bench.finish(wirespan_protocol::exchange::Ending::Closed, (calls.len() as u64 + 1) * STEP);
    every_opening_ends_once(&bench.out);
    bench
}

/// One attribute as text; `-` where there is none.
pub(crate) fn attribute(exchange: &Exchange, name: &str) -> String {
    let value = exchange.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value);
    match value {
        Some(Value::Text(text)) => text.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => "-".to_owned(),
    }
}
