//! Exchanges in, spans out.

use std::net::SocketAddr;

use wirespan_protocol::{
    event::{Address, Cookie, Socket, Task, Transport},
    exchange::{self, Ending, Key, Resumption, Role, Target},
    facts::{Facts, Side},
    stream::Mark,
};

use super::*;

const TASK: Task = Task { pid: 7, tid: 8, key: 8, rests: 0, next: None };
const CLOCK: Clock = Clock { boot: UnixNanos(1_000_000) };

struct OneProcess;

impl Processes for OneProcess {
    fn resource(&mut self, pid: u32, cgroup: u64) -> Arc<Resource> {
        let attributes = vec![
            ("process.pid".into(), Value::Int(pid.into())),
            ("cgroup".into(), Value::Int(cgroup.cast_signed())),
        ];
        Arc::new(Resource { attributes })
    }
}

fn address(text: &str) -> Address {
    Address::Inet(text.parse::<SocketAddr>().expect("an address"))
}

fn facts() -> Facts {
    let socket = Socket {
        cookie: Cookie(1),
        netns: 2,
        transport: Transport::Tcp,
        local: address("10.0.0.1:80"),
        peer: address("10.0.0.2:4000"),
    };
    let (side, opened) = (Side::Unknown, Nanos(0));
    Facts { socket, side, task: TASK, cgroup: 9, opened, rtt_us: 0, retransmits: 0, io_uring: false }
}

fn mark(time: u64) -> Mark {
    Mark { time: Nanos(time), task: TASK }
}

fn message(first: u64, last: u64) -> Message {
    let (first, last) = (mark(first), mark(last));
    Message { offset: 0, first, last, bytes: 10, body: None, missing: 0, truncated: false }
}

const KEY: Key = Key { cookie: Cookie(1), offset: 3, sub: 0 };

/// `GET /users/42` at 100, answered from 150 to 200.
fn exchange(role: Role) -> Exchange {
    Exchange {
        key: KEY,
        protocol: "http",
        role,
        facts: facts(),
        request: message(100, 110),
        response: Some(message(150, 200)),
        ending: Ending::Answered,
        ended: Nanos(200),
        method: "GET".into(),
        target: Target::Path("/users/42".into()),
        outcome: Outcome::Unset,
        attributes: vec![],
        links: vec![],
    }
}

fn finished(exchange: Exchange) -> Span {
    let spans = Spans::new(&Settings::default()).expect("the defaults are valid");
    match spans.accept(Output::Closed(Box::new(exchange)), CLOCK, &mut OneProcess) {
        Activity::Finished(span) => *span,
        other => panic!("an exchange that ended gave {other:?}"),
    }
}

/// The attributes, one a line.
fn shown(span: &Span) -> Vec<String> {
    let show = |value: &Value| match value {
        Value::Text(text) => text.to_string(),
        other => format!("{other:?}"),
    };
    span.attributes.iter().map(|(name, value)| format!("{name}={}", show(&value))).collect()
}

#[test]
fn a_server_span() {
    let span = finished(exchange(Role::Server));
    assert_eq!(span.name, "GET /users/{id}");
    assert_eq!((span.start, span.end), (UnixNanos(1_000_100), UnixNanos(1_000_200)));
    assert_eq!(span.boot, (Nanos(100), Nanos(200)));
    let first = Moment { time: UnixNanos(1_000_150), name: "response.first_byte".into() };
    assert_eq!(span.event, Some(first));
    assert_eq!(span.resource.attributes[0].1, Value::Int(7));
    assert_eq!(span.resource.attributes[1].1, Value::Int(9));
    assert_eq!(
        shown(&span),
        [
            "http.route=/users/{id}",
            "network.transport=tcp",
            "network.peer.address=10.0.0.2",
            "network.peer.port=Int(4000)",
            "client.address=10.0.0.2",
            "client.port=Int(4000)",
            "network.local.address=10.0.0.1",
            "network.local.port=Int(80)",
            "wirespan.exchange=00000003:00000000",
            "thread.id=Int(8)",
        ]
    );
}

