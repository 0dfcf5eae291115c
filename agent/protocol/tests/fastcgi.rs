//! FastCGI on a connection: recordings of nginx, Apache and PHP-FPM, and what those do not show.

mod records;

use records::{PARAMS, STDERR, STDIN, STDOUT, begin, end, pairs, record};
use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Output, Role, Target, Value},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Bench, Call, STEP, every_opening_ends_once, received, recorded, sent, talk},
};

/// A whole request: its parameters, which begin with the method and the path, and its body.
fn ask(id: u16, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let params = pairs(&[("REQUEST_METHOD", method), ("REQUEST_URI", path)]);
    let body = if body.is_empty() { Vec::new() } else { record(STDIN, id, body, 0) };
    [
        begin(id, true),
        record(PARAMS, id, &params, 3),
        record(PARAMS, id, b"", 0),
        body,
        record(STDIN, id, b"", 0),
    ]
    .concat()
}

/// A whole answer.
fn answer(id: u16, head: &str, body: &[u8]) -> Vec<u8> {
    let content = [head.as_bytes(), b"\r\n", body].concat();
    [record(STDOUT, id, &content, 5), end(id, 0, 0)].concat()
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Url(url) => format!("<{url}>"),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn attributes(exchange: &Exchange) -> Vec<String> {
    exchange.attributes.iter().map(|(name, value)| format!("{name}={}", show(value))).collect()
}

/// Method, path, status, sizes of the bodies, what is not as usual.
fn line(exchange: &Exchange) -> String {
    let mut line = exchange.method.to_string();
    if let Target::Path(path) = &exchange.target {
        line = format!("{line} {path}");
    }
    for (label, name) in [
        ("", "http.response.status_code"),
        ("asks ", "http.request.body.size"),
        ("gives ", "http.response.body.size"),
        ("app ", "wirespan.fastcgi.app_status"),
        ("stderr ", "wirespan.fastcgi.stderr_bytes"),
    ] {
        let value = exchange.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value);
        line += &value.map(|value| format!(", {label}{}", show(value))).unwrap_or_default();
    }
    // A status is there already, and whose fault it is depends on the side.
    if let Outcome::Error(error, _) = &exchange.outcome
        && error.parse::<u16>().is_err()
    {
        line += &format!(", error {error}");
    }
    if exchange.request.truncated || exchange.response.is_some_and(|response| response.truncated) {
        line += ", truncated";
    }
    if exchange.ending == Ending::Answered { line } else { format!("{line}, {:?}", exchange.ending) }
}

fn play(side: Side, calls: &[Call]) -> Bench {
    let mut bench = Bench::new(REGISTRY, side);
    bench.play(calls).finish(Ending::Closed, u64::MAX);
    every_opening_ends_once(&bench.out);
    bench
}

fn lines(side: Side, calls: Vec<Call>) -> Vec<String> {
    play(side, &talk(calls)).exchanges().map(line).collect()
}

fn client(calls: Vec<Call>) -> Vec<String> {
    lines(Side::Client, calls)
}

/// Both sides of a recorded conversation show the same exchanges, and the three properties hold for it.
fn shows(recording: &str, expected: &[&str]) {
    for side in [Side::Client, Side::Server] {
        let calls = recorded(recording, side);
        let bench = play(side, &calls);
        let role = if side == Side::Server { Role::Server } else { Role::Client };
        assert!(bench.exchanges().all(|exchange| exchange.role == role));
        assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), expected, "{side:?}");
        for cuts in [&[1][..], &[7, 3, 100], &[16], &[64, 1]] {
            testing::same_for_any_split(REGISTRY, side, &calls, cuts);
        }
        testing::prefixes_wait(REGISTRY, side, &calls);
        testing::bounded(REGISTRY, side, &calls);
    }
}

/// One connection for several requests: a query, a body, errors of both kinds, a line in the log, a redirect.
#[test]
fn nginx_keeps_its_connection_to_php_fpm() {
    shows(
        include_str!("captures/fastcgi/nginx.txt"),
        &[
            "GET /items/42, 200, asks 0, gives 7",
            "POST /orders, 200, asks 9, gives 7",
            "GET /gone, 404, asks 0, gives 4",
            "GET /fail, 500, asks 0, gives 2, stderr 30",
            "GET /moved, 302, asks 0, gives 0",
        ]
        .map(|line| line),
    );
}

