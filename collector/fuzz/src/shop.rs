//! Some spans with every type of value, in a memory store and, of which some are in blocks and some are not, in an embedded
//! one.

use std::sync::{Arc, LazyLock};

use tempfile::TempDir;
use wirespan_store::{
    Attribute, Embedded, Event, Kind, Link, Memory, Resource, Scope, Settings, Span, SpanId, Status,
    StatusCode, Store, TraceId, Value,
};

/// 2026-01-01, in nanoseconds since 1970.
const BEGIN: u64 = 1_767_225_600_000_000_000;
const TRACES: u64 = 24;
/// Spans of a block: three blocks and a rest.
const BLOCK: usize = 20;

/// Traces of three spans.
pub(crate) fn spans() -> Vec<Span> {
    (0..TRACES).flat_map(|n| (0..3).map(move |at| span(n, at))).collect()
}

/// Keeps them in memory.
pub(crate) fn memory() -> &'static Memory {
    static STORE: LazyLock<Memory> = LazyLock::new(|| {
        let store = Memory::new(1000);
        store.append(spans()).expect("there is room");
        store
    });
    &STORE
}

thread_local! {
    /// Goes with the thread, and its folder after it.
    static EMBEDDED: (Embedded, TempDir) = on_disk();
}

/// Asks a store that keeps them on disk.
pub(crate) fn embedded<R>(ask: impl FnOnce(&Embedded) -> R) -> R {
    EMBEDDED.with(|(store, _)| ask(store))
}

fn on_disk() -> (Embedded, TempDir) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let data = folder.path().join("data");
    let settings = Settings { block_spans: BLOCK, age: None, bytes: None, ..Settings::new(data) };
    let store = Embedded::open(settings).expect("the folder is new");
    spans().chunks(6).for_each(|some| store.append(some.to_vec()).expect("the disk has room"));
    while store.figure().expect("it can be read").unsealed >= BLOCK as u64 {
        std::thread::yield_now();
    }
    (store, folder)
}

fn attribute(key: &str, value: impl Into<Value>) -> Attribute {
    Attribute { key: key.into(), value: value.into() }
}

fn span(n: u64, at: u64) -> Span {
    let failed = (n + at).is_multiple_of(5);
    let service = ["web", "cart", "stock"][at as usize];
    Span {
        trace: TraceId([n as u8 + 1; 16]),
        id: SpanId((n * 3 + at + 1).to_be_bytes()),
        parent: (at > 0).then(|| SpanId((n * 3 + at).to_be_bytes())),
        name: format!("GET /{}", n % 4).into(),
        kind: Kind::ALL[(n + at) as usize % 6],
        start: BEGIN + n * 1_000_000_000 + at * 1000,
        duration: (n * 7 + at) % 11 * 500_000,
        status: Status {
            code: if failed { StatusCode::Error } else { StatusCode::Unset },
            message: if failed { "it broke".into() } else { "".into() },
        },
        attributes: vec![
            attribute("a", n as i64 - 3),
            attribute("b", n as f64 / 4.0),
            attribute("c", n.is_multiple_of(2)),
            attribute("http.response.status_code", if failed { 500 } else { 200 }),
            // Not of the type that its column has.
            attribute("server.port", if failed { Value::from("80") } else { Value::from(80) }),
            attribute("tags", Value::List([Value::from("x"), Value::from(n as i64)].into())),
            attribute("url.path", &*format!("/cart/{n}")),
        ],
        events: if failed {
            vec![Event { time: BEGIN, name: "retry".into(), attributes: vec![attribute("a", at as i64)] }]
        } else {
            Vec::new()
        },
        links: if at == 1 {
            vec![Link { trace: TraceId([9; 16]), span: SpanId([9; 8]), attributes: vec![attribute("a", 1)] }]
        } else {
            Vec::new()
        },
        resource: Arc::new(Resource::new(vec![
            attribute("host.name", "shop-1"),
            attribute("service.name", service),
        ])),
        scope: Arc::new(Scope {
            name: "tests".into(),
            version: "0.1".into(),
            attributes: vec![attribute("a", "b")],
        }),
        ..Span::default()
    }
}
