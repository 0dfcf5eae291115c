//! HTTP/2 on a connection: calls in, exchanges out.

mod frames;
mod web;

use frames::{Client, HEAD, PREFACE, data, goaway, headers, reset, settings};
use web::{ended, path, played, size, status};
use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Output, Role, Value},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{Bench, Call, STEP, every_opening_ends_once, received, sent, talk},
};

/// One line for an exchange: what the tables below show.
fn line(exchange: &Exchange) -> String {
    let Exchange { key, method, ending, request, response, .. } = exchange;
    let answer = response.map_or("-".to_owned(), |response| size(response.body));
    let (path, status) = (path(exchange), status(exchange));
    format!("{} {method} {path} {status} {ending:?} {}/{answer}", key.sub, size(request.body))
}

/// What is known while the connection is open.
fn server(calls: Vec<Call>) -> Vec<String> {
    played(Side::Server, calls).exchanges().map(line).collect()
}

/// What is known when it is closed.
fn closed(side: Side, calls: Vec<Call>, ending: Ending) -> Vec<String> {
    ended(side, calls, ending).exchanges().map(line).collect()
}

/// `GET` of a path on a stream, without a body.
fn get(client: &mut Client<'_>, stream: u32, path: &str) -> Vec<u8> {
    headers(
        stream,
        true,
        &client.block(&[(":method", "GET"), (":scheme", "http"), (":authority", "h:81"), (":path", path)]),
    )
}

/// A response's head.
fn head(stream: u32, ends: bool, status: &str) -> Vec<u8> {
    headers(stream, ends, &Client::plain(&[(":status", status)]))
}

fn opened(bench: &Bench) -> usize {
    bench.out.iter().filter(|output| matches!(output, Output::Opened(_))).count()
}

#[test]
fn prior_knowledge_is_recognised_by_the_preface() {
    let mut client = Client::default();
    let start = [PREFACE.to_vec(), settings(), get(&mut client, 1, "/a")].concat();
    let calls =
        vec![sent(settings()), received(start), sent([head(1, false, "200"), data(1, true, b"ok")].concat())];
    assert_eq!(server(calls), ["1 GET /a 200 Answered 0/2"]);
}

#[test]
fn streams_are_told_apart_whatever_their_order() {
    let mut client = Client::default();
    let asks =
        [PREFACE.to_vec(), get(&mut client, 1, "/1"), get(&mut client, 3, "/3"), get(&mut client, 5, "/5")];
    let answers = [
        head(5, false, "205"),
        head(1, false, "201"),
        data(5, false, b"aaa"),
        data(1, true, b"b"),
        head(3, true, "203"),
        data(5, true, b"c"),
    ];
    assert_eq!(
        server(vec![received(asks.concat()), sent(answers.concat())]),
        ["1 GET /1 201 Answered 0/1", "3 GET /3 203 Answered 0/0", "5 GET /5 205 Answered 0/4"]
    );
}

#[test]
fn times_offsets_and_roles_are_those_of_the_frames() {
    let mut client = Client::default();
    let head_of_request = client.block(&[(":method", "POST"), (":scheme", "http"), (":path", "/a")]);
    let calls = vec![
        sent([PREFACE.to_vec(), settings()].concat()),
        sent(headers(1, false, &head_of_request)),
        sent(data(1, true, b"abc")),
        received(head(1, false, "200")),
        received(data(1, true, b"x")),
    ];
    let bench = played(Side::Client, calls);
    let exchange = bench.exchanges().next().unwrap();
    let response = exchange.response.unwrap();
    assert_eq!((exchange.role, exchange.key.offset, exchange.key.sub), (Role::Client, 5000 + 24 + 15, 1));
    assert_eq!((exchange.request.first.time.0, exchange.request.last.time.0), (2 * STEP, 3 * STEP));
    assert_eq!(exchange.request.bytes, (HEAD + head_of_request.len() + HEAD + 3) as u64);
    assert_eq!((response.offset, response.first.time.0, exchange.ended.0), (1000, 4 * STEP, 5 * STEP));
    assert!(matches!(bench.out[..], [Output::Opened(_), Output::Resumed(_), Output::Closed(_)]));
}

