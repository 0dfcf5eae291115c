//! gRPC upon HTTP: calls in, spans' attributes out.

mod frames;

use frames::{Client, PREFACE, data, headers, message, reset};
use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Target, Value},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Bench, Call, STEP, every_opening_ends_once, received, sent, talk},
};

const HEAD: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/shop.Orders/Place"),
    (":authority", "orders:50051"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
];
const OK: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

fn played(side: Side, calls: Vec<Call>) -> Bench {
    let mut bench = Bench::new(REGISTRY, side);
    bench.play(&talk(calls));
    every_opening_ends_once(&bench.out);
    bench
}

fn only(bench: &Bench) -> &Exchange {
    let mut exchanges = bench.exchanges();
    let first = exchanges.next().expect("an exchange");
    assert!(exchanges.next().is_none(), "one span for each call");
    first
}

fn shown(exchange: &Exchange) -> Vec<String> {
    let show = |value: &Value| match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    exchange.attributes.iter().map(|(name, value)| format!("{name}={}", show(value))).collect()
}

fn ask(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = [PREFACE.to_vec(), headers(1, false, &Client::plain(&HEAD))].concat();
    let number = messages.len();
    bytes.extend(messages.iter().enumerate().flat_map(|(place, text)| data(1, place + 1 == number, text)));
    bytes
}

fn answer(messages: &[Vec<u8>], status: &str, text: &str) -> Vec<u8> {
    let mut bytes = headers(1, false, &Client::plain(&OK));
    bytes.extend(messages.iter().flat_map(|text| data(1, false, text)));
    bytes.extend(headers(1, true, &Client::plain(&[("grpc-status", status), ("grpc-message", text)])));
    bytes
}

/// Messages of request and response that were counted.
fn counted(exchange: &Exchange) -> (Option<i64>, Option<i64>) {
    let count = |name| {
        let found = exchange.attributes.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| if let Value::Int(number) = value { Some(*number) } else { None })
    };
    (count("wirespan.grpc.request.messages"), count("wirespan.grpc.response.messages"))
}

#[test]
fn a_unary_call_has_the_attributes_of_the_conventions() {
    let bench = played(
        Side::Server,
        vec![received(ask(&[message(0, "one")])), sent(answer(&[message(0, "two")], "0", ""))],
    );
    let exchange = only(&bench);
    assert_eq!((exchange.protocol, exchange.method.as_ref()), ("grpc", "shop.Orders/Place"));
    assert_eq!(
        (&exchange.target, &exchange.outcome, exchange.ending),
        (&Target::None, &Outcome::Unset, Ending::Answered)
    );
    assert_eq!(
        shown(exchange),
        [
            "network.protocol.name=http",
            "network.protocol.version=2",
            "server.address=orders",
            "server.port=50051",
            "rpc.system.name=grpc",
            "rpc.response.status_code=OK",
            "wirespan.grpc.request.messages=1",
            "wirespan.grpc.response.messages=1",
            "rpc.method=shop.Orders/Place"
        ]
    );
}

#[test]
fn streams_of_messages_are_one_span_and_counted() {
    let many = |number: usize| (0..number).map(|n| message(0, &"x".repeat(n))).collect::<Vec<_>>();
    let together = vec![many(4).concat()];
    let apart: Vec<_> = many(3).concat().chunks(2).map(<[u8]>::to_vec).collect();
    for (asked, answered, expected) in [
        (many(1), many(5), (Some(1), Some(5))),
        (many(5), many(1), (Some(5), Some(1))),
        (together.clone(), apart.clone(), (Some(4), Some(3))),
        (apart, together, (Some(3), Some(4))),
    ] {
        let bench = played(Side::Client, vec![sent(ask(&asked)), received(answer(&answered, "0", ""))]);
        assert_eq!(counted(only(&bench)), expected);
    }
}

