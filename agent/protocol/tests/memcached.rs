//! Memcached on a connection: calls in, exchanges out.

mod captured;

use captured::{attribute, play};
use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Role},
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
    format!("{} | {} | {outcome}", exchange.method, attribute(exchange, "db.query.text"))
}

fn lines(bench: &Bench) -> Vec<String> {
    bench.exchanges().map(line).collect()
}

fn client(calls: Vec<Call>) -> Vec<String> {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    lines(bench.play(&talk(calls)))
}

fn follows(capture: &str, expected: &[&str]) {
    for side in [Side::Client, Side::Server] {
        assert_eq!(lines(&play(capture, side)), expected, "{side:?}");
    }
}

#[test]
fn pymemcache_is_followed() {
    let expected = [
        "set | set user:1 ? | ok",
        "get | get user:1 | ok",
        "get | get nothing | ok",
        "get | get user:1 a b | ok",
        "set | set quiet ? | ok",
        "add | add user:1 ? | ok",
        "set | set m1 ? | ok",
        "set | set m2 ? | ok",
        "incr | incr m1 ? | ok",
        "delete | delete m1 | ok",
        "touch | touch m2 | ok",
        "gets | gets m2 | ok",
        "cas | cas m2 ? | ok",
        "incr | incr user:1 ? | CLIENT_ERROR",
    ];
    follows(include_str!("captured/pymemcache.txt"), &expected);
    let administration =
        ["version | version | ok", "stats | stats | ok", "flush_all | flush_all | ok", "quit | quit | ok"];
    follows(include_str!("captured/memcached-stats.txt"), &administration);
}

#[test]
fn meta_commands_are_followed() {
    let expected = [
        "mn | mn | ok",
        "ms | ms foo ? | ok",
        "mg | mg foo | ok",
        "mg | mg nope | ok",
        "mg | mg foo | ok",
        "ma | ma count | ok",
        "md | md foo | ok",
        "me | me count | ok",
        "BATCH mg | mg a; mg count; mg b | ok",
        "ms | ms x ? | CLIENT_ERROR",
        "gat | gat count | ok",
        "set | set a ? | CLIENT_ERROR",
    ];
    follows(include_str!("captured/memcached-meta.txt"), &expected);
}

#[test]
fn the_binary_protocol_is_followed() {
    let cat = ["getk | getk file1 | ok", "getk | getk file2 | ok", "quit | quit | ok"];
    follows(include_str!("captured/libmemcached-cat.txt"), &cat);
    let copy = ["set | set file1 ? | ok", "set | set file2 ? | ok", "quit | quit | ok"];
    follows(include_str!("captured/libmemcached-cp.txt"), &copy);
    let quiet = [
        "set | set a ? | ok",
        "BATCH getkq | getkq a; getkq b | ok",
        "incr | incr a ? | 0x0006",
        "get | get a | ok",
    ];
    follows(include_str!("captured/memcached-binary.txt"), &quiet);
}

#[test]
fn no_value_is_told() {
    for side in [Side::Client, Side::Server, Side::Unknown] {
        let bench = play(include_str!("captured/pymemcache.txt"), side);
        assert!(!format!("{:?}", bench.out).contains("secret-value"));
    }
}

#[test]
fn attributes_follow_the_conventions() {
    let bench = play(include_str!("captured/memcached-binary.txt"), Side::Server);
    let batch = bench.exchanges().nth(1).expect("the quiet commands");
    let told = |name: &str| attribute(batch, name);
    assert_eq!(
        (told("db.system.name"), told("db.operation.name")),
        ("memcached".into(), "BATCH getkq".into())
    );
    assert_eq!((told("db.operation.batch.size"), told("server.address")), ("2".into(), "10.0.0.2".into()));
    let failed = bench.exchanges().nth(2).expect("the failure");
    assert_eq!(attribute(failed, "db.response.status_code"), "0x0006");
    assert_eq!(failed.role, Role::Server);
}

