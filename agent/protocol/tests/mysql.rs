//! MySQL on a connection: recordings of real clients and a real server (MariaDB 10.11), and what those do not show.

mod database;

use database::{carriers, cut, from, line, lines, play, shows};
use wirespan_protocol::{
    event::Direction,
    exchange::{Role, Value},
    facts::Side,
    stream::Gap,
    testing::{Call, Part, STEP, received, recorded, sent, talk},
};

const PYMYSQL: &str = include_str!("captures/mysql/pymysql.txt");
const MYSQL2: &str = include_str!("captures/mysql/mysql2.txt");
const CLI: &str = include_str!("captures/mysql/cli.txt");

/// The text protocol: several statements in one text, several results, a file that is loaded.
#[test]
fn pymysql() {
    shows(
        include_str!("captures/mysql/pymysql.txt"),
        &[
            "SET, changed 0: SET NAMES utf8mb4",
            "select users, rows 1: select count(*) from users",
            "select users, rows 1: select name from users where id = ? and name <> ?",
            "select missing, error 1146, state 42S02: select * from missing",
            "update users select select users, rows 4, changed 1: update users set name = ? where id = ?; select ?; select id from users where id < ?",
            "load users, changed 2: load data local infile ? into table users",
            "delete users, changed 2: delete from users where id > ?",
            "select users, rows 60: select * from users",
            "PING",
            "USE",
            "select, rows 1: select ?",
        ],
    );
}

/// JavaScript: the binary protocol, statements prepared and closed, errors.
#[test]
fn mysql2() {
    shows(
        include_str!("captures/mysql/mysql2.txt"),
        &[
            "select users, rows 1: select count(*) from users where name = ?",
            "PREPARE select users: select name from users where id = ?",
            "select users, rows 0: select name from users where id = ?",
            "select users, rows 1: select name from users where id = ?",
            "PREPARE insert users: insert into users values (?, ?)",
            "insert users, changed 1: insert into users values (?, ?)",
            "insert users, error 1062, state 23000: insert into users values (?, ?)",
            "PREPARE delete users: delete from users where id = ?",
            "delete users, changed 1: delete from users where id = ?",
            "PREPARE select users, error 1054, state 42S22: select nope from users",
            "select select, rows 2: select ?; select ?",
            "PREPARE select users: select * from users",
            "select users, rows 60: select * from users",
            "PING",
        ],
    );
}

/// Results end with OK; statements are run before their number is known; queries are pipelined.
#[test]
fn mariadb_connector() {
    shows(
        include_str!("captures/mysql/mariadb.txt"),
        &[
            "SET, changed 0: SET NAMES utf8mb4",
            "select users, rows 1: select name from users where id = ?",
            "PREPARE select users: select name from users where id = ?",
            "select users, rows 1: select name from users where id = ?",
            "select users, rows 1: select name from users where id = ?",
            "select, rows 1: select ?",
            "select, rows 1: select ?",
            "PREPARE select users: select id from users where id < ?",
            "select users, rows 4: select id from users where id < ?",
            "PREPARE update users: update users set name = ? where id = ?",
            "update users, changed 2: update users set name = ? where id = ?",
        ],
    );
}

/// Results end with EOF; statements are reset.
#[test]
fn mysql_connector() {
    shows(
        include_str!("captures/mysql/connector.txt"),
        &[
            "SET, changed 0: SET NAMES ? COLLATE ?",
            "SET, changed 0: SET @@session.autocommit = ON",
            "PING",
            "PREPARE select users: select name from users where id = ?",
            "RESET",
            "select users, rows 1: select name from users where id = ?",
            "RESET",
            "select users, rows 1: select name from users where id = ?",
            "RESET_CONNECTION",
            "SET, changed 0: SET NAMES ? COLLATE ?",
            "SET, changed 0: SET @@session.autocommit = ON",
            "PING",
            "PING",
            "select users, rows 0: select name from users where name = ? limit ?",
        ],
    );
}

