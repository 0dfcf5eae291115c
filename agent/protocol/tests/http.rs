//! HTTP/1 on a connection: calls in, exchanges out.

mod web;

use web::{ended, path, played, size, status};
use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Output, Role, Value},
    facts::Side,
    http::Http,
    registry::{Entry, REGISTRY},
    stream::Gap,
    testing::{Bench, Call, STEP, every_opening_ends_once, received, sent, talk},
};

/// One line for an exchange: what the tables below show.
fn line(exchange: &Exchange) -> String {
    let Exchange { method, ending, request, response, .. } = exchange;
    let answer =
        response.map_or("-".to_owned(), |response| format!("{}/{}", response.bytes, size(response.body)));
    let (path, status) = (path(exchange), status(exchange));
    format!("{method} {path} {status} {ending:?} {}/{} {answer}", request.bytes, size(request.body))
}

/// What is known while the connection is open.
fn server(calls: Vec<Call>) -> Vec<String> {
    played(Side::Server, calls).exchanges().map(line).collect()
}

/// What is known when it is closed.
fn closed(side: Side, calls: Vec<Call>, ending: Ending) -> Vec<String> {
    ended(side, calls, ending).exchanges().map(line).collect()
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn ok(status: u16) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn keep_alive_gives_one_exchange_for_each_request() {
    assert_eq!(
        server(vec![received(GET), sent(OK), received(get("/b")), sent(ok(404))]),
        ["GET /a 200 Answered 28/? 40/2", "GET /b 404 Answered 28/? 37/0"]
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let requests = [get("/a"), get("/b"), get("/c")].concat();
    let responses = [ok(200), ok(201), ok(202)].concat();
    let expected = ["GET /a 200", "GET /b 201", "GET /c 202"];
    let found = server(vec![received(&requests), sent(&responses)]);
    assert_eq!(found.len(), 3);
    assert!(found.iter().zip(expected).all(|(line, expected)| line.starts_with(expected)), "{found:?}");
}

#[test]
fn times_and_offsets_are_those_of_the_bytes() {
    let bench = played(
        Side::Client,
        vec![
            sent("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\n"),
            sent("abc"),
            received(&OK[..39]),
            received("k"),
        ],
    );
    let exchange = bench.exchanges().next().unwrap();
    let response = exchange.response.unwrap();
    assert_eq!((exchange.key.offset, response.offset), (5000, 1000));
    assert_eq!((exchange.request.first.time.0, exchange.request.last.time.0), (STEP, 2 * STEP));
    assert_eq!(
        (response.first.time.0, response.last.time.0, exchange.ended.0),
        (3 * STEP, 4 * STEP, 4 * STEP)
    );
    assert_eq!(exchange.role, Role::Client);
    assert!(
        matches!(bench.out[..], [Output::Opened(_), Output::Resumed(at), Output::Closed(_)] if at.at.time.0 == 3 * STEP)
    );
}

#[test]
fn a_request_opens_before_its_answer() {
    let bench = played(Side::Server, vec![received("GET /a HTTP/1.1\r\ntraceparent: 00-x\r\nb3: 0\r\n\r\n")]);
    let [Output::Opened(opening)] = &bench.out[..] else { panic!("{:?}", bench.out) };
    let carried: Vec<_> =
        opening.carrier.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
    assert_eq!(carried, [("traceparent", "00-x"), ("b3", "0")]);
}

#[test]
fn chunked_bodies_end_with_their_trailer() {
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nEtag: t\r\n\r\n";
    let request = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(server(vec![received(request), sent(response)]), ["POST /a 200 Answered 60/2 83/8"]);
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let calls = vec![received("GET /a HTTP/1.0\r\n\r\n"), sent("HTTP/1.0 200 OK\r\n\r\nsome"), sent("thing")];
    assert_eq!(server(calls.clone()), [""; 0]);
    assert_eq!(closed(Side::Server, calls, Ending::Closed), ["GET /a 200 Answered 19/? 28/9"]);
}

#[test]
fn responses_without_a_body_have_none_whatever_they_declare() {
    let head = "HEAD /a HTTP/1.1\r\n\r\n";
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let unchanged = "HTTP/1.1 304 X\r\nContent-Length: 7\r\n\r\n";
    assert_eq!(
        server(vec![
            received(head),
            sent(long),
            received(GET),
            sent(unchanged),
            received(GET),
            sent("HTTP/1.1 204 X\r\n\r\n"),
            received(GET),
            sent(OK)
        ]),
        [
            "HEAD /a 200 Answered 20/? 41/0",
            "GET /a 304 Answered 28/? 37/0",
            "GET /a 204 Answered 28/? 18/0",
            "GET /a 200 Answered 28/? 40/2"
        ]
    );
}

#[test]
fn interim_responses_are_passed_over() {
    let request = "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(
        server(vec![
            received(request),
            sent("HTTP/1.1 100 Continue\r\n\r\n"),
            received("hi"),
            sent("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
            sent(OK)
        ]),
        ["POST /a 200 Answered 63/2 40/2"]
    );
}

#[test]
fn an_early_answer_ends_the_exchange() {
    let request = "POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n123";
    assert_eq!(
        server(vec![received(request), sent(ok(413)), received("4567890"), received(GET), sent(OK)]),
        ["POST /a 413 Answered 43/10 37/0", "GET /a 200 Answered 28/? 40/2"]
    );
}

#[test]
fn line_ends_folds_and_empty_lines_before_requests_are_tolerated() {
    let request = "\r\n\nGET /a HTTP/1.1\nUser-Agent: one\n\ttwo\n\n";
    let bench = played(Side::Server, vec![received(request), sent("HTTP/1.1 200 OK\nContent-Length: 0\n\n")]);
    let exchange = bench.exchanges().next().unwrap();
    assert_eq!(exchange.key.offset, 1003);
    assert!(exchange.attributes.contains(&("user_agent.original".into(), Value::Text("one two".into()))));
}

#[test]
fn upgrade_and_connect_hand_the_connection_over() {
    let upgrade = "GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: something\r\n\r\n";
    let switch = "HTTP/1.1 101 X\r\nUpgrade: something\r\n\r\n\x02\x03";
    let mut upgraded = played(Side::Server, vec![received(upgrade), sent(switch), received("\x01\x02")]);
    assert_eq!(upgraded.exchanges().map(line).collect::<Vec<_>>(), ["GET /ws 101 Upgraded 61/? 38/?"]);
    assert_eq!(upgraded.session.protocol(), None);
    upgraded.finish(Ending::Closed, 100 * STEP);
    assert_eq!(upgraded.exchanges().count(), 1);
    let connect = "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n";
    let tunnel = vec![received(connect), sent("HTTP/1.1 200 X\r\n\r\n"), received(GET), sent(OK)];
    assert_eq!(server(tunnel), ["CONNECT - 200 Upgraded 37/? 18/?", "GET /a 200 Answered 28/? 40/2"]);
}

#[test]
fn an_upgrade_refused_changes_nothing() {
    let upgrade = "GET /a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(
        server(vec![received([upgrade, GET].concat()), sent(OK), sent(ok(204))]),
        ["GET /a 200 Answered 33/? 40/2", "GET /a 204 Answered 28/? 37/0"]
    );
}

#[test]
fn bodies_that_were_not_copied_cost_their_length() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let calls = vec![
        received(GET),
        sent(head).gap(Gap::NotCopied, 60_000),
        sent("").gap(Gap::NotCopied, 40_000),
        received(GET),
        sent(OK),
    ];
    assert_eq!(server(calls), ["GET /a 200 Answered 28/? 100043/100000", "GET /a 200 Answered 28/? 40/2"]);
}