#[test]
fn both_sides_may_stream_at_once() {
    let trailers = headers(1, true, &Client::plain(&[("grpc-status", "0")]));
    let calls = vec![
        sent(
            [PREFACE.to_vec(), headers(1, false, &Client::plain(&HEAD)), data(1, false, &message(0, "a"))]
                .concat(),
        ),
        received([headers(1, false, &Client::plain(&OK)), data(1, false, &message(0, "b"))].concat()),
        sent(data(1, false, &message(1, "c"))),
        received(data(1, false, &message(0, "d"))),
        sent(data(1, true, b"")),
        received(trailers),
    ];
    let bench = played(Side::Client, calls);
    assert_eq!(counted(only(&bench)), (Some(2), Some(2)));
}

#[test]
fn a_status_is_an_error_by_role() {
    let outcome = |side, status: &str, text: &str| {
        let (ask, answer) = (ask(&[message(0, "")]), answer(&[], status, text));
        let calls = if side == Side::Server {
            vec![received(ask), sent(answer)]
        } else {
            vec![sent(ask), received(answer)]
        };
        only(&played(side, calls)).outcome.clone()
    };
    let error = |name: &'static str, text: Option<&str>| Outcome::Error(name.into(), text.map(str::to_owned));
    assert_eq!(outcome(Side::Server, "5", "no such"), Outcome::Unset);
    assert_eq!(outcome(Side::Client, "5", "no%20such"), error("NOT_FOUND", Some("no such")));
    assert_eq!(outcome(Side::Server, "13", ""), error("INTERNAL", None));
    assert_eq!(outcome(Side::Client, "1", ""), error("CANCELLED", None));
}

#[test]
fn trailers_only_answers_tell_their_status_in_the_head() {
    let head = [&OK[..], &[("grpc-status", "12"), ("grpc-message", "what?")]].concat();
    let bench = played(
        Side::Server,
        vec![received(ask(&[message(0, "")])), sent(headers(1, true, &Client::plain(&head)))],
    );
    assert_eq!(only(&bench).outcome, Outcome::Error("UNIMPLEMENTED".into(), Some("what?".into())));
}

#[test]
fn a_call_given_up_has_the_status_that_its_client_sees() {
    let status = |calls: Vec<Call>| {
        let bench = played(Side::Client, calls);
        let exchange = only(&bench).clone();
        let named = shown(&exchange).into_iter().find(|line| line.starts_with("rpc.response"));
        (exchange.ending, named.unwrap())
    };
    let begun = || sent(ask(&[message(0, "")]));
    assert_eq!(
        status(vec![begun(), sent(reset(1, 8))]),
        (Ending::Cancelled, "rpc.response.status_code=CANCELLED".into())
    );
    assert_eq!(
        status(vec![begun(), received(reset(1, 7))]),
        (Ending::Cancelled, "rpc.response.status_code=UNAVAILABLE".into())
    );
}

#[test]
fn a_proxy_that_is_no_grpc_server_shows_by_its_status() {
    let bench = played(
        Side::Client,
        vec![sent(ask(&[message(0, "")])), received(headers(1, true, &Client::plain(&[(":status", "503")])))],
    );
    let exchange = only(&bench);
    assert_eq!(exchange.outcome, Outcome::Error("503".into(), None));
    assert!(shown(exchange).contains(&"http.response.status_code=503".to_owned()));
}

#[test]
fn a_large_message_passes_unseen_and_is_counted() {
    let large = data(1, false, &message(0, &"x".repeat(16_000)));
    let (seen, rest) = large.split_at(500);
    let head = headers(1, false, &Client::plain(&OK));
    let trailers = headers(1, true, &Client::plain(&[("grpc-status", "0")]));
    let calls = vec![
        received(ask(&[message(0, "")])),
        sent([&head, seen].concat()).gap(Gap::NotCopied, rest.len() as u64),
        sent([data(1, false, &message(0, "small")), trailers].concat()),
    ];
    assert_eq!(counted(only(&played(Side::Server, calls))), (Some(1), Some(2)));
}

