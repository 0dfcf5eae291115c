//! MongoDB on a connection: recordings of real clients and a real server, and what those do not show.

mod documents;

use documents::{document, inner, message, number, packet, text};
use wirespan_protocol::{
    exchange::{Ending, Exchange, Outcome, Output, Target, Value},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Bench, Call, STEP, every_opening_ends_once, received, recorded, sent, talk},
};

/// Name, namespace, what is not as usual.
fn line(exchange: &Exchange) -> String {
    let mut line = exchange.method.to_string();
    if let Target::Name(name) = &exchange.target {
        line = format!("{line} {name}");
    }
    for (label, name) in [
        ("in", "db.namespace"),
        ("batch", "db.operation.batch.size"),
        ("rows", "db.response.returned_rows"),
        ("status", "db.response.status_code"),
        ("compressed", "wirespan.compressed"),
    ] {
        let value = exchange.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value);
        line += &match value {
            Some(Value::Text(text)) => format!(", {label} {text}"),
            Some(Value::Int(number)) => format!(", {label} {number}"),
            Some(_) => format!(", {label}"),
            None => String::new(),
        };
    }
    if exchange.request.truncated || exchange.response.is_some_and(|response| response.truncated) {
        line += ", truncated";
    }
    if exchange.response.is_none() {
        line += ", no answer";
    }
    match exchange.ending {
        Ending::Answered => line,
        ending => format!("{line}, {ending:?}"),
    }
}

fn lines(bench: &Bench) -> Vec<String> {
    bench.exchanges().map(line).collect()
}

fn client(calls: Vec<Call>) -> Vec<String> {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls));
    every_opening_ends_once(&bench.out);
    assert!(!format!("{:?}", bench.out).contains("hush"), "a secret got out");
    lines(&bench)
}

fn shop() -> Vec<u8> {
    text("$db", "shop")
}

fn fine() -> Vec<u8> {
    document(&[number("ok", 1)])
}

fn find(id: u32) -> Vec<u8> {
    message(id, 0, 0, &document(&[text("find", "users"), shop()]), &[])
}

fn ok(id: u32, answers: u32) -> Vec<u8> {
    message(id, answers, 0, &fine(), &[])
}

/// The begin of `bytes`; the rest was not copied.
fn head(bytes: &[u8], length: usize) -> Call {
    sent(&bytes[..length]).gap(Gap::NotCopied, (bytes.len() - length) as u64)
}

/// Both sides of a recorded conversation show the same exchanges, and the three properties hold for it.
fn shows(recording: &str, expected: &[&str]) {
    for side in [Side::Client, Side::Server] {
        let calls = recorded(recording, side);
        let mut bench = Bench::new(REGISTRY, side);
        bench.play(&calls).finish(Ending::Closed, u64::MAX);
        every_opening_ends_once(&bench.out);
        assert_eq!(lines(&bench), expected, "{side:?}");
        assert!(!format!("{:?}", bench.out).contains("hush"), "a value got out");
        for cuts in [&[1][..], &[7, 3, 100], &[16], &[64, 1]] {
            testing::same_for_any_split(REGISTRY, side, &calls, cuts);
        }
        testing::prefixes_wait(REGISTRY, side, &calls);
        testing::bounded(REGISTRY, side, &calls);
    }
}

/// Documents in sections of their own; from isMaster on in OP_MSG.
#[test]
fn pymongo() {
    shows(
        include_str!("captures/mongodb/pymongo.txt"),
        &[
            "ismaster admin, in admin",
            "ping shop, in shop",
            "insert users, in shop",
            "insert users, in shop, batch 40",
            "insert users, in shop, status 11000",
            "find users, in shop, rows 1",
            "find users, in shop, rows 30",
            "getMore users, in shop, rows 11",
            "update users, in shop",
            "aggregate users, in shop, rows 1",
            "nonsense shop, in shop, status 59",
            "drop users, in shop",
            "ping shop, in shop",
            "endSessions admin, in admin, status 59",
        ],
    );
}

/// MongoDB's driver for Node: isMaster by OP_QUERY, a farewell that wants no answer (and gets one from this server).
#[test]
fn node() {
    shows(
        include_str!("captures/mongodb/node.txt"),
        &[
            "ismaster admin, in admin",
            "insert users, in shop",
            "insert users, in shop, batch 3",
            "insert users, in shop, status 11000",
            "find users, in shop, rows 3",
            "getMore users, in shop, rows 1",
            "update users, in shop",
            "aggregate users, in shop, rows 1",
            "nonsense shop, in shop, status 59",
            "drop users, in shop",
            "ping shop, in shop",
            "endSessions admin, in admin, no answer",
        ],
    );
}