#[test]
fn a_large_value_costs_its_length() {
    let head = "set big 0 0 5000000\r\n";
    let ask = sent(head).gap(Gap::NotCopied, 5_000_000).then("\r\n");
    let answer = received("VALUE big 0 5000000\r\n").gap(Gap::NotCopied, 5_000_000).then("\r\nEND\r\n");
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![ask, received("STORED\r\n"), sent("get big\r\n"), answer]));
    assert_eq!(lines(&bench), ["set | set big ? | ok", "get | get big | ok"]);
    let bytes: Vec<_> = bench
        .exchanges()
        .map(|exchange| (exchange.request.bytes, exchange.response.map(|response| response.bytes)))
        .collect();
    assert_eq!(bytes, [(head.len() as u64 + 5_000_002, Some(8)), (9, Some(5_000_028))]);
}

#[test]
fn a_cut_command_is_truncated_and_what_follows_is_found() {
    let calls = vec![
        sent("set a 0 0 1\r\nx\r\n"),
        received("STORED\r\n"),
        sent("get one two thr").gap(Gap::NotCopied, 3000),
        received("VALUE one 0 3\r\nabc\r\n").gap(Gap::NotCopied, 99),
        sent("get b\r\n"),
        received("END\r\n"),
    ];
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls));
    assert_eq!(lines(&bench), ["set | set a ? | ok", "get | get one two | ok", "get | get b | ok"]);
    let truncated = bench.exchanges().nth(1).map(|exchange| {
        (exchange.request.truncated, exchange.response.is_some_and(|response| response.truncated))
    });
    assert_eq!(truncated, Some((true, true)));
}

#[test]
fn lost_answers_end_as_lost_until_the_connection_is_at_rest() {
    let ask = || sent("get a\r\n");
    let found = client(vec![
        ask(),
        received("END\r\n"),
        ask(),
        received("").gap(Gap::Lost, 50),
        ask(),
        received("END\r\n"),
        ask(),
        received("END\r\n"),
    ]);
    let expected = ["ok", "Lost", "Lost", "ok"].map(|outcome| format!("get | get a | {outcome}"));
    assert_eq!(found, expected);
}

#[test]
fn quiet_commands_without_an_end_are_no_failure() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent("ms a 1\r\nx\r\n"), received("HD\r\n"), sent("ms b 1 q\r\ny\r\n")]));
    bench.finish(Ending::Closed, 9 * STEP);
    assert_eq!(lines(&bench), ["ms | ms a ? | ok", "ms | ms b ? | ok"]);
    every_opening_ends_once(&bench.out);
}

#[test]
fn a_line_alone_is_not_enough() {
    for answer in ["$3\r\nbar\r\n", "220 ready\r\n", "{\"a\":1}\n"] {
        assert_eq!(client(vec![sent("get foo\r\n"), received(answer)]), [""; 0], "{answer}");
    }
    assert_eq!(client(vec![sent("get foo\r\n"), received("END\r\n")]), ["get | get foo | ok"]);
}

#[test]
fn an_older_connection_is_recognised_at_its_next_command() {
    let calls = vec![received("rest of a value\r\nEND\r\n"), sent("get a\r\n"), received("END\r\n")];
    for side in [Side::Client, Side::Unknown] {
        let mut bench = Bench::new(REGISTRY, side);
        bench.play(&talk(calls.clone()));
        assert_eq!(lines(&bench), ["get | get a | ok"], "{side:?}");
    }
}

/// A message of the binary protocol, numbered 0.
fn packet(magic: u8, opcode: u8, extras: &[u8], key: &str, value: &str) -> Vec<u8> {
    let body = u8::try_from(extras.len() + key.len() + value.len()).expect("short");
    let mut bytes = vec![magic, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0, 0, 0, 0, body];
    bytes.resize(24, 0);
    [&bytes, extras, key.as_bytes(), value.as_bytes()].concat()
}