#[test]
fn a_trace_context_comes_out_of_the_block() {
    let mut client = Client::default();
    let context = [(":method", "GET"), (":path", "/"), ("traceparent", "00-x"), ("tracestate", "a=b")];
    let bench = played(
        Side::Server,
        vec![received([PREFACE.to_vec(), headers(1, true, &client.block(&context))].concat())],
    );
    let [Output::Opened(opening)] = &bench.out[..] else { panic!("{:?}", bench.out) };
    let carried: Vec<_> =
        opening.carrier.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
    assert_eq!(carried, [("traceparent", "00-x"), ("tracestate", "a=b")]);
}

#[test]
fn attributes_are_those_of_http() {
    let mut client = Client::default();
    let fields = [
        (":method", "PURGE"),
        (":scheme", "http"),
        (":authority", "shop.example:8443"),
        (":path", "/a/b?c=d"),
        ("user-agent", "curl/8"),
        ("x-forwarded-for", "1.2.3.4"),
    ];
    let ask = [PREFACE.to_vec(), headers(1, true, &client.block(&fields))].concat();
    let shown = |side, calls: Vec<Call>| -> Vec<String> {
        let bench = played(side, calls);
        let exchange = bench.exchanges().next().unwrap();
        exchange.attributes.iter().map(|(name, value)| format!("{name}={value:?}")).collect()
    };
    assert_eq!(
        shown(Side::Server, vec![received(&ask), sent(head(1, true, "404"))]),
        [
            r#"http.request.method=Text("_OTHER")"#,
            r#"http.request.method_original=Text("PURGE")"#,
            r#"url.path=Text("/a/b")"#,
            r#"url.query=Url("c=d")"#,
            r#"url.scheme=Text("http")"#,
            r#"network.protocol.name=Text("http")"#,
            r#"network.protocol.version=Text("2")"#,
            r#"user_agent.original=Text("curl/8")"#,
            r#"client.address=Text("1.2.3.4")"#,
            r#"server.address=Text("shop.example")"#,
            "server.port=Int(8443)",
            "http.request.body.size=Int(0)",
            "http.response.status_code=Int(404)",
            "http.response.body.size=Int(0)"
        ]
    );
    let lines = shown(Side::Client, vec![sent(&ask), received(head(1, true, "404"))]);
    assert!(lines.contains(&r#"url.full=Url("http://shop.example:8443/a/b?c=d")"#.to_owned()), "{lines:?}");
    assert!(lines.contains(&r#"error.type=Text("404")"#.to_owned()), "{lines:?}");
}

#[test]
fn blocks_come_in_pieces_with_padding_and_priority() {
    let mut client = Client::default();
    let block = client.block(&[(":method", "GET"), (":scheme", "http"), (":path", "/long/path")]);
    let (first, rest) = block.split_at(3);
    let (second, third) = rest.split_at(2);
    let padded = [&[2, 0, 0, 0, 0, 9][..], first, &[0, 0]].concat();
    let ask = [
        PREFACE.to_vec(),
        frames::frame(1, 0x01 | 0x08 | 0x20, 1, &padded),
        frames::frame(9, 0, 1, second),
        frames::frame(9, 4, 1, third),
    ];
    let answer = [head(1, false, "200"), frames::frame(0, 0x08 | 1, 1, b"\x03okpad")];
    assert_eq!(
        server(vec![received(ask.concat()), sent(answer.concat())]),
        ["1 GET /long/path 200 Answered 0/2"]
    );
}

#[test]
fn interim_responses_trailers_and_pushes_are_passed_over() {
    let mut client = Client::default();
    let mut pusher = Client::default();
    let promise =
        [&[0, 0, 0, 2][..], &pusher.block(&[(":method", "GET"), (":path", "/pushed"), ("x-a", "b")])]
            .concat();
    let answer = [
        head(1, false, "103"),
        frames::frame(5, 4, 1, &promise),
        headers(1, false, &pusher.block(&[(":status", "200"), ("x-a", "b")])),
        headers(2, false, &pusher.block(&[(":status", "200")])),
        data(2, true, b"pushed"),
        data(1, false, b"body"),
        headers(1, true, &pusher.block(&[("etag", "x")])),
    ];
    let ask = [PREFACE.to_vec(), get(&mut client, 1, "/a")].concat();
    assert_eq!(server(vec![received(ask), sent(answer.concat())]), ["1 GET /a 200 Answered 0/4"]);
}

#[test]
fn a_stream_that_is_given_up_says_by_which_error() {
    let outcome = |side, calls: Vec<Call>| {
        let bench = played(side, calls);
        every_opening_ends_once(&bench.out);
        let exchange = bench.exchanges().next().unwrap();
        (exchange.ending, exchange.outcome.clone())
    };
    let ask = || [PREFACE.to_vec(), get(&mut Client::default(), 1, "/a")].concat();
    let error = |name: &'static str| (Ending::Cancelled, Outcome::Error(name.into(), None));
    assert_eq!(outcome(Side::Client, vec![sent(ask()), received(reset(1, 7))]), error("refused_stream"));
    assert_eq!(outcome(Side::Server, vec![received(ask()), received(reset(1, 8))]), error("cancel"));
    assert_eq!(outcome(Side::Client, vec![sent(ask()), received(goaway(0, 0))]), error("refused_stream"));
    assert_eq!(outcome(Side::Client, vec![sent(ask()), received(goaway(0, 11))]), error("enhance_your_calm"));
}

#[test]
fn a_graceful_goaway_lets_open_streams_finish() {
    let mut client = Client::default();
    let ask = [PREFACE.to_vec(), get(&mut client, 1, "/1"), get(&mut client, 3, "/3")].concat();
    let answer = [goaway(1, 0), head(1, true, "200")].concat();
    assert_eq!(
        server(vec![received(ask), sent(answer)]),
        ["3 GET /3 - Cancelled 0/-", "1 GET /1 200 Answered 0/0"]
    );
}

#[test]
fn a_reset_behind_the_answer_changes_nothing() {
    let ask = [PREFACE.to_vec(), get(&mut Client::default(), 1, "/a")].concat();
    let answer = [head(1, true, "200"), reset(1, 0)].concat();
    assert_eq!(
        closed(Side::Server, vec![received(ask), sent(answer)], Ending::Closed),
        ["1 GET /a 200 Answered 0/0"]
    );
}

#[test]
fn requests_without_an_answer_say_why() {
    let ask = || vec![sent([PREFACE.to_vec(), get(&mut Client::default(), 1, "/a")].concat())];
    assert_eq!(closed(Side::Client, ask(), Ending::Broken(104)), ["1 GET /a - Broken(104) 0/-"]);
    let mut bench = played(Side::Client, ask());
    bench.tick(60 * STEP);
    assert_eq!(bench.exchanges().count(), 0);
    bench.tick(61 * STEP);
    assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), ["1 GET /a - TimedOut 0/-"]);
}

/// RFC 7540 section 3.2: the answer to the request that asked for it comes on stream 1.
#[test]
fn an_upgrade_answers_the_first_request_on_stream_1() {
    let upgrade = "GET /up?x=1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let mut client = Client::default();
    let calls = vec![
        received(upgrade),
        sent([switch.as_bytes(), &settings(), &head(1, false, "200"), &data(1, true, b"hello")].concat()),
        received([PREFACE.to_vec(), settings(), get(&mut client, 3, "/next")].concat()),
        sent(head(3, true, "204")),
    ];
    for cut in 0..2 {
        let mut calls = calls.clone();
        if cut == 1 {
            calls[1] = sent(switch);
            calls.insert(2, sent([settings(), head(1, false, "200"), data(1, true, b"hello")].concat()));
        }
        let bench = played(Side::Server, calls);
        every_opening_ends_once(&bench.out);
        let lines: Vec<_> = bench.exchanges().map(line).collect();
        assert_eq!(lines, ["0 GET /up 200 Answered 0/5", "3 GET /next 204 Answered 0/0"]);
        let version = ("network.protocol.version".into(), Value::Text("2".into()));
        assert!(bench.exchanges().all(|exchange| exchange.attributes.contains(&version)));
    }
}

#[test]
fn a_connection_older_than_us_is_recognised_by_frames_both_ways() {
    let mut client = Client::default();
    get(&mut client, 1, "/old");
    let fresh =
        client.block(&[(":method", "GET"), (":scheme", "http"), (":authority", "h:81"), (":path", "/new")]);
    let again =
        client.block(&[(":method", "GET"), (":scheme", "http"), (":authority", "h:81"), (":path", "/new")]);
    let calls = vec![
        received(headers(7, true, &fresh)),
        sent([head(7, false, "200"), data(7, true, b"hello")].concat()),
        received(headers(9, true, &again)),
        sent(head(9, true, "204")),
    ];
    let bench = played(Side::Unknown, calls);
    assert_eq!(
        bench.exchanges().map(line).collect::<Vec<_>>(),
        ["7 GET /new 200 Answered 0/5", "9 GET /new 204 Answered 0/0"]
    );
    let first = bench.exchanges().next().unwrap();
    let unknown = ("wirespan.http2.unknown_fields".into(), Value::Int(1));
    assert!(first.attributes.contains(&unknown), "the authority was sent before: {first:?}");
    let named = |exchange: &Exchange| {
        exchange
            .attributes
            .iter()
            .any(|(name, value)| name == "server.address" && *value == Value::Text("10.0.0.2".into()))
    };
    assert!(named(first), "the socket names the server: {first:?}");
}

#[test]
fn frames_of_one_direction_alone_decide_nothing() {
    let bench = played(Side::Unknown, vec![received(settings())]);
    assert_eq!((bench.session.protocol(), bench.out.len()), (None, 0));
}

#[test]
fn a_head_cut_at_the_capture_limit_is_a_truncated_span() {
    let mut client = Client::default();
    let block = client.block(&[(":method", "GET"), (":path", "/cut"), ("cookie", &"c".repeat(999))]);
    let frame = headers(1, true, &block);
    let (seen, rest) = frame.split_at(100);
    let calls = vec![
        received([PREFACE, seen].concat()).gap(Gap::NotCopied, rest.len() as u64),
        sent(head(1, true, "200")),
        received(get(&mut Client::default(), 3, "/next")),
        sent(head(3, true, "200")),
    ];
    let bench = played(Side::Server, calls);
    let lines: Vec<_> = bench.exchanges().map(line).collect();
    assert_eq!(lines, ["1 GET /cut 200 Answered 0/0", "3 GET /next 200 Answered 0/0"]);
    let truncated: Vec<_> = bench.exchanges().map(|exchange| exchange.request.truncated).collect();
    assert_eq!(truncated, [true, false]);
}

#[test]
fn nothing_is_read_behind_a_hole_in_a_block() {
    let mut client = Client::default();
    let block =
        client.block(&[(":method", "GET"), (":path", "/cut"), ("x-a", &"a".repeat(300)), ("x-b", "b")]);
    let (first, second) = block.split_at(200);
    let frame = frames::frame(1, 1, 1, first);
    let (seen, rest) = frame.split_at(60);
    let calls = vec![
        received([PREFACE, seen].concat()).gap(Gap::NotCopied, rest.len() as u64),
        received(frames::frame(9, 4, 1, second)),
        sent(head(1, true, "200")),
    ];
    let bench = played(Side::Server, calls);
    assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), ["1 GET /cut 200 Answered 0/0"]);
    assert!(bench.exchanges().next().unwrap().request.truncated);
}