/// The database changes.
#[test]
fn mariadb_cli() {
    shows(
        include_str!("captures/mysql/cli.txt"),
        &[
            "select users, rows 1: select count(*) from users",
            "show, rows 1: show tables",
            "SELECT, rows 1: SELECT DATABASE()",
            "USE",
            "select, rows 1: select ?",
        ],
    );
}

/// Lengths alone, but for short packets, which are not compressed.
#[test]
fn the_compression_flag_is_declared_and_lengths_are_told() {
    shows(
        include_str!("captures/mysql/compress.txt"),
        &[
            "select users, compressed Bool(true): select count(*) from users where name = ?",
            "select users, compressed Bool(true): select * from users limit ?",
            "select missing, error 1146, state 42S02, compressed Bool(true): select * from missing",
        ],
    );
}

#[test]
fn attributes_follow_the_conventions() {
    let bench = play(&recorded(MYSQL2, Side::Server), Side::Server);
    let exchange = bench.exchanges().nth(6).expect("the insertion that failed");
    let text = |name: &'static str, value: &'static str| (name.into(), Value::Text(value.into()));
    let number = |name: &'static str, value| (name.into(), Value::Int(value));
    assert_eq!(
        exchange.attributes,
        [
            text("db.system.name", "mariadb"),
            text("db.namespace", "shop"),
            text("db.operation.name", "insert"),
            text("db.collection.name", "users"),
            text("db.query.summary", "insert users"),
            text("db.query.text", "insert into users values (?, ?)"),
            text("db.response.status_code", "1062"),
            text("wirespan.sqlstate", "23000"),
            text("error.type", "1062"),
            number("wirespan.request.bytes", 33),
            number("wirespan.response.bytes", 53),
            text("server.address", "10.0.0.2"),
            number("server.port", 8080),
        ]
    );
    assert_eq!((exchange.role, exchange.protocol), (Role::Server, "mysql"));
}

#[test]
fn a_comment_carries_the_context() {
    let bench = play(&recorded(PYMYSQL, Side::Client), Side::Client);
    assert_eq!(carriers(&bench), ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]);
}

#[test]
fn connections_older_than_the_daemon_are_recognised() {
    for side in [Side::Client, Side::Server] {
        let calls = recorded(PYMYSQL, side);
        for text in ["select * from missing", "load data", "delete from"] {
            let whole = lines(&calls, side);
            let bench = play(from(&calls, text), Side::Unknown);
            let shown = lines(from(&calls, text), Side::Unknown);
            assert_eq!(shown, whole[whole.len() - shown.len()..], "{text}");
            assert!(shown.len() > 3, "{shown:?}");
            let role = if side == Side::Client { Role::Client } else { Role::Server };
            assert!(bench.exchanges().all(|exchange| exchange.role == role));
            // A server reads each packet's header by a call of its own.
            let pieces = from(&calls, text).iter().flat_map(header_apart).collect();
            assert_eq!(lines(&talk(pieces), Side::Unknown), shown);
        }
    }
}

/// What was received, as two calls: four bytes, and the rest.
fn header_apart(call: &Call) -> Vec<Call> {
    match call.parts.as_slice() {
        [Part::Bytes(bytes)] if call.direction == Direction::Received => {
            vec![received(&bytes[..4]), received(&bytes[4..])]
        }
        _ => vec![call.clone()],
    }
}

#[test]
fn statements_older_than_the_daemon_are_unknown() {
    let calls = recorded(MYSQL2, Side::Client);
    let executions = from(&calls, "select name from users where id = ?");
    let shown = lines(&executions[2..6], Side::Unknown);
    assert_eq!(shown, ["EXECUTE, rows 0, unknown Bool(true)", "EXECUTE, rows 1, unknown Bool(true)"]);
}

#[test]
fn what_the_kernel_did_not_copy_costs_nothing_but_detail() {
    for (recording, head) in [(PYMYSQL, 200), (MYSQL2, 200)] {
        for side in [Side::Client, Side::Server] {
            let calls = recorded(recording, side);
            let names = |lines: Vec<String>| -> Vec<String> {
                lines
                    .iter()
                    .map(|line| line.split([',', ':']).next().unwrap_or_default().to_owned())
                    .collect()
            };
            let shown = lines(&cut(&calls, head), side);
            assert!(shown.iter().all(|line| !line.contains("Lost")), "{shown:?}");
            assert_eq!(names(shown), names(lines(&calls, side)), "{side:?}");
        }
    }
}