/// Some clients number nothing: what ends quiet commands is told by its operation, too.
#[test]
fn quiet_commands_that_are_not_numbered_end_with_the_loud_one() {
    let asks =
        [packet(0x80, 0x0d, b"", "a", ""), packet(0x80, 0x0d, b"", "b", ""), packet(0x80, 0x0a, b"", "", "")];
    let answers = [packet(0x81, 0x0d, &[0; 4], "b", "hush"), packet(0x81, 0x0a, b"", "", "")];
    let length = answers.concat().len() as u64;
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![
        sent(asks.concat()),
        received(answers.concat()),
        sent(packet(0x80, 0x00, b"", "c", "")),
        received(packet(0x81, 0x00, &[0; 4], "", "hush")),
    ]));
    assert_eq!(lines(&bench), ["BATCH getkq | getkq a; getkq b | ok", "get | get c | ok"]);
    assert_eq!(
        bench.exchanges().next().and_then(|batch| batch.response).map(|answer| answer.bytes),
        Some(length)
    );
    assert!(!format!("{:?}", bench.out).contains("hush"));
}

#[test]
fn a_cut_binary_command_is_truncated() {
    let ask = packet(0x80, 0x01, &[0; 8], "a-key-of-some-length", "hush");
    let whole = ask.len() as u64;
    for there in [24, 30, 40] {
        let calls = vec![
            sent(&ask[..there]).gap(Gap::NotCopied, whole - there as u64),
            received(packet(0x81, 0x01, b"", "", "")),
            sent(packet(0x80, 0x00, b"", "c", "")),
            received(packet(0x81, 0x00, &[0; 4], "", "hush")),
        ];
        let mut bench = Bench::new(REGISTRY, Side::Client);
        bench.play(&talk([vec![sent("version\r\n"), received("VERSION 1.6\r\n")], calls].concat()));
        assert_eq!(lines(&bench)[1..], ["set | set ? | ok", "get | get c | ok"], "{there}");
        assert_eq!(bench.exchanges().nth(1).map(|set| set.request.truncated), Some(true));
    }
}

/// Nobody answers them, so that the next answer is the next command's.
#[test]
fn commands_that_want_no_answer_are_over_when_they_are_sent() {
    let asks = "set a 0 0 4 noreply\r\nhush\r\ndelete b noreply\r\nincr c 1 noreply\r\nget a\r\n";
    let expected =
        ["set | set a ? | ok", "delete | delete b | ok", "incr | incr c ? | ok", "get | get a | ok"];
    assert_eq!(client(vec![sent(asks), received("END\r\n")]), expected);
}

/// Counters have 64 bits.
#[test]
fn numbers_of_64_bits_are_answers() {
    let calls = vec![
        sent("incr n 1\r\n"),
        received("18446744073709551615\r\n"),
        sent("get n\r\n"),
        received("END\r\n"),
    ];
    assert_eq!(client(calls), ["incr | incr n ? | ok", "get | get n | ok"]);
}

#[test]
fn a_long_pipeline_is_one_exchange() {
    let alike = client(vec![sent("get a\r\n".repeat(17)), received("END\r\n".repeat(17))]);
    assert_eq!(alike, ["BATCH get | get a | ok"]);
    let mixed = ["get a\r\n".repeat(16).as_str(), "delete a\r\n"].concat();
    let text = format!("{}delete a", "get a; ".repeat(16));
    assert_eq!(client(vec![sent(mixed), received("END\r\n".repeat(17))]), [format!("BATCH | {text} | ok")]);
}

/// SASL of the binary protocol, and the login of the text protocol, which looks like a value.
#[test]
fn credentials_are_not_told() {
    let refused = {
        let mut bytes = packet(0x81, 0x21, b"", "", "Auth failure");
        bytes[7] = 0x20;
        bytes
    };
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent(packet(0x80, 0x21, b"", "PLAIN", "\0user\0hush")), received(refused)]));
    assert_eq!(lines(&bench), ["sasl_auth | sasl_auth PLAIN ? | 0x0020"]);
    assert!(!format!("{:?}", bench.out).contains("hush"));
    let login =
        vec![sent("set auth 0 0 9\r\nuser hush\r\n"), received("CLIENT_ERROR authentication failure\r\n")];
    assert_eq!(client(login), ["set | set auth ? | CLIENT_ERROR"]);
}
