//! DNS on a socket: datagrams or calls in, exchanges out.

mod captured;

use std::net::{Ipv4Addr, SocketAddr};

use captured::{attribute, calls, play};
use wirespan_protocol::{
    event::{Address, Transport},
    exchange::{Ending, Exchange, Outcome, Role, Target},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{Bench, Call, STEP, every_opening_ends_once, received, sent, talk},
};

/// One line for an exchange: what the tables below show.
fn line(exchange: &Exchange) -> String {
    let outcome = match &exchange.outcome {
        Outcome::Unset if exchange.ending == Ending::Answered => "ok".to_owned(),
        Outcome::Unset => format!("{:?}", exchange.ending),
        Outcome::Error(error, _) => error.to_string(),
    };
    let Target::Name(kind) = &exchange.target else { panic!("{:?}", exchange.target) };
    let told = |name: &str| attribute(exchange, name);
    let code = told("wirespan.dns.response_code");
    format!(
        "{} {kind} {} {code} {} {outcome}",
        exchange.method,
        told("dns.question.name"),
        told("dns.answers")
    )
}

fn lines(bench: &Bench) -> Vec<String> {
    bench.exchanges().map(line).collect()
}

/// A socket of datagrams.
fn socket(side: Side) -> Bench {
    let mut bench = Bench::new(REGISTRY, side);
    bench.facts.socket.transport = Transport::Udp;
    bench
}

fn datagrams(text: &str, side: Side) -> Bench {
    let mut bench = socket(side);
    bench.play(&calls(text, side));
    bench
}

/// A question for addresses of `name`, which has one label.
fn question(id: u8, name: &str) -> Vec<u8> {
    let head = [0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, name.len() as u8];
    [&head, name.as_bytes(), b"\0\0\x01\0\x01"].concat()
}

/// Its answer, without a record.
fn answer(id: u8, name: &str, code: u8) -> Vec<u8> {
    let mut bytes = question(id, name);
    (bytes[2], bytes[3]) = (0x81, 0x80 | code);
    bytes
}

#[test]
fn dig_is_followed() {
    let expected = [
        "QUERY A one.test NOERROR List([\"10.1.1.1\"]) ok",
        "QUERY AAAA one.test NOERROR List([\"fd00::1\"]) ok",
        "QUERY A alias.test NOERROR List([\"10.2.2.2\"]) ok",
        "QUERY A nothing.test NXDOMAIN - host_not_found",
        "QUERY TXT big.test NOERROR - ok",
        "QUERY MX one.test NOERROR - ok",
        "QUERY PTR 2.2.2.10.in-addr.arpa NOERROR - ok",
        "QUERY A elsewhere.example REFUSED - no_recovery",
        "QUERY A one.test NOERROR List([\"10.1.1.1\"]) ok",
    ];
    let client = datagrams(include_str!("captured/dns-dig.txt"), Side::Client);
    assert_eq!(lines(&client), expected);
    // What the server says truly is no fault of its own.
    let server = datagrams(include_str!("captured/dns-dig.txt"), Side::Server);
    let faultless: Vec<_> = expected
        .iter()
        .map(|line| line.replace("host_not_found", "ok").replace("no_recovery", "ok"))
        .collect();
    assert_eq!(lines(&server), faultless);
}

#[test]
fn questions_in_flight_are_told_apart() {
    let bench = datagrams(include_str!("captured/dns-node.txt"), Side::Unknown);
    let expected = [
        "QUERY A one.test NOERROR List([\"10.1.1.1\"]) ok",
        "QUERY AAAA one.test NOERROR List([\"fd00::1\"]) ok",
        "QUERY A alias.test NOERROR List([\"10.2.2.2\"]) ok",
        "QUERY A none.test NXDOMAIN - host_not_found",
    ];
    assert_eq!(lines(&bench), expected);
    every_opening_ends_once(&bench.out);
}

/// A record of IN that lives a minute; its name is a pointer to `place` (RFC 1035 sections 4.1.3 and 4.1.4).
fn record(place: u8, kind: u8, content: &[u8]) -> Vec<u8> {
    [&[0xc0, place, 0, kind, 0, 1, 0, 0, 0, 60, 0, content.len() as u8], content].concat()
}