#[test]
fn bytes_lost_within_a_body_are_counted() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let bench = played(Side::Server, vec![received(GET), sent(head).gap(Gap::Lost, 90), sent("0123456789")]);
    let response = bench.exchanges().next().unwrap().response.unwrap();
    assert_eq!((response.bytes, response.missing), (140, 90));
}

#[test]
fn chunk_sizes_that_were_not_copied_are_made_up_for_by_the_end_of_a_call() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n";
    let calls = vec![
        received(GET),
        sent(head).gap(Gap::NotCopied, 50_000).then("tail"),
        sent("more").gap(Gap::NotCopied, 50_000).then("\r\n0\r\n\r\n"),
        received(GET),
        sent(OK),
    ];
    assert_eq!(server(calls), ["GET /a 200 Answered 28/? 100068/?", "GET /a 200 Answered 28/? 40/2"]);
}

#[test]
fn a_chunked_body_of_unknown_end_lasts_until_the_next_head() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n";
    let calls = vec![received(GET), sent(head).gap(Gap::NotCopied, 50_000), received(get("/b")), sent(OK)];
    assert_eq!(server(calls), ["GET /a 200 Answered 28/? 50053/?", "GET /b 200 Answered 28/? 40/2"]);
}

#[test]
fn a_head_cut_at_the_limit_gives_a_truncated_message() {
    let request = "GET /a HTTP/1.1\r\nHost: h\r\nCookie: aaaa";
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nSet-Coo";
    let mut bench = played(
        Side::Server,
        vec![
            received(request).gap(Gap::NotCopied, 900).then("aa\r\n\r\n"),
            sent(response).gap(Gap::NotCopied, 400).then("of the body"),
            received(get("/b")),
            sent(OK),
        ],
    );
    bench.finish(Ending::Closed, 100 * STEP);
    let lines: Vec<_> = bench.exchanges().map(line).collect();
    assert_eq!(lines, ["GET /a 200 Answered 944/? 455/20", "GET /b 200 Answered 28/? 40/2"]);
    let first = bench.exchanges().next().unwrap();
    assert!(first.request.truncated && first.response.unwrap().truncated);
}