#[test]
fn a_client_span() {
    let span = finished(exchange(Role::Client));
    assert_eq!(
        shown(&span),
        [
            "url.template=/users/{id}",
            "network.transport=tcp",
            "network.peer.address=10.0.0.2",
            "network.peer.port=Int(4000)",
            "server.address=10.0.0.2",
            "server.port=Int(4000)",
            "network.local.address=10.0.0.1",
            "network.local.port=Int(80)",
            "wirespan.exchange=00000003:00000000",
            "thread.id=Int(8)",
        ]
    );
}

#[test]
fn both_ends_call_an_exchange_the_same() {
    let name = |exchange| {
        let span = finished(exchange);
        let name = shown(&span)
            .into_iter()
            .find_map(|line| Some(line.strip_prefix("wirespan.exchange=")?.to_owned()));
        name.unwrap_or_default()
    };
    let wrapped = Key { offset: 0x7_fedc_ba98, sub: 21, ..KEY };
    let response = Message { offset: 0x2_0000_00ff, ..message(150, 200) };
    let both = |role| Exchange { key: wrapped, response: Some(response), ..exchange(role) };
    assert_eq!(name(both(Role::Client)), "fedcba98:000000ff:15");
    assert_eq!(name(both(Role::Server)), "fedcba98:000000ff:15");
    assert_eq!(name(Exchange { response: None, ..exchange(Role::Client) }), "00000003:");
    let mut here = exchange(Role::Client);
    here.facts.socket.local = address("127.0.0.1:80");
    here.facts.socket.peer = address("127.0.0.1:4000");
    assert_eq!(name(here), "");
    let mut datagram = exchange(Role::Client);
    datagram.facts.socket.transport = Transport::Udp;
    assert_eq!(name(datagram), "");
}

#[test]
fn what_the_protocol_said_of_addresses_stays() {
    let attributes = |name: &'static str| vec![(name.into(), exchange::Value::Text("said".into()))];
    let server = Exchange { attributes: attributes("client.address"), ..exchange(Role::Server) };
    let server = shown(&finished(server));
    assert!(server.contains(&"client.address=said".to_owned()) && !server.join(" ").contains("client.port"));
    let client = Exchange { attributes: attributes("server.address"), ..exchange(Role::Client) };
    let client = shown(&finished(client));
    assert!(
        client.contains(&"server.address=said".to_owned())
            && client.contains(&"server.port=Int(4000)".to_owned())
    );
}

#[test]
fn names() {
    for (protocol, method, target, name) in [
        ("http", "GET", Target::None, "GET"),
        ("http", "_OTHER", Target::None, "HTTP"),
        ("http", "_OTHER", Target::Path("/a".into()), "HTTP /a"),
        ("postgresql", "SELECT", Target::Name("orders".into()), "SELECT orders"),
    ] {
        let exchange = Exchange { protocol, method: method.into(), target, ..exchange(Role::Client) };
        assert_eq!(finished(exchange).name, name);
    }
}

#[test]
fn unix_sockets_have_no_addresses() {
    let mut exchange = exchange(Role::Client);
    exchange.facts.socket.transport = Transport::Unix;
    exchange.facts.socket.local = Address::Unix(1);
    exchange.facts.socket.peer = Address::Unix(2);
    assert_eq!(shown(&finished(exchange))[1..], ["network.transport=unix", "thread.id=Int(8)"]);
}

#[test]
fn what_went_wrong_is_said() {
    let mut exchange = exchange(Role::Server);
    exchange.ending = Ending::Broken(104);
    exchange.outcome = Outcome::Error("ECONNRESET".into(), Some("connection reset".into()));
    exchange.request.missing = 5;
    exchange.request.truncated = true;
    exchange.facts.rtt_us = 11;
    exchange.facts.retransmits = 2;
    exchange.response = None;
    let span = finished(exchange);
    assert_eq!(span.status, Status::Error("connection reset".into()));
    assert_eq!(span.boot, (Nanos(100), Nanos(200)));
    assert_eq!(span.event, None);
    assert_eq!(
        shown(&span)[9..],
        [
            "thread.id=Int(8)",
            "wirespan.missing_bytes=Int(5)",
            "wirespan.truncated=Bool(true)",
            "wirespan.tcp.rtt_us=Int(11)",
            "wirespan.tcp.retransmits=Int(2)",
            "wirespan.ending=broken",
            "error.type=ECONNRESET",
        ]
    );
}