#[test]
fn a_connection_may_be_for_one_request() {
    shows(include_str!("captures/fastcgi/once.txt"), &["GET /once/a, 200, asks 0, gives 7"]);
}

#[test]
fn apache_asks_php_fpm() {
    shows(
        include_str!("captures/fastcgi/apache.txt"),
        &[
            "GET /items/42, 200, asks 0, gives 7",
            "POST /orders, 200, asks 9, gives 7",
            "GET /gone, 404, asks 0, gives 4",
        ],
    );
}

/// What its parameters tell of a request, on either side; no cookie, no credential.
#[test]
fn attributes_are_those_of_http() {
    let first = |side| {
        let bench = play(side, &recorded(include_str!("captures/fastcgi/nginx.txt"), side));
        let carrier = bench.out.iter().find_map(|output| match output {
            Output::Opened(opening) => Some(opening.carrier.clone()),
            _ => None,
        });
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        assert_eq!(carrier, Some(vec![("traceparent".into(), traceparent)]));
        assert!(!format!("{:?}", bench.out).contains("Bearer"), "a credential got out");
        attributes(bench.exchanges().next().expect("an exchange"))
    };
    let both = [
        "http.request.method=GET",
        "url.path=/items/42",
        "url.query=<token=hush&x=1>",
        "url.scheme=http",
        "network.protocol.name=fastcgi",
        "user_agent.original=tester",
    ];
    let server = ["client.address=127.0.0.1", "server.address=127.0.0.1", "server.port=19802"];
    let end = ["http.request.body.size=0", "http.response.status_code=200", "http.response.body.size=7"];
    assert_eq!(first(Side::Server), [&both[..], &server, &end].concat());
    assert_eq!(first(Side::Client), [&both[..], &end].concat());
}