#[test]
fn sections_and_checksums_are_read() {
    let run: Vec<_> = (0..3).map(|id| document(&[number("_id", id)])).collect();
    let body = document(&[text("insert", "users"), number("ordered", 1), shop()]);
    let expected = ["insert users, in shop, batch 3"];
    for flags in [0, 1] {
        let calls =
            vec![sent(message(7, 0, flags, &body, &run)), received(message(8, 7, flags, &fine(), &[]))];
        assert_eq!(client(calls), expected);
    }
    let inline =
        inner(4, "documents", document(&[inner(3, "0", run[0].clone()), inner(3, "1", run[1].clone())]));
    let body = document(&[text("insert", "users"), inline, shop()]);
    let calls = vec![sent(message(7, 0, 0, &body, &[])), received(ok(8, 7))];
    assert_eq!(client(calls), ["insert users, in shop, batch 2"]);
}

#[test]
fn names_of_users_are_no_collections() {
    let calls = ["createUser", "saslStart", "usersInfo"].into_iter().zip([1, 3, 5]).flat_map(|(name, id)| {
        let body = document(&[text(name, "alice"), text("pwd", "hush"), text("$db", "admin")]);
        [sent(message(id, 0, 0, &body, &[])), received(ok(id + 1, id))]
    });
    assert_eq!(
        client(calls.collect()),
        ["createUser admin, in admin", "saslStart admin, in admin", "usersInfo admin, in admin"]
    );
}

#[test]
fn an_exhaust_cursor_is_one_exchange() {
    let batch = |count: u32| {
        let rows: Vec<_> = (0..count).map(|_| inner(3, "0", document(&[]))).collect();
        document(&[inner(3, "cursor", document(&[inner(4, "nextBatch", document(&rows))])), number("ok", 1)])
    };
    let body = document(&[number("getMore", 7), text("collection", "users"), shop()]);
    let mut calls = vec![sent(message(1, 0, 0x1_0000, &body, &[]))];
    calls.push(received(message(100, 1, 2, &batch(2), &[])));
    calls.push(received(message(101, 100, 2, &batch(2), &[])));
    calls.push(received(message(102, 101, 0, &batch(1), &[])));
    calls.extend([sent(find(2)), received(ok(103, 2))]);

    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls));
    assert_eq!(lines(&bench), ["getMore users, in shop, rows 5", "find users, in shop"]);
    let first = bench.exchanges().next().unwrap();
    assert_eq!((first.response.unwrap().first.time.0, first.ended.0), (2 * STEP, 4 * STEP));
}

/// A driver's monitor is told of every change until it goes: only the first answer was asked for.
#[test]
fn a_streamed_handshake_ends_with_its_first_answer() {
    let body = document(&[number("hello", 1), number("maxAwaitTimeMS", 10_000), text("$db", "admin")]);
    let mut calls = vec![sent(message(1, 0, 0x1_0000, &body, &[]))];
    calls.extend((0..3).map(|number| {
        received(message(100 + number, if number == 0 { 1 } else { 99 + number }, 2, &fine(), &[]))
    }));
    assert_eq!(client(calls), ["hello admin, in admin"]);
}

#[test]
fn a_command_that_wants_no_answer_ends_when_it_is_sent() {
    let body = document(&[text("insert", "users"), shop()]);
    let calls = vec![sent(message(1, 0, 2, &body, &[])), sent(find(2)), received(ok(9, 2))];
    assert_eq!(client(calls), ["insert users, in shop, no answer", "find users, in shop"]);
}

/// The command is not known; it may have asked for silence.
#[test]
fn compressed_messages_are_told_by_their_lengths() {
    let content = [&2013_u32.to_le_bytes()[..], &[99, 0, 0, 0, 2], &[7; 40]].concat();
    let calls = vec![
        sent(packet(1, 0, 2012, &content)),
        received(packet(5, 1, 2012, &content)),
        sent(packet(2, 0, 2012, &content)),
        sent(packet(3, 0, 2012, &content)),
        received(packet(6, 3, 2012, &content)),
    ];
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls));
    let expected = ["mongodb, compressed", "mongodb, compressed, no answer"];
    assert_eq!(lines(&bench), [expected[0], expected[1], expected[0]]);
    let first = bench.exchanges().next().unwrap();
    assert_eq!((first.request.bytes, first.response.unwrap().bytes), (65, 65));
    assert_eq!(first.outcome, Outcome::Unset);
}

