//! Traces for tests: a shop's server span, its call of a cart service, and the cart's server span. In: small numbers
//! that become ids. Out: spans whose fields a test can change.

use std::sync::Arc;

use wirespan_proto::event::{Address, Cookie, Nanos, Socket, Transport};

use crate::{
    resource::Resource,
    span::{Attributes, Ends, Key, Role, Span, Status, UnixNanos, Value},
    trace::{Method, Parent, SpanId, Trace, TraceId, TracedSpan},
};

/// 2026-02-03 12:00:00 UTC.
pub(crate) const NOON: u64 = 1_770_120_000_000_000_000;

pub(crate) fn id(number: u8) -> SpanId {
    SpanId([0, 0, 0, 0, 0, 0, 0, number])
}

pub(crate) fn resource(service: &'static str) -> Arc<Resource> {
    let name = ("service.name".into(), Value::Text(service.into()));
    Arc::new(Resource { attributes: vec![name, ("process.pid".into(), Value::Int(42))] })
}

/// Those of a server on port 80.
pub(crate) fn ends(port: u16) -> Ends {
    let address = |port: u16| Address::Inet(([127, 0, 0, 1], port).into());
    let (local, peer) = (address(80), address(port));
    let socket = Socket { cookie: Cookie(1), netns: 1, transport: Transport::Tcp, local, peer };
    Ends::new(&socket, Role::Server, &[])
}

pub(crate) fn parent(number: u8, method: Method, confidence: f32) -> Parent {
    Parent { span_id: id(number), method, confidence, remote: false }
}

/// A span from noon to 1 ms after it.
pub(crate) fn span(number: u8, role: Role, name: &str, service: &'static str) -> TracedSpan {
    let span = Span {
        key: Key { cookie: Cookie(1), offset: u64::from(number), sub: 0 },
        role,
        name: name.into(),
        start: UnixNanos(NOON),
        end: UnixNanos(NOON + 1_000_000),
        boot: (Nanos(0), Nanos(0)),
        attributes: Attributes::default(),
        links: Vec::new(),
        status: Status::Unset,
        event: None,
        resource: resource(service),
    };
    TracedSpan {
        span_id: id(number),
        parent: None,
        links: Vec::new(),
        trace_state: String::new(),
        trace_flags: 1,
        span: Box::new(span),
    }
}

pub(crate) fn server(number: u8, name: &str) -> TracedSpan {
    span(number, Role::Server, name, "shop")
}

pub(crate) fn client(number: u8, name: &str) -> TracedSpan {
    span(number, Role::Client, name, "shop")
}

/// Moves a span to so many µs after noon.
pub(crate) fn at(mut span: TracedSpan, start_us: u64, end_us: u64) -> TracedSpan {
    span.span.start = UnixNanos(NOON + start_us * 1000);
    span.span.end = UnixNanos(NOON + end_us * 1000);
    span
}

pub(crate) fn with(mut span: TracedSpan, name: &'static str, value: Value) -> TracedSpan {
    span.span.attributes.push(name, value);
    span
}

pub(crate) fn below(mut span: TracedSpan, parent: Parent) -> TracedSpan {
    span.parent = Some(parent);
    span
}

pub(crate) fn trace(spans: Vec<TracedSpan>) -> Trace {
    Trace { id: TraceId(*b"\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"), spans }
}

/// shop serves `GET /cart/{id}`, asks cart, which fails.
pub(crate) fn shop() -> Trace {
    let ok = |span| with(span, "http.response.status_code", Value::Int(200));
    let call = with(client(2, "GET"), "server.address", Value::Text("10.0.0.7".into()));
    let mut cart =
        with(span(3, Role::Server, "GET /items", "cart"), "http.response.status_code", Value::Int(500));
    cart.span.status = Status::Error(String::new());
    trace(vec![
        ok(at(server(1, "GET /cart/{id}"), 0, 12_400)),
        below(with(at(call, 1_100, 11_000), "server.port", Value::Int(8080)), parent(1, Method::Task, 0.9)),
        below(at(cart, 1_300, 10_900), parent(2, Method::Wire, 1.0)),
    ])
}