#[test]
fn headers_are_captured_where_asked_for() {
    let params = pairs(&[("REQUEST_METHOD", "GET"), ("HTTP_X_SHOP_ID", "7"), ("HTTP_COOKIE", "hush")]);
    let ask = [begin(1, true), record(PARAMS, 1, &params, 0), record(PARAMS, 1, b"", 0)].concat();
    let mut bench = Bench::new(REGISTRY, Side::Server);
    bench.settings.capture_request_headers = vec!["x-shop-id".into()];
    bench.settings.capture_response_headers = vec!["x-cache".into()];
    bench.play(&talk(vec![received(ask), sent(answer(1, "X-Cache: hit\r\nSet-Cookie: hush\r\n", b""))]));
    let shown = attributes(bench.exchanges().next().expect("an exchange"));
    assert!(shown.contains(&r#"http.request.header.x-shop-id=List(["7"])"#.to_owned()), "{shown:?}");
    assert!(shown.contains(&r#"http.response.header.x-cache=List(["hit"])"#.to_owned()), "{shown:?}");
    assert!(!shown.concat().contains("hush"));
}

#[test]
fn what_the_web_server_did_not_tell_is_found_elsewhere() {
    let of = |params: &[(&str, &str)]| {
        let params = record(PARAMS, 1, &pairs(params), 0);
        let ask = [begin(1, true), params, record(PARAMS, 1, b"", 0)].concat();
        let bench = play(Side::Server, &talk(vec![received(ask), sent(answer(1, "", b""))]));
        attributes(bench.exchanges().next().expect("an exchange"))
    };
    let has = |shown: &[String], expected: &[&str]| {
        expected
            .iter()
            .for_each(|line| assert!(shown.iter().any(|shown| shown == line), "{line}: {shown:?}"));
    };
    let script =
        [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/a.php"), ("QUERY_STRING", "b=c"), ("HTTPS", "on")];
    has(&of(&script), &["url.path=/a.php", "url.query=<b=c>", "url.scheme=https", "server.address=10.0.0.2"]);
    let named =
        [("REQUEST_URI", "http://x.example/d?e=f"), ("SERVER_NAME", "shop.example"), ("SERVER_PORT", "443")];
    has(&of(&named), &["url.path=/d", "url.query=<e=f>", "server.address=shop.example", "server.port=443"]);
    let proxied = [("HTTP_X_FORWARDED_FOR", "203.0.113.9, 10.0.0.1"), ("REMOTE_ADDR", "10.0.0.1")];
    has(&of(&proxied), &["client.address=203.0.113.9", "http.request.method=_OTHER"]);
}

#[test]
fn several_requests_share_a_connection_and_are_answered_in_any_order() {
    let asks = [ask(1, "GET", "/a", b""), ask(2, "PUT", "/b", b"four"), ask(3, "GET", "/c", b"")].concat();
    let first = record(STDOUT, 2, b"Status: 201 Created\r\n\r\nab", 0);
    let answers = [first, answer(3, "", b"c"), record(STDOUT, 2, b"cd", 7), end(2, 0, 0), answer(1, "", b"")];
    assert_eq!(
        client(vec![sent(asks), received(answers.concat())]),
        ["GET /c, 200, asks 0, gives 1", "PUT /b, 201, asks 4, gives 4", "GET /a, 200, asks 0, gives 0"]
    );
}

#[test]
fn parameters_and_heads_may_be_cut_anywhere() {
    let params =
        pairs(&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/cut"), ("HTTP_COOKIE", &"x".repeat(300))]);
    let records = |kind: u8, content: &[u8]| -> Vec<u8> {
        content.chunks(5).flat_map(|piece| record(kind, 1, piece, 1)).collect()
    };
    let ask = [begin(1, true), records(PARAMS, &params), record(PARAMS, 1, b"", 0)].concat();
    let answer = [records(STDOUT, b"Status: 404 Not Found\r\n\r\nnothing"), end(1, 0, 0)].concat();
    assert_eq!(client(vec![sent(ask), received(answer)]), ["GET /cut, 404, gives 7"]);
}

#[test]
fn a_request_may_be_refused_or_fail() {
    let outcome = |app: u32, protocol: u8| {
        client(vec![sent(ask(1, "GET", "/a", b"")), received(end(1, app, protocol))])
    };
    assert_eq!(outcome(0, 0), ["GET /a, asks 0"]);
    assert_eq!(outcome(3, 0), ["GET /a, asks 0, app 3, error app_status"]);
    assert_eq!(outcome(0, 1), ["GET /a, asks 0, error cant_mpx_conn"]);
    assert_eq!(outcome(0, 2), ["GET /a, asks 0, error overloaded"]);
    assert_eq!(outcome(0, 3), ["GET /a, asks 0, error unknown_role"]);
}

#[test]
fn what_is_written_to_stderr_is_counted_and_not_kept() {
    let complaints =
        [record(STDERR, 1, b"hush", 4), record(STDERR, 1, b"hush hush", 0), record(STDERR, 1, b"", 0)];
    let answers = [complaints.concat(), answer(1, "", b"ok")].concat();
    let bench = play(Side::Client, &talk(vec![sent(ask(1, "GET", "/a", b"")), received(answers)]));
    assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), ["GET /a, 200, asks 0, gives 2, stderr 13"]);
    assert!(!format!("{:?}", bench.out).contains("hush"));
}

#[test]
fn an_aborted_request_is_cancelled() {
    let abort = record(2, 1, b"", 0);
    let cancelled = ["GET /a, asks 0, error cancelled, Cancelled"];
    assert_eq!(client(vec![sent(ask(1, "GET", "/a", b"")), sent(&abort), received(end(1, 0, 0))]), cancelled);
    assert_eq!(client(vec![sent(ask(1, "GET", "/a", b"")), sent(&abort)]), cancelled);
}

/// An application that closes its connection has said all, if it said so.
#[test]
fn the_end_of_a_connection_ends_its_requests() {
    let head = record(STDOUT, 1, b"A: b\r\n\r\nok", 0);
    let whole = [head.clone(), record(STDOUT, 1, b"", 0)].concat();
    assert_eq!(
        client(vec![sent(ask(1, "GET", "/a", b"")), received(whole)]),
        ["GET /a, 200, asks 0, gives 2"]
    );
    let broken = ["GET /a, 200, asks 0, error connection_closed, Closed"];
    assert_eq!(client(vec![sent(ask(1, "GET", "/a", b"")), received(head)]), broken);
}

#[test]
fn questions_about_the_application_are_no_requests() {
    let values = record(9, 0, &pairs(&[("FCGI_MPXS_CONNS", "")]), 0);
    let told = record(10, 0, &pairs(&[("FCGI_MPXS_CONNS", "0")]), 0);
    let unknown = record(11, 0, &[12, 0, 0, 0, 0, 0, 0, 0], 0);
    let calls = vec![
        sent(&values),
        received(&told),
        sent(ask(1, "GET", "/a", b"")),
        received(answer(1, "", b"")),
        sent(&values),
        received([told, unknown].concat()),
        sent(ask(1, "GET", "/b", b"")),
        received(answer(1, "", b"")),
    ];
    assert_eq!(client(calls), ["GET /a, 200, asks 0, gives 0", "GET /b, 200, asks 0, gives 0"]);
}

/// Bodies cost their lengths; an end that lies behind what was copied of a call is found by the call's last bytes.
#[test]
fn large_answers_need_not_be_captured() {
    let large = record(STDOUT, 1, &[&b"A: b\r\n\r\n"[..], &[b'x'; 9000]].concat(), 0);
    let skipped = received(&large[..2048]).gap(Gap::NotCopied, large.len() as u64 - 2048);
    let ask = || sent(ask(1, "GET", "/a", b""));
    assert_eq!(
        client(vec![ask(), skipped.clone(), received(end(1, 0, 0))]),
        ["GET /a, 200, asks 0, gives 9000"]
    );
    // The next record begins among the bytes that are not there.
    let blind = || received(&large[..2048]).gap(Gap::NotCopied, 40_000);
    let last = [b"the end of a body", &end(1, 0, 0)[..]].concat();
    assert_eq!(client(vec![ask(), blind().then(last)]), ["GET /a, 200, asks 0"]);
    let next = [ask(), received(answer(1, "", b""))];
    let calls = [vec![ask(), blind(), received(end(1, 0, 0))], next.to_vec()].concat();
    assert_eq!(client(calls), ["GET /a, 200, asks 0", "GET /a, 200, asks 0, gives 0"]);
}

#[test]
fn parameters_that_were_not_captured_make_a_truncated_span() {
    let whole = ask(1, "GET", &format!("/a?{}", "x".repeat(3000)), b"");
    let cut = sent(&whole[..60]).gap(Gap::NotCopied, whole.len() as u64 - 60);
    assert_eq!(client(vec![cut, received(answer(1, "", b""))]), ["GET, 200, gives 0, truncated"]);
    let most =
        pairs(&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/long"), ("HTTP_COOKIE", &"x".repeat(20_000))]);
    let long = [begin(1, true), record(PARAMS, 1, &most, 0), record(PARAMS, 1, b"", 0)].concat();
    assert_eq!(
        client(vec![sent(long), received(answer(1, "", b""))]),
        ["GET /long, 200, gives 0, truncated"]
    );
}

#[test]
fn lost_bytes_are_no_guess() {
    let (ask, lost) = (ask(1, "GET", "/a", b""), Gap::Lost);
    let calls = vec![sent(&ask), received(b"\x01").gap(lost, 900), sent(&ask), received(answer(1, "", b""))];
    assert_eq!(client(calls), ["GET /a, asks 0, Lost", "GET /a, 200, asks 0, gives 0"]);
}

/// In the middle of an answer: what follows is read from the next request on.
#[test]
fn a_connection_older_than_the_daemon_is_recognised() {
    let calls = vec![
        sent("the rest of a body"),
        received("the rest of an answer"),
        received(end(1, 0, 0)),
        sent(ask(1, "GET", "/b", b"")),
        received(answer(1, "", b"")),
    ];
    assert_eq!(lines(Side::Unknown, calls), ["GET /b, 200, asks 0, gives 0"]);
}

#[test]
fn who_waits_too_long_is_told() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent(ask(1, "GET", "/slow", b""))]));
    bench.tick(59 * STEP);
    assert_eq!(bench.exchanges().count(), 0);
    bench.tick(62 * STEP);
    assert_eq!(
        bench.exchanges().map(line).collect::<Vec<_>>(),
        ["GET /slow, asks 0, error timeout, TimedOut"]
    );
}

#[test]
fn open_requests_are_bounded() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.settings.max_pending = 2;
    bench.play(&talk((1..=3).map(|id| sent(ask(id, "GET", &format!("/{id}"), b""))).collect()));
    assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), ["GET /1, asks 0, Lost"]);
}