#[test]
fn secrets_stay_here() {
    let mut exchange = exchange(Role::Server);
    exchange.target = Target::Path("/a;token=MARKER/eyJhbGciOiJIUzI1NiJ9.MARKER?key=MARKER".into());
    let url = |text: &str| exchange::Value::Url(text.to_owned());
    let list = || exchange::Value::List(vec!["MARKER".to_owned()]);
    exchange.attributes = vec![
        ("url.query".into(), url("token=MARKER&a=b")),
        ("url.full".into(), url("http://u:MARKER@host/a?sig=MARKER")),
        ("url.path".into(), url("/eyJhbGciOiJIUzI1NiJ9.MARKER")),
        ("http.request.header.authorization".into(), list()),
        ("http.response.header.set-cookie".into(), list()),
        ("rpc.request.metadata.authorization".into(), list()),
        ("rpc.response.metadata.x-api-key".into(), list()),
        (
            "http.request.header.referer".into(),
            exchange::Value::List(vec!["http://h/?token=MARKER".to_owned()]),
        ),
    ];
    let span = finished(exchange);
    let shown = format!("{span:?}");
    assert!(!shown.contains("MARKER"), "{shown}");
    assert!(
        shown.contains("token=REDACTED&a=b")
            && shown.contains("http://REDACTED:REDACTED@host/a?sig=REDACTED")
    );
}

#[test]
fn long_texts_are_cut_before_they_cost() {
    let mut exchange = exchange(Role::Server);
    let query = format!("a={}&token=MARKER", "é".repeat(1 << 20));
    exchange.attributes = vec![("url.query".into(), exchange::Value::Url(query))];
    let span = finished(exchange);
    let Some((_, Value::Text(text))) = span.attributes.own().first() else { panic!("a query is text") };
    assert!(text.len() <= Settings::default().max_text && !text.contains("MARKER"));
}

#[test]
fn an_end_never_precedes_its_start() {
    let response = Some(message(50, 60));
    let exchange = Exchange { response, ended: Nanos(60), ..exchange(Role::Client) };
    assert_eq!(finished(exchange).boot, (Nanos(100), Nanos(110)));
}

#[test]
fn a_step_of_the_wall_clock_moves_spans_and_never_stretches_them() {
    let spans = Spans::new(&Settings::default()).expect("the defaults are valid");
    for boot in [0, 5, 1 << 60] {
        let output = Output::Closed(Box::new(exchange(Role::Server)));
        match spans.accept(output, Clock { boot: UnixNanos(boot) }, &mut OneProcess) {
            Activity::Finished(span) => assert_eq!(span.end.0 - span.start.0, 100),
            other => panic!("an exchange that ended gave {other:?}"),
        }
    }
}

#[test]
fn evidence_goes_through() {
    let spans = Spans::new(&Settings::default()).expect("the defaults are valid");
    let carrier = vec![("traceparent".into(), "x".to_owned())];
    let opening = Opening {
        key: KEY,
        role: Role::Server,
        facts: facts(),
        start: mark(5),
        carrier: carrier.clone(),
        shape: 7,
        tokens: wirespan_protocol::token::Tokens::new([3, 0]),
    };
    match spans.accept(Output::Opened(opening), CLOCK, &mut OneProcess) {
        Activity::Started(start) => {
            assert_eq!((start.key, start.time, start.task, start.carrier), (KEY, Nanos(5), TASK, carrier));
            assert_eq!((start.shape, start.tokens.iter().collect::<Vec<_>>()), (7, vec![3]));
        }
        other => panic!("an opening gave {other:?}"),
    }
    let resumed = spans.accept(Output::Resumed(Resumption { key: KEY, at: mark(6) }), CLOCK, &mut OneProcess);
    assert!(matches!(resumed, Activity::Resumed { key: KEY, time: Nanos(6), task: TASK }));
    let withdrawn = spans.accept(Output::Withdrawn(KEY), CLOCK, &mut OneProcess);
    assert!(matches!(withdrawn, Activity::Withdrawn(KEY)));
}

#[test]
fn settings_out_of_range_are_refused() {
    for max_text in [0, MAX_TEXT + 1] {
        let error = Spans::new(&Settings { max_text, ..Settings::default() }).err();
        assert_eq!(error, Some(SettingsError::MaxText(max_text)));
    }
}