#[test]
fn a_chain_of_aliases_leads_to_its_addresses() {
    let mut reply = answer(7, "www", 0);
    reply[7] = 3;
    // Each alias stands behind the 12 bytes of its record's head; the first record begins at 21.
    reply.extend([record(12, 5, b"\x03cdn\0"), record(33, 5, b"\x04edge\0")].concat());
    reply.extend(record(50, 1, &[10, 1, 1, 1]));
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![sent(question(7, "www")), received(reply)]));
    assert_eq!(lines(&bench), ["QUERY A www NOERROR List([\"10.1.1.1\"]) ok"]);
    let exchange = bench.exchanges().next().expect("one exchange");
    assert_eq!(attribute(exchange, "wirespan.dns.aliases"), "List([\"cdn\", \"edge\"])");
}

#[test]
fn messages_of_a_stream_stand_behind_their_lengths() {
    for side in [Side::Client, Side::Server, Side::Unknown] {
        let bench = play(include_str!("captured/dns-tcp.txt"), side);
        assert_eq!(lines(&bench), ["QUERY A alias.test NOERROR List([\"10.2.2.2\"]) ok"]);
        let exchange = bench.exchanges().next().expect("one exchange");
        assert_eq!(attribute(exchange, "wirespan.dns.aliases"), "List([\"chain.test\", \"host.test\"])");
    }
}

#[test]
fn answers_may_come_in_any_order() {
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![
        sent(question(1, "a")),
        sent(question(2, "b")),
        received(answer(2, "b", 0)),
        received(answer(1, "a", 2)),
        received(answer(9, "a", 0)),
    ]));
    assert_eq!(lines(&bench), ["QUERY A b NOERROR - ok", "QUERY A a SERVFAIL - try_again"]);
}

#[test]
fn the_same_id_with_another_name_is_another_question() {
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![
        sent(question(1, "a")),
        sent(question(1, "b")),
        received(answer(1, "B", 0)),
        received(answer(1, "a", 0)),
    ]));
    assert_eq!(lines(&bench), ["QUERY A b NOERROR - ok", "QUERY A a NOERROR - ok"]);
}

#[test]
fn a_question_asked_again_is_the_same() {
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![sent(question(1, "a")), sent(question(1, "a")), received(answer(1, "a", 0))]));
    assert_eq!(lines(&bench), ["QUERY A a NOERROR - ok"]);
    assert_eq!(bench.exchanges().next().map(|exchange| exchange.request.first.time.0), Some(STEP));
    every_opening_ends_once(&bench.out);
}

#[test]
fn a_socket_may_ask_and_be_asked() {
    let mut bench = socket(Side::Unknown);
    bench.play(&talk(vec![
        received(question(1, "a")),
        sent(question(1, "a")),
        received(answer(1, "a", 0)),
        sent(answer(1, "a", 0)),
    ]));
    let roles: Vec<_> = bench.exchanges().map(|exchange| exchange.role).collect();
    assert_eq!(roles, [Role::Client, Role::Server]);
    every_opening_ends_once(&bench.out);
}

#[test]
fn peers_of_an_unconnected_socket_are_told_apart() {
    let peer = |last| Address::Inet(SocketAddr::from((Ipv4Addr::new(10, 0, 0, last), 40_000)));
    let calls = [
        (7, received(question(1, "a"))),
        (8, received(question(1, "a"))),
        (8, sent(answer(1, "a", 0))),
        (7, sent(answer(1, "a", 0))),
    ];
    let (peers, calls): (Vec<u8>, Vec<Call>) = calls.into_iter().unzip();
    let mut bench = socket(Side::Unknown);
    for (last, call) in peers.into_iter().zip(talk(calls)) {
        bench.facts.socket.peer = peer(last);
        bench.play(&[call]);
    }
    let told: Vec<_> = bench.exchanges().map(|exchange| exchange.facts.socket.peer).collect();
    assert_eq!(told, [peer(8), peer(7)]);
}