#[test]
fn a_first_line_cut_at_the_limit_is_tried_and_proven_by_the_answer() {
    let cut = || received("GET /long?aaaaaaaa").gap(Gap::NotCopied, 5000).then("\r\n\r\n");
    let answered = closed(Side::Server, vec![cut(), sent(OK)], Ending::Closed);
    assert_eq!(answered, ["GET /long 200 Answered 5022/? 40/2"]);
    assert_eq!(closed(Side::Server, vec![cut(), sent("what?\r\n")], Ending::Closed), [""; 0]);
    assert_eq!(closed(Side::Server, vec![cut()], Ending::Closed), [""; 0]);
}

#[test]
fn requests_without_an_answer_say_why() {
    let error = |ending| {
        let mut bench = played(Side::Client, vec![sent(GET)]);
        bench.finish(ending, 9 * STEP);
        let exchange = bench.exchanges().next().unwrap();
        assert_eq!((exchange.ending, exchange.ended.0), (ending, 9 * STEP));
        exchange.outcome.clone()
    };
    let expected = |name: &'static str| Outcome::Error(name.into(), None);
    assert_eq!(error(Ending::Closed), expected("connection_closed"));
    assert_eq!(error(Ending::Broken(104)), expected("connection_reset"));
    assert_eq!(error(Ending::Broken(110)), expected("connection_timed_out"));
    assert_eq!(error(Ending::Lost), Outcome::Unset);
}

#[test]
fn a_timed_out_request_keeps_its_place_in_the_order() {
    let mut bench = played(Side::Server, vec![received(GET)]);
    bench.tick(60 * STEP);
    assert_eq!(bench.exchanges().count(), 0);
    bench.tick(61 * STEP).tick(62 * STEP);
    let late = talk(vec![received(get("/b")), sent(ok(200)), sent(ok(201))]);
    bench.play(&late).finish(Ending::Closed, 100 * STEP);
    every_opening_ends_once(&bench.out);
    let lines: Vec<_> = bench.exchanges().map(line).collect();
    assert_eq!(lines, ["GET /a - TimedOut 28/? -", "GET /b 201 Answered 28/? 37/0"]);
}

#[test]
fn a_response_cut_off_by_a_reset_is_an_error() {
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\npart";
    assert_eq!(
        closed(Side::Client, vec![sent(GET), received(part)], Ending::Broken(104)),
        ["GET /a 200 Broken(104) 28/? 43/20"]
    );
}