/// A packet: length, number, payload.
fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    [&length[..3], &[number], payload].concat()
}

/// Greeting, login, and the server's OK, as a recording has them.
fn login() -> Vec<Call> {
    recorded(CLI, Side::Client).into_iter().take(3).collect()
}

fn after_login(calls: Vec<Call>) -> Vec<String> {
    lines(&talk(login().into_iter().chain(calls).collect()), Side::Client)
}

fn ping() -> Vec<u8> {
    packet(0, &[0x0e])
}

fn ok() -> Vec<u8> {
    packet(1, &[0, 0, 0, 2, 0, 0, 0])
}

#[test]
fn encryption_ends_what_can_be_followed() {
    let greeting = login().remove(0);
    let request = [&0x0a80_8a05_u32.to_le_bytes()[..], &[0; 28]].concat();
    let calls = vec![greeting, sent(packet(1, &request)), sent(b"\x16\x03\x01\x02\x00\x01")];
    let bench = play(&talk(calls), Side::Client);
    assert!(bench.out.is_empty() && bench.session.protocol().is_none());
}

/// OK of a statement behind which another result follows (SERVER_MORE_RESULTS_EXISTS).
#[test]
fn several_statements_in_one_query_are_one_exchange() {
    let more = packet(1, &[0, 1, 0, 0x0a, 0, 0, 0]);
    let last = packet(2, &[0, 2, 0, 0x02, 0, 0, 0]);
    let calls = vec![
        sent(packet(0, b"\x03UPDATE a SET b = 'hush'; DELETE FROM c")),
        received(more),
        received(last),
        sent(ping()),
        received(ok()),
    ];
    let expected = ["UPDATE a DELETE c, changed 3: UPDATE a SET b = ?; DELETE FROM c", "PING"];
    assert_eq!(after_login(calls), expected);
}

/// The server asks for the file (0xfb and its name), the client sends it in packets, the last of them empty.
#[test]
fn a_file_that_local_infile_loads_is_counted_and_not_told() {
    let ask = packet(0, b"\x03LOAD DATA LOCAL INFILE '/hush' INTO TABLE t");
    let file = [packet(2, b"1\thush\n2\thush\n"), packet(3, b"")].concat();
    let wanted = packet(1, b"\xfb/hush");
    let loaded = packet(4, &[0, 2, 0, 2, 0, 0, 0]);
    let (requested, answered) = (ask.len() + file.len(), wanted.len() + loaded.len());
    let calls = [sent(ask), received(wanted), sent(file), received(loaded), sent(ping()), received(ok())];
    let bench = play(&talk(login().into_iter().chain(calls).collect()), Side::Client);
    let told: Vec<_> = bench.exchanges().map(line).collect();
    assert_eq!(told, ["LOAD t, changed 2: LOAD DATA LOCAL INFILE ? INTO TABLE t", "PING"]);
    let first = bench.exchanges().next().expect("the load");
    let answer = first.response.expect("an answer");
    assert_eq!((first.request.bytes, answer.bytes), (requested as u64, answered as u64));
}

/// What a client sends that asks the server to load one of its files.
const LOAD: &[u8] = b"\x03LOAD DATA LOCAL INFILE '/hush' INTO TABLE t";

/// ERR packet: code, SQLSTATE, text.
fn refusal(number: u8, code: u16) -> Vec<u8> {
    packet(number, &[&[0xff], &code.to_le_bytes()[..], b"#42000hush is not allowed"].concat())
}

/// ER_CLIENT_LOCAL_FILES_DISABLED of MySQL 8, ER_NOT_ALLOWED_COMMAND of MariaDB: no file is asked for.
#[test]
fn local_infile_that_the_server_refuses_is_an_error() {
    for code in [3948, 1148] {
        let shown = after_login(vec![
            sent(packet(0, LOAD)),
            received(refusal(1, code)),
            sent(ping()),
            received(ok()),
        ]);
        let text = "LOAD DATA LOCAL INFILE ? INTO TABLE t";
        assert_eq!(shown, [format!("LOAD t, error {code}, state 42000: {text}"), "PING".to_owned()]);
    }
}

