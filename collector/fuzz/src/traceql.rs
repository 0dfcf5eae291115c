//! Comes in: random bytes, read as pieces of TraceQL. Goes out: nothing; an error that points outside of the query panics, and
//! a query that means something else after it was written out and parsed again.

use wirespan_query::traceql::{evaluate, parse};

use super::{pieces::PIECES, printed, query, spans};

/// One input.
pub fn traceql(bytes: &[u8]) {
    let text = query(PIECES, " ", bytes);
    let found = match parse(&text) {
        Ok(found) => found,
        Err(error) => return assert!(error.at <= text.chars().count(), "{text}: {error}"),
    };
    let shown = printed(&found);
    // Brackets that were written for clarity may be one too many.
    let Ok(again) = parse(&shown) else { return assert!(shown.len() > 200, "{text}: {shown}") };
    assert_eq!(printed(&again), shown, "{text}");
    for trace in spans().chunks(3).take(4) {
        assert_eq!(evaluate(&found, trace), evaluate(&again, trace), "{text}: {shown}");
    }
}
