//! WebSocket behind its handshake: calls in, exchanges out.

use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Output, Role, Target, Value},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{Bench, Call, STEP, every_opening_ends_once, received, sent, talk},
};

const ASK: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: h:81\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A server's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    [&[first, length], payload].concat()
}

/// A client's frame, masked with a key that changes every byte.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let length = u8::try_from(payload.len()).expect("a short payload");
    let payload: Vec<_> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    [&[first, 0x80 | length][..], &key, &payload].concat()
}

fn close(code: u16) -> [u8; 2] {
    code.to_be_bytes()
}

fn session(side: Side, calls: Vec<Call>) -> Bench {
    let hands =
        if side == Side::Client { [sent(ASK), received(SWITCH)] } else { [received(ASK), sent(SWITCH)] };
    let mut bench = Bench::new(REGISTRY, side);
    bench.play(&talk(hands.into_iter().chain(calls).collect()));
    bench
}

fn shown(exchange: &Exchange) -> Vec<String> {
    let own = exchange
        .attributes
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("wirespan.websocket.")?, value)));
    own.map(|(name, value)| match value {
        Value::Int(number) => format!("{name}={number}"),
        other => format!("{name}={other:?}"),
    })
    .collect()
}

#[test]
fn a_session_is_a_span_behind_that_of_its_handshake() {
    let calls = vec![
        received(masked(0x81, b"hello")),
        sent([frame(0x01, b"wo"), frame(0x80, b"rld"), frame(0x82, b"!")].concat()),
        received([masked(0x89, b""), masked(0x88, &close(1000))].concat()),
        sent(frame(0x88, &close(1000))),
    ];
    let bench = session(Side::Server, calls);
    every_opening_ends_once(&bench.out);
    let [handshake, session] = bench.exchanges().collect::<Vec<_>>()[..] else { panic!("{:?}", bench.out) };
    assert_eq!((handshake.protocol, handshake.ending), ("http", Ending::Upgraded));
    assert_eq!(
        (session.protocol, session.method.as_ref(), session.role),
        ("websocket", "WEBSOCKET", Role::Server)
    );
    assert_eq!((&session.target, &session.outcome), (&Target::Path("/chat".into()), &Outcome::Unset));
    assert_eq!((session.ending, session.key.offset), (Ending::Answered, 1000 + ASK.len() as u64));
    assert_eq!((session.request.first.time.0, session.ended.0), (3 * STEP, 6 * STEP));
    assert_eq!(
        shown(session),
        [
            "received.frames=3",
            "received.messages=1",
            "received.bytes=5",
            "sent.frames=4",
            "sent.messages=2",
            "sent.bytes=6",
            "close_code=1000"
        ]
    );
    assert!(session.attributes.contains(&("server.address".into(), Value::Text("h".into()))));
}

#[test]
fn a_session_opens_when_it_ends_and_on_no_thread() {
    let mut bench = session(Side::Client, vec![received(frame(0x81, b"a")), sent(masked(0x81, b"b"))]);
    assert_eq!(bench.exchanges().count(), 1, "only the handshake");
    bench.finish(Ending::Closed, 9 * STEP);
    every_opening_ends_once(&bench.out);
    let [.., Output::Opened(opening), Output::Closed(session)] = &bench.out[..] else {
        panic!("{:?}", bench.out)
    };
    assert_eq!((opening.role, opening.start.task.tid, opening.start.task.key), (Role::Client, 0, 0));
    assert_eq!((session.ending, session.ended.0), (Ending::Closed, 9 * STEP));
    assert_eq!(session.outcome, Outcome::Error("connection_closed".into(), None));
    assert_eq!(session.key.offset, 5000 + ASK.len() as u64);
}

#[test]
fn close_codes_are_errors_unless_orderly() {
    let outcome = |code| {
        let bench = session(Side::Server, vec![received(masked(0x88, &close(code))), sent(frame(0x88, b""))]);
        bench.exchanges().last().unwrap().outcome.clone()
    };
    assert_eq!((outcome(1000), outcome(1001)), (Outcome::Unset, Outcome::Unset));
    assert_eq!(outcome(1011), Outcome::Error("1011".into(), None));
    assert_eq!(outcome(4000), Outcome::Error("4000".into(), None));
}

#[test]
fn compression_is_told_and_frames_are_counted_all_the_same() {
    let switch = SWITCH.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; x=1\r\n\r\n");
    let mut bench = Bench::new(REGISTRY, Side::Server);
    bench.play(&talk(vec![received(ASK), sent(switch), received(masked(0xc1, b"\xf2\x48"))]));
    bench.finish(Ending::Closed, 9 * STEP);
    let lines = shown(bench.exchanges().last().unwrap());
    assert!(lines.contains(&r#"compression=Text("permessage-deflate")"#.to_owned()), "{lines:?}");
    assert!(lines.contains(&"received.bytes=2".to_owned()));
}

#[test]
fn large_payloads_cost_their_length() {
    let large = [&[0x82, 127][..], &100_000_u64.to_be_bytes(), b"seen"].concat();
    let calls = vec![sent(large).gap(Gap::NotCopied, 99_996), sent(frame(0x81, b"b"))];
    let mut bench = session(Side::Server, calls);
    bench.finish(Ending::Closed, 9 * STEP);
    let lines = shown(bench.exchanges().last().unwrap());
    assert_eq!(lines[3..], ["sent.frames=2", "sent.messages=2", "sent.bytes=100001"]);
}

#[test]
fn what_was_missed_is_not_counted_and_the_next_call_goes_on() {
    let calls = vec![
        received(masked(0x81, b"a")),
        received("").gap(Gap::Lost, 40),
        received(masked(0x88, &close(1001))),
        sent(frame(0x88, &close(1001))),
    ];
    let bench = session(Side::Server, calls);
    let last = bench.exchanges().last().unwrap();
    assert_eq!(shown(last), ["sent.frames=1", "sent.messages=0", "sent.bytes=0", "close_code=1001"]);
}

#[test]
fn a_session_without_a_frame_is_no_span() {
    let mut bench = session(Side::Server, Vec::new());
    bench.finish(Ending::Closed, 9 * STEP);
    every_opening_ends_once(&bench.out);
    assert_eq!(bench.exchanges().count(), 1);
}

/// The last close frame comes in two calls: the session is over with the second.
#[test]
fn a_close_frame_in_pieces_is_one() {
    let last = frame(0x88, &[&close(1000)[..], b"bye"].concat());
    let (first, second) = last.split_at(4);
    let bench =
        session(Side::Client, vec![sent(masked(0x88, &close(1000))), received(first), received(second)]);
    let exchange = bench.exchanges().last().expect("the session is over");
    assert_eq!(exchange.response.map(|response| response.bytes), Some(last.len() as u64));
    assert_eq!(exchange.ended.0, 5 * STEP);
}

/// What a client sends behind both close frames is passed over, however much it is.
#[test]
fn nothing_follows_the_close_frames() {
    let close = close(1000);
    let mut calls = vec![sent(masked(0x88, &close)), received(frame(0x88, &close))];
    calls.extend((0..100).map(|_| sent("x")));
    let bench = session(Side::Client, calls);
    assert_eq!(bench.exchanges().count(), 2);
    assert_eq!(bench.session.protocol(), Some("websocket"));
}