/// A client that does not give the file sends the empty packet that would end it; servers answer with an error or with
/// nothing loaded.
#[test]
fn local_infile_that_the_client_refuses_is_told_as_the_server_answers() {
    let answers = [
        (refusal(3, 2068), "LOAD t, error 2068, state 42000"),
        (packet(3, &[0, 0, 0, 2, 0, 0, 0]), "LOAD t, changed 0"),
    ];
    for (answer, expected) in answers {
        let asked = [sent(packet(0, LOAD)), received(packet(1, b"\xfb/hush"))];
        let refused = [sent(packet(2, b"")), received(answer), sent(ping()), received(ok())];
        let shown = after_login(asked.into_iter().chain(refused).collect());
        assert_eq!(shown, [format!("{expected}: LOAD DATA LOCAL INFILE ? INTO TABLE t"), "PING".to_owned()]);
    }
}

#[test]
fn packets_of_16_mib_go_on_in_the_next_one() {
    const MAX: usize = 0xff_ffff;
    let text = [&b"\x03INSERT INTO t VALUES ('"[..], &vec![b'x'; MAX]].concat();
    let (first, second) = text.split_at(MAX);
    let calls = vec![
        sent(&packet(0, first)[..2000]).gap(Gap::NotCopied, MAX as u64 + 4 - 2000),
        sent(packet(1, second)),
        received(ok()),
        sent(ping()),
        received(ok()),
    ];
    let shown = after_login(calls);
    assert_eq!(shown, ["INSERT t, changed 0: INSERT INTO t VALUES (?", "PING"]);
}

#[test]
fn an_unanswered_command_ends_with_its_connection() {
    assert_eq!(after_login(vec![sent(ping())]), ["PING, error connection_closed, Closed"]);
    let calls = login().into_iter().chain([sent(ping())]).collect();
    let mut bench = play(&talk(calls), Side::Client);
    bench.tick(100 * STEP);
    let timed_out: Vec<_> = bench.exchanges().map(line).collect();
    assert_eq!(timed_out, ["PING, error timeout, TimedOut"]);
}

#[test]
fn after_a_loss_nothing_is_paired_by_guess() {
    let lost = received(packet(1, &[2])).gap(Gap::Lost, 100);
    let query = || sent(packet(0, b"\x03SELECT 1"));
    let shown = after_login(vec![query(), lost, query(), received(ok())]);
    assert_eq!(shown, ["SELECT, Lost: SELECT ?", "SELECT, changed 0: SELECT ?"]);
}

#[test]
fn replication_passes_by() {
    let calls =
        login().into_iter().chain([sent(packet(0, b"\x12\x04\0\0\0\0\0\x01\0\0\0log")), received(ok())]);
    let bench = play(&talk(calls.collect()), Side::Client);
    assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), ["BINLOG_DUMP"]);
    assert!(bench.session.protocol().is_none());
}

/// Attributes before the text: their number, of sets, NULLs, types and names, values (MySQL 8.0.23 and later).
#[test]
fn query_attributes_carry_the_context() {
    let (name, value) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let attributes =
        [&[3, 1, 1, 0, 1, 0xfe, 0, 11], name.as_bytes(), &[55], value.as_bytes(), b"SELECT 1"].concat();
    let query = sent(packet(0, &attributes));
    // Only a handshake tells that they are there.
    let (greeting, mut reply, welcome) = {
        let mut calls = login().into_iter();
        (calls.next().unwrap(), calls.next().unwrap(), calls.next().unwrap())
    };
    let ability = |call: &mut Call, place: usize| {
        let Part::Bytes(bytes) = &mut call.parts[0] else { panic!("bytes") };
        bytes[place] |= 0x08;
    };
    let mut greeting = greeting;
    let high = 4 + 1 + "5.5.5-10.11.19-MariaDB-0+deb12u1".len() + 1 + 4 + 8 + 1 + 2 + 1 + 2 + 1;
    ability(&mut greeting, high);
    ability(&mut reply, 4 + 3);
    let bench = play(&talk(vec![greeting, reply, welcome, query, received(ok())]), Side::Client);
    assert_eq!(carriers(&bench), [format!("{name}: {value}")]);
    assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), ["SELECT, changed 0: SELECT ?"]);
}