#[test]
fn a_question_without_an_answer_times_out() {
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![sent(question(1, "a"))])).finish(Ending::Closed, 9 * STEP);
    // Nothing was ever answered, but the question was read to its last byte.
    assert_eq!(lines(&bench), ["QUERY A a - - timeout"]);
}

#[test]
fn a_cut_answer_is_truncated() {
    let cut = received(&answer(1, "a", 0)[..]).gap(Gap::NotCopied, 900);
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![sent(question(1, "a")), cut]));
    let response = bench.exchanges().next().and_then(|exchange| exchange.response).expect("an answer");
    assert_eq!((response.truncated, response.bytes), (true, 919));
}

#[test]
fn attributes_follow_the_conventions() {
    let bench = datagrams(include_str!("captured/dns-dig.txt"), Side::Server);
    let exchange = bench.exchanges().nth(3).expect("a name that does not exist");
    let told = |name: &str| attribute(exchange, name);
    assert_eq!(
        (told("dns.question.name"), told("network.protocol.name")),
        ("nothing.test".into(), "dns".into())
    );
    assert_eq!((told("wirespan.dns.question.type"), told("server.port")), ("A".into(), "8080".into()));
    assert_eq!((exchange.method.as_ref(), exchange.role), ("QUERY", Role::Server));
}

#[test]
fn what_is_not_dns_gives_nothing() {
    let not = [
        b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01more".to_vec(),
        b"\x1b\0\0\0\0\0\0\0\0\0\0\0".repeat(4),
        b"<34>Oct 11 22:14:15 host su: failed".to_vec(),
        vec![0; 64],
    ];
    for bytes in not {
        let mut bench = socket(Side::Client);
        bench
            .play(&talk(vec![sent(&bytes), received(&bytes), sent(&bytes)]))
            .finish(Ending::Closed, 9 * STEP);
        assert_eq!(lines(&bench), [""; 0], "{bytes:?}");
    }
}

#[test]
fn multicast_is_left_alone() {
    let mut bench = socket(Side::Unknown);
    bench.facts.socket.local = Address::Inet(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5353)));
    bench.play(&talk(vec![sent(question(0, "a"))])).finish(Ending::Closed, 9 * STEP);
    assert!(bench.out.is_empty());
}

/// An OPT record, which is no question and no answer, holds the upper eight bits of the code (RFC 6891 section 6.1.3).
#[test]
fn edns_carries_the_upper_bits_of_the_code() {
    let opt = |upper: u8| [&[0, 0, 41, 4, 208, upper, 0, 0, 0, 0, 0][..]].concat();
    let with = |mut message: Vec<u8>, upper: u8| {
        message[11] = 1;
        [message, opt(upper)].concat()
    };
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![sent(with(question(1, "a"), 0)), received(with(answer(1, "a", 0), 1))]));
    assert_eq!(lines(&bench), ["QUERY A a BADVERS - no_recovery"]);
}

/// Resolvers mix the case of what they ask for, so that answers are harder to forge (0x20); not every server repeats it.
#[test]
fn the_case_of_a_name_does_not_matter() {
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![sent(question(1, "wWw")), received(answer(1, "www", 0))]));
    assert_eq!(lines(&bench), ["QUERY A wWw NOERROR - ok"]);
}

/// An update names what must be there, or not, by records without content (RFC 2136 section 2.4).
#[test]
fn an_update_with_conditions_is_read() {
    let mut update = question(9, "zone");
    (update[2], update[3], update[7], update[9]) = (5 << 3, 0, 1, 1);
    let last = update.len() - 3;
    update[last] = 6;
    let ask = [&update[..], b"\x01a\0\0\x01\0\xff\0\0\0\0\0\0", &record(12, 1, &[10, 0, 0, 1])].concat();
    let mut said = ask.clone();
    said[2] |= 0x80;
    let mut bench = socket(Side::Client);
    bench.play(&talk(vec![sent(question(1, "a")), received(answer(1, "a", 0)), sent(ask), received(said)]));
    assert_eq!(lines(&bench), ["QUERY A a NOERROR - ok", "UPDATE SOA zone NOERROR - ok"]);
}
