//! Comes in: random bytes, read as pieces of a condition, an order and a page. Goes out: nothing; an answer of the embedded
//! store that is not the memory store's panics.

use wirespan_query::traceql::parse;
use wirespan_store::{Search, Sort, Store};

use super::{embedded, memory, query};

const PIECES: &[&str] = &[
    "(",
    ")",
    "&&",
    "||",
    "!",
    "=",
    "!=",
    "=~",
    "!~",
    ">",
    ">=",
    "<",
    "<=",
    "name",
    "kind",
    "status",
    "statusMessage",
    "duration",
    "span:id",
    "span:parentID",
    "trace:id",
    "event:name",
    "instrumentation:name",
    "instrumentation:version",
    ".a",
    "span.a",
    "event.a",
    "link.a",
    "instrumentation.a",
    "resource.a",
    ".b",
    ".c",
    ".tags",
    ".url.path",
    ".http.response.status_code",
    ".server.port",
    "resource.service.name",
    ".service.name",
    "span.service.name",
    "resource.host.name",
    "error",
    "unset",
    "server",
    "client",
    "nil",
    "true",
    "false",
    "\"GET /1\"",
    "\"web\"",
    "\"x\"",
    "\"80\"",
    "\"/cart/7\"",
    "`.*[37]`",
    "1ms",
    "4ms",
    "7",
    "-3",
    "0.25",
    "500",
];

/// One input.
pub fn search(bytes: &[u8]) {
    let Some(([how, page], rest)) = bytes.split_first_chunk() else { return };
    let text = format!("{{ {} }}", query(PIECES, " ", rest));
    let Ok(found) = parse(&text) else { return };
    let Some(filter) = found.simple() else { return };
    let sort = [Sort::Newest, Sort::Oldest, Sort::Longest, Sort::Shortest][usize::from(how % 4)];
    let search = Search {
        sort,
        offset: usize::from(page >> 4),
        per_trace: how & 4 != 0,
        count: how & 8 != 0,
        ..Search::new(filter.clone(), usize::from(page % 16) + 1)
    };
    let found = |store: &dyn Store| store.search(&search).expect("what is stored can be read");
    let (here, there) = (found(memory()), embedded(|store| found(store)));
    assert_eq!(here, there, "{search:?}");
}
