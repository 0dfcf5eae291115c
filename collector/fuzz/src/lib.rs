//! Comes in: bytes. Goes out: nothing; a property of the collector that does not hold panics. One file a target, for
//! libFuzzer and, with a few inputs each, for a plain test of the collector (`collector/tests/fuzz.rs`).

mod api;
mod grpc;
mod jaeger;
mod otlp;
mod pieces;
mod printed;
mod running;
mod search;
mod shop;
mod sql_query;
mod traceql;
mod zipkin;

pub use api::api;
pub use jaeger::jaeger;
pub use otlp::otlp;
pub use search::search;
pub use sql_query::sql_query;
pub use traceql::traceql;
pub use zipkin::zipkin;

use printed::printed;
use shop::{embedded, memory, spans};

/// A query from random bytes: each chooses one of `pieces`, which gets `after` after it. Bytes that choose none stand for
/// themselves, so that whatever text there is can come up.
fn query(pieces: &[&str], after: &str, bytes: &[u8]) -> String {
    let piece = |byte: &u8| match pieces.get(usize::from(*byte).wrapping_sub(128)) {
        Some(piece) => format!("{piece}{after}"),
        None => char::from(*byte).to_string(),
    };
    bytes.iter().take(512).map(piece).collect()
}