#[test]
fn older_connections_begin_in_the_middle() {
    let calls = vec![
        sent("rest of a body, HTTP/1.1 200 OK\r\n\r\n"),
        sent("and more").gap(Gap::NotCopied, 70_000).then("end"),
        received("x=1&y=2"),
        sent(ok(200)),
        received(GET),
        sent(OK),
    ];
    assert_eq!(closed(Side::Unknown, calls, Ending::Closed), ["GET /a 200 Answered 28/? 40/2"]);
}

#[test]
fn a_lost_response_does_not_shift_the_pairs() {
    let lost = sent("").gap(Gap::Lost, 37);
    let calls = vec![
        received(get("/1")),
        sent(ok(201)),
        received(get("/2")),
        lost,
        received(get("/3")),
        sent(ok(203)),
        received(get("/4")),
        sent(ok(204)),
        received(get("/5")),
        sent(ok(205)),
    ];
    assert_eq!(
        closed(Side::Server, calls, Ending::Closed),
        [
            "GET /1 201 Answered 28/? 37/0",
            "GET /2 - Lost 28/? -",
            "GET /3 - Lost 28/? -",
            "GET /4 204 Answered 28/? 37/0",
            "GET /5 205 Answered 28/? 37/0"
        ]
    );
}

#[test]
fn a_lost_request_does_not_shift_the_pairs() {
    let calls = vec![
        received([get("/1"), get("/2")].concat()),
        received("").gap(Gap::Lost, 28),
        received(get("/4")),
        sent([ok(201), ok(202)].concat()),
        sent(ok(203)),
        sent(ok(204)),
        received(get("/5")),
        sent(ok(205)),
    ];
    assert_eq!(
        closed(Side::Server, calls, Ending::Closed),
        [
            "GET /1 201 Answered 28/? 37/0",
            "GET /2 202 Answered 28/? 37/0",
            "GET /4 - Lost 28/? -",
            "GET /5 205 Answered 28/? 37/0"
        ]
    );
}

#[test]
fn too_many_pipelined_requests_end_as_lost() {
    let mut bench = Bench::new(REGISTRY, Side::Server);
    bench.settings.max_pending = 4;
    bench.play(&talk(vec![received(GET.repeat(6))])).finish(Ending::Closed, 9 * STEP);
    every_opening_ends_once(&bench.out);
    assert!(bench.exchanges().all(|exchange| exchange.ending == Ending::Lost));
    assert_eq!(bench.exchanges().count(), 6);
}

/// No other protocol claims what is not HTTP.
static HTTP: [Entry; 1] = [Entry::of::<Http>()];

#[test]
fn what_is_not_http_gives_nothing() {
    let conversations: [&[&[u8]]; 7] = [
        &[b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", b"\x16\x03\x03\x00\x7a\x02"],
        &[b"SSH-2.0-OpenSSH_9.2\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"],
        &[b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"],
        &[b"GET foo\r\n", b"$3\r\nbar\r\n"],
        &[b"get foo\r\n", b"VALUE foo 0 3\r\nbar\r\nEND\r\n"],
        &[b"\0\0\0\x08\x04\xd2\x16\x2f", b"S\x16\x03\x03"],
        &[b"GET /key HTTP/1.1\r\n\r\n", b"-ERR unknown command\r\n"],
    ];
    for calls in conversations {
        for side in [Side::Server, Side::Unknown] {
            let turns = calls.iter().cycle().take(60).enumerate();
            let calls = turns.map(|(turn, bytes)| if turn % 2 == 0 { received(bytes) } else { sent(bytes) });
            let mut bench = Bench::new(&HTTP, side);
            bench.play(&talk(calls.collect()));
            assert_eq!(
                bench.session.policy(),
                wirespan_protocol::event::Policy::Ignore,
                "{calls:?}",
                calls = bench.out
            );
            bench.finish(Ending::Closed, 100 * STEP);
            every_opening_ends_once(&bench.out);
            assert_eq!(bench.exchanges().count(), 0);
        }
    }
}

#[test]
fn a_session_is_small_while_idle() {
    assert!(size_of::<wirespan_protocol::Session>() <= 200);
}
