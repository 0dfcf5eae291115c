//! What the tests of both versions of HTTP share: calls in, what is known of the exchanges out.

use wirespan_protocol::{
    exchange::{Ending, Exchange, Target, Value},
    facts::Side,
    registry::REGISTRY,
    testing::{Bench, Call, STEP, every_opening_ends_once, talk},
};

/// What is known while the connection is open.
pub(crate) fn played(side: Side, calls: Vec<Call>) -> Bench {
    let mut bench = Bench::new(REGISTRY, side);
    bench.play(&talk(calls));
    bench
}

/// What is known when it is closed.
pub(crate) fn ended(side: Side, calls: Vec<Call>, ending: Ending) -> Bench {
    let mut bench = played(side, calls);
    bench.finish(ending, 100 * STEP);
    every_opening_ends_once(&bench.out);
    bench
}

/// The response's status; `-` where there is none.
pub(crate) fn status(exchange: &Exchange) -> String {
    let status = exchange.attributes.iter().find(|(name, _)| name == "http.response.status_code");
    match status {
        Some((_, Value::Int(status))) => status.to_string(),
        _ => "-".to_owned(),
    }
}

/// The path that was asked for; `-` where there is none.
pub(crate) fn path(exchange: &Exchange) -> &str {
    if let Target::Path(path) = &exchange.target { path } else { "-" }
}

/// Length of a body, bytes; `?` where it is not known.
pub(crate) fn size(body: Option<u64>) -> String {
    body.map_or("?".to_owned(), |bytes| bytes.to_string())
}