/// Nobody said whether queries have attributes: what stands before the text is none of it.
#[test]
fn attributes_of_an_older_connection_are_not_told_as_text() {
    let attributes = [&b"\x03\x01\x01\0\x01\xfe\0\x05token\x04hush"[..], b"SELECT 2"].concat();
    let calls =
        [sent(packet(0, b"\x03SELECT 1")), received(ok()), sent(packet(0, &attributes)), received(ok())];
    assert_eq!(lines(&talk(calls.to_vec()), Side::Unknown), ["SELECT, changed 0: SELECT ?"; 2]);
}

/// By the client's first packet, or by a statement: in GBK and its like a byte that looks like a backslash may be a half of
/// a character, and the quote behind it the end of the string.
#[test]
fn characters_with_half_a_backslash_let_no_literal_out() {
    const CHARACTERS: usize = 4 + 4 + 4;
    let query = || sent(packet(0, b"\x03SELECT '\xe5\\', 'hush', 'x'"));
    let told = "SELECT, changed 0: SELECT ?";
    let mut calls = login();
    let Part::Bytes(reply) = &mut calls[1].parts[0] else { panic!("bytes") };
    reply[CHARACTERS] = 28;
    calls.extend([query(), received(ok())]);
    assert_eq!(lines(&talk(calls), Side::Client), [told]);

    let calls = vec![sent(packet(0, b"\x03SET NAMES gbk")), received(ok()), query(), received(ok())];
    assert_eq!(after_login(calls), ["SET, changed 0: SET NAMES gbk", told]);
    let calls = vec![sent(packet(0, b"\x03set names utf8mb4")), received(ok())];
    let told = "SELECT t, changed 0: SELECT ?, ? FROM t";
    let plain = [sent(packet(0, b"\x03SELECT 'it\\'s', 'hush' FROM t")), received(ok())];
    assert_eq!(after_login(calls.into_iter().chain(plain).collect())[1..], [told]);
}

/// The server asks for another proof than the client gave; the client sends its password in clear.
#[test]
fn authentication_is_never_captured() {
    for asks in [&b"\xfemysql_clear_password\0"[..], b"\x01\x04"] {
        let (proof, welcome) = (packet(3, b"hush\0"), packet(4, &[0, 0, 0, 2, 0, 0, 0]));
        let mut calls = login();
        calls.truncate(2);
        calls.extend([
            received(packet(2, asks)),
            sent(proof),
            received(welcome),
            sent(ping()),
            received(ok()),
        ]);
        assert_eq!(lines(&talk(calls), Side::Client), ["PING"]);
    }
}

#[test]
fn another_user_logs_in_and_nothing_of_it_is_captured() {
    let change = packet(0, b"\x11hush\0\x04hushhush\0\x21\0mysql_clear_password\0");
    let calls = vec![
        sent(change),
        received(packet(1, b"\xfemysql_clear_password\0")),
        sent(packet(2, b"hush\0")),
        received(packet(3, &[0, 0, 0, 2, 0, 0, 0])),
        sent(ping()),
        received(ok()),
    ];
    assert_eq!(after_login(calls), ["CHANGE_USER", "PING"]);
}

#[test]
fn what_only_looks_like_it_is_left_alone() {
    for bytes in
        [&b"\x05\0\0\0\x03hello"[..], b"\x01\0\0\0\x0e", b"\0\0\0\0", b"\x07\0\0\x01\0\0\0\x02\0\0\0"]
    {
        for side in [Side::Client, Side::Unknown] {
            let bench = play(&talk(vec![sent(bytes), received(b"nothing of the sort")]), side);
            assert!(bench.exchanges().count() == 0, "{}", bytes.escape_ascii());
        }
    }
}
