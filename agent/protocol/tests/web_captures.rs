//! Conversations of real programs: the calls of both directions as a proxy between them saw them (`captured/`, a line
//! a call, `>` from the client) in, exchanges out. Each is read as the client and as the server.

use wirespan_protocol::{
    event::Direction,
    exchange::{Ending, Exchange, Output, Role, Target, Value},
    facts::Side,
    registry::REGISTRY,
    testing::{self, Bench, Call, STEP, call, talk},
};

fn calls(text: &str, side: Side) -> Vec<Call> {
    let bytes = |hex: &str| -> Vec<u8> {
        let digit =
            |place: usize| u8::from_str_radix(&hex[place..place + 2], 16).expect("hexadecimal digits");
        (0..hex.len()).step_by(2).map(digit).collect()
    };
    let lines = text.lines().map(|line| {
        let (way, hex) = line.split_once(' ').expect("a direction and bytes");
        let sent = (way == ">") == (side == Side::Client);
        call(if sent { Direction::Sent } else { Direction::Received }, bytes(hex))
    });
    talk(lines.collect())
}

/// One line for an exchange; both sides see the same.
fn line(exchange: &Exchange) -> String {
    let value = |wanted: &str| {
        let found = exchange.attributes.iter().find(|(name, _)| name == wanted)?;
        Some(match &found.1 {
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        })
    };
    // A server names its span otherwise where it has no such method.
    let method = value("rpc.method_original").unwrap_or_else(|| exchange.method.to_string());
    let path = if let Target::Path(path) = &exchange.target { path } else { "-" };
    let shown = [
        "http.response.status_code",
        "http.request.body.size",
        "http.response.body.size",
        "rpc.response.status_code",
        "wirespan.grpc.request.messages",
        "wirespan.grpc.response.messages",
        "wirespan.websocket.close_code",
        "wirespan.websocket.compression",
    ];
    let rest: Vec<_> = shown.iter().filter_map(|name| value(name)).collect();
    format!("{} {method} {path} {}", exchange.protocol, rest.join(" "))
}

/// Plays a conversation as both of its ends, checks the three properties on it, and compares the exchanges.
fn check(text: &str, expected: &[&str]) {
    for (side, role) in [(Side::Client, Role::Client), (Side::Server, Role::Server)] {
        let calls = calls(text, side);
        let mut bench = Bench::new(REGISTRY, side);
        bench.play(&calls).finish(Ending::Closed, 1000 * STEP);
        testing::every_opening_ends_once(&bench.out);
        assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), expected, "{side:?}");
        assert!(bench.exchanges().all(|exchange| exchange.role == role));
        testing::same_for_any_split(REGISTRY, side, &calls, &[1, 7, 100, 3]);
        testing::prefixes_wait(REGISTRY, side, &calls);
        testing::bounded(REGISTRY, side, &calls);
    }
}

#[test]
fn node_http2_with_itself() {
    check(
        include_str!("captured/node-http2.txt"),
        &[
            "http GET /a 200 0 5",
            "http POST /b 200 3000 8",
            "http GET /c 200 0 5",
            "http GET /missing 404 0 5",
        ],
    );
}

#[test]
fn nginx_and_curl() {
    check(include_str!("captured/nginx-curl.txt"), &["http GET /hello 200 0 5"]);
}

#[test]
fn hypercorn_and_curl_by_prior_knowledge() {
    check(include_str!("captured/hypercorn-curl-prior.txt"), &["http POST /pk 200 4 10"]);
}

#[test]
fn hypercorn_and_curl_by_upgrade() {
    check(
        include_str!("captured/hypercorn-curl-upgrade.txt"),
        &["http GET /up 200 0 6", "http GET /next 200 0 6"],
    );
}

/// Unary calls, one of them refused, one of a method that there is not, and all forms of streams.
#[test]
fn grpc_of_python() {
    check(
        include_str!("captured/grpc-python.txt"),
        &[
            "grpc shop.Orders/Place - OK 1 1",
            "grpc shop.Orders/Place - NOT_FOUND 1 0",
            "grpc shop.Orders/Watch - OK 1 3",
            "grpc shop.Orders/Upload - OK 4 1",
            "grpc shop.Orders/Chat - OK 2 2",
            "grpc shop.Orders/Place - OK 1 1",
            "grpc shop.Orders/None - UNIMPLEMENTED 1 0",
        ],
    );
}

/// Connect for Node at both ends, over HTTP/1: every status stands in the trailers behind the body.
#[test]
fn grpc_web_of_node() {
    check(
        include_str!("captured/grpc-web-connect.txt"),
        &["grpc shop.Stock/Get - OK", "grpc shop.Stock/Get - NOT_FOUND", "grpc shop.Stock/List - DATA_LOSS"],
    );
}

#[test]
fn the_trace_context_of_a_grpc_call_is_found() {
    let mut bench = Bench::new(REGISTRY, Side::Server);
    bench.play(&calls(include_str!("captured/grpc-python.txt"), Side::Server));
    let carried = bench.out.iter().filter_map(|output| match output {
        Output::Opened(opening) => opening.carrier.first(),
        _ => None,
    });
    let carried: Vec<_> = carried.map(|(name, value)| (name.as_ref(), value.as_str())).collect();
    assert_eq!(carried, [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]);
}

#[test]
fn websockets_of_python() {
    check(
        include_str!("captured/websocket-hypercorn-python.txt"),
        &["http GET /chat 101", "websocket WEBSOCKET /chat 1000 permessage-deflate"],
    );
}

/// Joined late: whatever was sent before, what is sent afterwards gives exchanges, with the fields that can be known.
#[test]
fn conversations_are_followed_from_any_call_on() {
    let from = |text, begin: usize| {
        let mut bench = Bench::new(REGISTRY, Side::Unknown);
        bench.play(&calls(text, Side::Server)[begin..]).finish(Ending::Closed, 1000 * STEP);
        testing::every_opening_ends_once(&bench.out);
        assert!(bench.exchanges().all(|exchange| exchange.role == Role::Server), "from call {begin}");
        bench.exchanges().map(line).collect::<Vec<_>>()
    };
    let (grpc, node) = (include_str!("captured/grpc-python.txt"), include_str!("captured/node-http2.txt"));
    assert_eq!(
        from(grpc, 3),
        [
            "grpc grpc - NOT_FOUND 0",
            "grpc shop.Orders/Watch - OK 3",
            "grpc shop.Orders/Upload - OK 1",
            "grpc shop.Orders/Chat - OK 2",
            "grpc grpc - OK 1",
            "grpc shop.Orders/None - UNIMPLEMENTED 0"
        ]
    );
    assert_eq!(from(node, 1), ["http GET /missing 404 0 5"]);
    for begin in 0..grpc.lines().count() {
        assert_eq!(from(grpc, begin).is_empty(), begin > 29, "from call {begin}");
    }
}