#[test]
fn messages_are_not_counted_where_a_length_was_missed() {
    let two = data(1, false, &[message(0, &"x".repeat(1000)), message(0, "y")].concat());
    let (seen, rest) = two.split_at(500);
    let head = headers(1, false, &Client::plain(&OK));
    let trailers = headers(1, true, &Client::plain(&[("grpc-status", "0")]));
    let calls = vec![
        received(ask(&[message(0, "")])),
        sent([&head, seen].concat()).gap(Gap::NotCopied, rest.len() as u64),
        sent(trailers),
    ];
    assert_eq!(counted(only(&played(Side::Server, calls))), (Some(1), None));
}

#[test]
fn metadata_is_captured_when_asked_for() {
    let mut bench = Bench::new(REGISTRY, Side::Server);
    bench.settings.capture_request_headers = vec!["te".into()];
    bench.settings.capture_response_headers = vec!["content-type".into()];
    bench.play(&talk(vec![received(ask(&[message(0, "")])), sent(answer(&[], "0", ""))]));
    let lines = shown(only(&bench));
    assert!(lines.contains(&r#"rpc.request.metadata.te=List(["trailers"])"#.to_owned()), "{lines:?}");
    assert!(lines.contains(&r#"rpc.response.metadata.content-type=List(["application/grpc"])"#.to_owned()));
}

#[test]
fn grpc_web_ends_with_trailers_in_its_body() {
    let head = HEAD.map(|(name, value)| {
        (name, if name == "content-type" { "application/grpc-web+proto" } else { value })
    });
    let ask = [PREFACE.to_vec(), headers(1, false, &Client::plain(&head)), data(1, true, &message(0, "a"))]
        .concat();
    let body =
        [message(0, "one"), message(0, "two"), message(0x80, "grpc-status: 9\r\ngrpc-message: no\r\n")]
            .concat();
    let answer = [headers(1, false, &Client::plain(&OK)), data(1, true, &body)].concat();
    let bench = played(Side::Client, vec![sent(ask), received(answer)]);
    let exchange = only(&bench);
    assert_eq!(exchange.outcome, Outcome::Error("FAILED_PRECONDITION".into(), Some("no".into())));
    assert_eq!(counted(exchange), (Some(1), Some(2)));
}

#[test]
fn grpc_web_over_http_1_has_a_name_and_the_status_of_its_head() {
    let ask = "POST /shop.Orders/Place HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc-web\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web\r\ngrpc-status: 7\r\nContent-Length: 0\r\n\r\n";
    let bench = played(Side::Client, vec![sent(ask), received(answer)]);
    let exchange = only(&bench);
    assert_eq!((exchange.protocol, exchange.method.as_ref()), ("grpc", "shop.Orders/Place"));
    assert_eq!(exchange.outcome, Outcome::Error("PERMISSION_DENIED".into(), None));
}

const WEB: &str = "POST /shop.Orders/Place HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";

/// An answer over HTTP/1 with these pieces as its body: a chunk each, or all of one length.
fn web_answer(kind: &str, body: &[&[u8]], chunked: bool) -> Vec<u8> {
    let head =
        |framing: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n").into_bytes();
    if !chunked {
        let body = body.concat();
        return [head(&format!("Content-Length: {}", body.len())), body].concat();
    }
    let chunk = |part: &&[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let chunks: Vec<u8> = body.iter().flat_map(chunk).collect();
    [head("Transfer-Encoding: chunked"), chunks, b"0\r\n\r\n".to_vec()].concat()
}

/// The trailers end the body, or one of its chunks, and are read however far behind they stand.
#[test]
fn grpc_web_over_http_1_ends_with_trailers_in_its_body() {
    let trailers = message(0x80, "grpc-status: 9\r\ngrpc-message: no\r\n");
    for length in [0, 10, 5000] {
        let one = message(0, &"x".repeat(length));
        let body = [&one[..], &trailers].concat();
        for (pieces, chunked) in [(&[&body[..]][..], false), (&[&body], true), (&[&one, &trailers], true)] {
            let answer = web_answer("application/grpc-web+proto", pieces, chunked);
            let next = [sent("GET / HTTP/1.1\r\n\r\n"), received("HTTP/1.1 204 No\r\n\r\n")];
            let mut calls = vec![sent(WEB), received(&answer)];
            calls.extend(next);
            let calls = talk(calls);
            let mut bench = Bench::new(REGISTRY, Side::Client);
            let exchanges: Vec<_> = bench.play(&calls).exchanges().collect();
            let [call, next] = exchanges[..] else { panic!("{exchanges:#?}") };
            let failed = Outcome::Error("FAILED_PRECONDITION".into(), Some("no".into()));
            assert_eq!((&call.outcome, next.protocol), (&failed, "http"), "{length} {chunked}");
            let received = call.response.expect("an answer");
            assert_eq!((received.bytes, received.body), (answer.len() as u64, Some(body.len() as u64)));
            testing::same_for_any_split(REGISTRY, Side::Client, &calls, &[1]);
            testing::same_for_any_split(REGISTRY, Side::Client, &calls, &[7, 100, 3]);
            testing::prefixes_wait(REGISTRY, Side::Client, &calls);
        }
    }
}

/// Of a long answer the kernel copies the begin and the end.
#[test]
fn trailers_behind_what_was_not_copied_are_read() {
    let trailers = message(0x80, "grpc-status:5\r\n");
    let answer = web_answer("application/grpc-web", &[&message(0, &"x".repeat(3000)), &trailers], false);
    let (seen, last) = (&answer[..500], &answer[answer.len() - 64..]);
    let gap = (answer.len() - 564) as u64;
    let bench = played(Side::Client, vec![sent(WEB), received(seen).gap(Gap::NotCopied, gap).then(last)]);
    assert_eq!(only(&bench).outcome, Outcome::Error("NOT_FOUND".into(), None));
}

/// In base64 nothing of the body is read: it is a call whose end is not known.
#[test]
fn grpc_web_in_base64_is_a_call_without_counts() {
    let ask = WEB.replace("grpc-web+proto", "grpc-web-text");
    let answer = web_answer("application/grpc-web-text", &[b"gAAAAA9ncnBjLXN0YXR1czogMA0K"], false);
    let bench = played(Side::Client, vec![sent(ask), received(answer)]);
    let exchange = only(&bench);
    assert_eq!((exchange.protocol, exchange.method.as_ref()), ("grpc", "shop.Orders/Place"));
    assert_eq!((exchange.outcome.clone(), counted(exchange)), (Outcome::Unset, (None, None)));
    assert!(!shown(exchange).iter().any(|line| line.starts_with("rpc.response")), "{exchange:?}");
}

/// Whoever asks for what there is not may name it as he likes: no name for a span (semantic conventions, `rpc.method`).
#[test]
fn a_server_without_such_a_method_is_not_named_after_it() {
    let named = |side, calls: Vec<Call>| {
        let bench = played(side, calls);
        let exchange = only(&bench);
        let lines: Vec<_> =
            shown(exchange).into_iter().filter(|line| line.starts_with("rpc.method")).collect();
        (exchange.method.to_string(), lines.join(" "))
    };
    let (ask, answer) = (ask(&[message(0, "")]), answer(&[], "12", ""));
    assert_eq!(
        named(Side::Server, vec![received(&ask), sent(&answer)]),
        ("grpc".into(), "rpc.method=_OTHER rpc.method_original=shop.Orders/Place".into())
    );
    assert_eq!(
        named(Side::Client, vec![sent(&ask), received(&answer)]),
        ("shop.Orders/Place".into(), "rpc.method=shop.Orders/Place".into())
    );
}

#[test]
fn a_call_whose_request_was_not_understood_is_known_by_its_answer() {
    let mut client = Client::default();
    client.block(&HEAD);
    let calls = vec![
        received(headers(3, true, &client.block(&HEAD))),
        sent(
            [
                headers(3, false, &Client::plain(&OK)),
                headers(3, true, &Client::plain(&[("grpc-status", "0")])),
            ]
            .concat(),
        ),
    ];
    let bench = played(Side::Unknown, calls);
    let exchange = only(&bench);
    assert_eq!((exchange.protocol, exchange.method.as_ref()), ("grpc", "grpc"));
    assert!(shown(exchange).contains(&"wirespan.http2.unknown_fields=4".to_owned()), "{exchange:?}");
    assert_eq!(exchange.ended.0, 2 * STEP);
}
