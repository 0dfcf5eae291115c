//! Spans as tests need them: a shop's traces of three services, made from numbers.

use std::sync::Arc;

use wirespan_store::{
    Attribute, Event, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode, TraceId, Value,
};

/// The first trace begins here, in nanoseconds since 1970: 2026-01-01, on a whole hour.
pub(crate) const BEGIN: u64 = 1_767_225_600_000_000_000;
/// Milliseconds in nanoseconds.
pub(crate) const MS: u64 = 1_000_000;

/// The trace of number `n`.
pub(crate) fn trace_id(n: u64) -> TraceId {
    TraceId(
        ((u128::from(n + 1) << 64) | u128::from((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))).to_be_bytes(),
    )
}

fn attribute(key: &str, value: impl Into<Value>) -> Attribute {
    Attribute { key: key.into(), value: value.into() }
}

fn resource(service: &str) -> Arc<Resource> {
    Arc::new(Resource::new(vec![attribute("host.name", "shop-1"), attribute("service.name", service)]))
}

/// The number of spans in a trace.
pub(crate) const SPANS: u64 = 4;

/// A trace: `web` serves a request, calls `cart`, which asks a database. Every tenth fails; number `n` begins `n`
/// seconds after [`BEGIN`] and takes `10 + n % 50` ms.
pub(crate) fn trace(n: u64) -> Vec<Span> {
    let failed = n.is_multiple_of(10);
    let start = BEGIN + n * 1000 * MS;
    let span = |at: u64, parent: Option<u64>, service: &str, kind, name: &str| Span {
        trace: trace_id(n),
        id: SpanId((n * SPANS + at + 1).to_be_bytes()),
        parent: parent.map(|parent| SpanId((n * SPANS + parent + 1).to_be_bytes())),
        name: name.into(),
        kind,
        start: start + at * MS,
        duration: (10 + n % 50 - 2 * at) * MS,
        resource: resource(service),
        scope: Arc::new(Scope { name: "wirespan".into(), version: "0.1".into(), attributes: Vec::new() }),
        ..Span::default()
    };
    let mut root = span(0, None, "web", Kind::Server, "GET /cart/{id}");
    root.attributes = vec![
        attribute("http.request.method", "GET"),
        attribute("http.response.status_code", if failed { 500 } else { 200 }),
        attribute("tags", Value::List([Value::from("a"), Value::from(n as i64)].into())),
        attribute("url.path", &*format!("/cart/{n}")),
        attribute("user.vip", n.is_multiple_of(2)),
        attribute("wirespan.load", n as f64 / 4.0),
    ];
    if failed {
        root.status = Status { code: StatusCode::Error, message: "it broke".into() };
        root.events = vec![Event {
            time: start + MS,
            name: "exception".into(),
            attributes: vec![attribute("exception.type", "Broken")],
        }];
        root.links = vec![Link { trace: trace_id(n + 1), span: SpanId([7; 8]), attributes: Vec::new() }];
    }
    let mut database = span(3, Some(2), "cart", Kind::Client, "SELECT cart");
    database.attributes = vec![
        attribute("db.system.name", "postgresql"),
        // Not of the type that its column has.
        attribute("server.port", "5432"),
    ];
    vec![
        root,
        span(1, Some(0), "web", Kind::Client, "GET"),
        span(2, Some(1), "cart", Kind::Server, "GET /cart/{id}"),
        database,
    ]
}