#[test]
fn bodies_that_were_not_copied_cost_their_length() {
    let mut client = Client::default();
    let large = data(1, true, &[b'x'; 16_384]);
    let (seen, rest) = large.split_at(1000);
    let calls = vec![
        received([PREFACE.to_vec(), get(&mut client, 1, "/large")].concat()),
        sent([head(1, false, "200"), seen.to_vec()].concat())
            .gap(Gap::NotCopied, rest.len() as u64 - 64)
            .then([b'x'; 64]),
        received(get(&mut client, 3, "/b")),
        sent(head(3, true, "200")),
    ];
    assert_eq!(server(calls), ["1 GET /large 200 Answered 0/16384", "3 GET /b 200 Answered 0/0"]);
}

#[test]
fn the_end_of_a_stream_is_found_behind_frames_that_were_not_copied() {
    let mut client = Client::default();
    let tail = [&b"the rest of a frame"[..], &data(1, true, b"end")].concat();
    let calls = vec![
        received([PREFACE.to_vec(), get(&mut client, 1, "/large")].concat()),
        sent([head(1, false, "200"), data(1, false, b"seen")].concat())
            .gap(Gap::NotCopied, 60_000)
            .then(tail),
        received(get(&mut client, 3, "/b")),
        sent(head(3, true, "200")),
    ];
    assert_eq!(server(calls), ["1 GET /large 200 Answered 0/?", "3 GET /b 200 Answered 0/0"]);
}