#[test]
fn errors_are_told_by_their_codes_alone() {
    let failures = [
        document(&[
            number("ok", 0),
            text("errmsg", "hush"),
            number("code", 26),
            text("codeName", "NamespaceNotFound"),
        ]),
        document(&[number("ok", 0), text("errmsg", "hush")]),
        document(&[
            number("n", 0),
            inner(
                4,
                "writeErrors",
                document(&[inner(3, "0", document(&[number("code", 11000), text("errmsg", "hush")]))]),
            ),
            number("ok", 1),
        ]),
        document(&[inner(3, "writeConcernError", document(&[number("code", 64)])), number("ok", 1)]),
    ];
    let calls = failures.iter().zip([1, 3, 5, 7]);
    let calls = calls.flat_map(|(body, id)| [sent(find(id)), received(message(id + 1, id, 0, body, &[]))]);
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(calls.collect()));
    let told: Vec<_> = bench.exchanges().map(|exchange| exchange.outcome.clone()).collect();
    let error = |code: &'static str, name: Option<&str>| Outcome::Error(code.into(), name.map(str::to_owned));
    assert_eq!(
        told,
        [
            error("26", Some("NamespaceNotFound")),
            error("_OTHER", None),
            error("11000", None),
            error("64", None)
        ]
    );
    assert!(!format!("{:?}", bench.out).contains("hush"), "an error's text got out");
}

#[test]
fn the_legacy_hello_is_answered_by_a_reply() {
    let head = [&[0; 4][..], b"admin.$cmd\0", &[0; 4], &[255; 4]].concat();
    let command = document(&[number("isMaster", 1)]);
    let reply = [&[8, 0, 0, 0][..], &[0; 12], &[1, 0, 0, 0], &fine()].concat();
    let plain = [head.clone(), command.clone()].concat();
    let preferring = [head, document(&[inner(3, "$query", command)])].concat();
    for ask in [plain, preferring] {
        let calls = vec![sent(packet(1, 0, 2004, &ask)), received(packet(2, 1, 1, &reply))];
        assert_eq!(client(calls), ["isMaster admin, in admin"]);
    }
}

/// 40 kB of which the kernel copied a part: the command is known, and the answer found behind it.
#[test]
fn large_messages_cost_their_heads() {
    let run: Vec<_> = (0..10).map(|_| document(&[text("name", &"x".repeat(4000))])).collect();
    let bytes = message(1, 0, 0, &document(&[text("insert", "users"), shop()]), &run);
    let calls = vec![head(&bytes, 200), received(ok(9, 1)), sent(find(2)), received(ok(10, 2))];
    assert_eq!(client(calls), ["insert users, in shop", "find users, in shop"]);

    let filter = inner(3, "filter", document(&[text("name", &"x".repeat(4000))]));
    let bytes = message(1, 0, 0, &document(&[text("find", "users"), filter, shop()]), &[]);
    let calls = vec![head(&bytes, 200), received(ok(9, 1))];
    assert_eq!(client(calls), ["find users, truncated"], "the database stood behind the filter");
}

#[test]
fn a_connection_older_than_the_daemon_is_recognised_by_either_side() {
    for side in [Side::Client, Side::Unknown] {
        let mut bench = Bench::new(REGISTRY, side);
        let rest =
            vec![received(b"rest of an older answer, of any bytes"), sent(find(7)), received(ok(8, 7))];
        bench.play(&talk(rest));
        assert_eq!(lines(&bench), ["find users, in shop"], "{side:?}");
    }
    let mut bench = Bench::new(REGISTRY, Side::Unknown);
    bench.play(&talk(vec![received(ok(3, 2)), sent(find(7)), received(ok(8, 7))]));
    assert_eq!(lines(&bench), ["find users, in shop"]);
}

#[test]
fn what_was_lost_is_not_guessed() {
    let lost = received(&ok(9, 1)[..10]).gap(Gap::Lost, 28);
    let calls = vec![sent(find(1)), lost, sent(find(2)), received(ok(10, 2))];
    assert_eq!(client(calls), ["find users, in shop, no answer, Lost", "find users, in shop"]);

    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent(find(1)), received(ok(9, 1)), sent(find(2))]));
    bench.tick(100 * STEP);
    assert_eq!(lines(&bench)[1], "find users, in shop, no answer, TimedOut");
}

#[test]
fn answers_begin_before_they_end() {
    let long = document(&[text("big", &"x".repeat(40_000)), number("ok", 1)]);
    let answer = message(9, 1, 0, &long, &[]);
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.play(&talk(vec![sent(find(1)), received(&answer[..20_000])]));
    let begun = bench.out.iter().any(|output| matches!(output, Output::Resumed(_)));
    assert!(begun && bench.exchanges().next().is_none());
    bench.play(&[received(&answer[20_000..])]);
    assert_eq!(lines(&bench), ["find users, in shop, truncated"], "whether it went well stood at the end");
    assert_eq!(bench.exchanges().next().unwrap().response.unwrap().bytes, answer.len() as u64);
}