#[test]
fn a_declared_length_tells_the_end_that_was_not_copied() {
    let mut client = Client::default();
    let answer = headers(1, false, &Client::plain(&[(":status", "200"), ("content-length", "60000")]));
    let calls = vec![
        received([PREFACE.to_vec(), get(&mut client, 1, "/large")].concat()),
        sent(answer).gap(Gap::NotCopied, 60_100),
    ];
    assert_eq!(server(calls), ["1 GET /large 200 Answered 0/60000"]);
}

#[test]
fn a_stream_whose_end_was_lost_ends_as_lost() {
    let mut client = Client::default();
    let calls = vec![
        received([PREFACE.to_vec(), get(&mut client, 1, "/1")].concat()),
        sent(head(1, false, "200")),
        sent("").gap(Gap::Lost, 100),
        received(get(&mut client, 3, "/3")),
        sent(head(3, true, "200")),
    ];
    let mut bench = played(Side::Server, calls);
    bench.tick(200 * STEP);
    let lines: Vec<_> = bench.exchanges().map(line).collect();
    assert_eq!(lines, ["3 GET /3 200 Answered 0/0", "1 GET /1 200 Lost 0/?"]);
}

#[test]
fn too_many_open_streams_end_the_oldest() {
    let mut client = Client::default();
    let mut bench = Bench::new(REGISTRY, Side::Server);
    bench.settings.max_pending = 4;
    let asks: Vec<u8> = (0..6).flat_map(|number| get(&mut client, 2 * number + 1, "/a")).collect();
    bench.play(&talk(vec![received([PREFACE.to_vec(), asks].concat())]));
    assert_eq!((opened(&bench), bench.exchanges().count()), (6, 2));
    bench.finish(Ending::Closed, 100 * STEP);
    every_opening_ends_once(&bench.out);
}

#[test]
fn what_is_not_http2_gives_nothing() {
    let conversations: [&[&[u8]]; 4] = [
        &[b"\0\0\0\x1c\0\x03\0\x01\0\0\0\x05\0\x06client", b"\0\0\0\x10\0\0\0\x05\0\0\0\0"],
        &[b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", b"\x16\x03\x03\x00\x7a\x02"],
        &[b"\0\0\0\x08\x04\xd2\x16\x2f", b"S"],
        &[b"\0\0\x04\0\0\0\0\0\0abcd", b"\0\0\x04\0\0\0\0\0\0abcd"],
    ];
    for calls in conversations {
        let turns = calls.iter().cycle().take(60).enumerate();
        let calls = turns.map(|(turn, bytes)| if turn % 2 == 0 { received(bytes) } else { sent(bytes) });
        let mut bench = played(Side::Unknown, calls.collect());
        bench.finish(Ending::Closed, 100 * STEP);
        // The first is Kafka, which is said to be so.
        assert!(bench.exchanges().all(|exchange| exchange.protocol == "kafka"), "{:?}", bench.out);
    }
}
