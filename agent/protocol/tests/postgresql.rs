//! PostgreSQL on a connection: recordings of real clients and a real server (15), and what those do not show.

mod database;

use database::{carriers, cut, from, line, lines, play, shows};
use wirespan_protocol::{
    Settings,
    exchange::{Ending, Output, Role, Value},
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{Bench, Call, STEP, every_opening_ends_once, received, recorded, sent, talk},
};

const PSYCOPG: &str = include_str!("captures/postgresql/psycopg.txt");
const ASYNCPG: &str = include_str!("captures/postgresql/asyncpg.txt");
const NODE: &str = include_str!("captures/postgresql/node.txt");
const PSQL: &str = include_str!("captures/postgresql/psql.txt");

/// libpq: simple and extended queries, prepared ones, COPY both ways, pipelines, errors.
#[test]
fn psycopg() {
    shows(
        include_str!("captures/postgresql/psycopg.txt"),
        &[
            "select users, rows 1: select count(*) from users",
            "select users, rows 1: select name from users where id = $1 and name <> ?",
            "PREPARE select users: select name from users where id = $1",
            "select users, rows 0: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "select missing, error 42P01: select * from missing where x = ?",
            "insert users, error 23505: insert into users values ($1, $2)",
            "copy users, changed 3: copy users from stdin",
            "copy users, rows 63: copy users to stdout",
            "update users, changed 1: update users set name = $1 where id = $2",
            "select users, rows 3: select id from users where id < $1",
            "delete users, changed 3: delete from users where id >= ?",
            "BEGIN: BEGIN",
            "insert users, rows 1, changed 1: insert into users(id,name) values (?,$1) returning id",
            "delete users, changed 1: delete from users where id=?",
            "COMMIT: COMMIT",
            "select, error 22012: select ?/?",
            "select, error pipeline_aborted: select ?",
        ],
    );
}

/// Prepares with Flush, many executions behind one Sync, portals that are fetched from again.
#[test]
fn asyncpg() {
    shows(
        include_str!("captures/postgresql/asyncpg.txt"),
        &[
            "PREPARE select users: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "PREPARE select users: select id from users where id < $1",
            "select users, rows 2: select id from users where id < $1",
            "select users, rows 3: select id from users where id < $1",
            "PREPARE update users: update users set name = $1 where id = $2",
            "update users, changed 1: update users set name = $1 where id = $2",
            "update users, changed 1: update users set name = $1 where id = $2",
            "update users, changed 1: update users set name = $1 where id = $2",
            "BEGIN: BEGIN;",
            "PREPARE select users: select * from users where id < ?",
            "select users, rows 5: select * from users where id < ?",
            "select users, rows 5: select * from users where id < ?",
            "select users, rows 5: select * from users where id < ?",
            "select users, rows 4: select * from users where id < ?",
            "CLOSE",
            "COMMIT: COMMIT;",
        ],
    );
}

/// JavaScript: several statements in one text, named statements, a cursor.
#[test]
fn node_postgres() {
    shows(
        include_str!("captures/postgresql/node.txt"),
        &[
            "select users, rows 1: select count(*) from users where name = ?",
            "select users, rows 1: select name from users where id = $1",
            "select users, rows 0: select name from users where id = $1",
            "select users, rows 1: select name from users where id = $1",
            "select users, error 42703: select nope from users",
            "begin update users commit, changed 1: begin; update users set name = ? where id = ?; commit",
            "PREPARE select users: select id, name from users order by id",
            "select users, rows 25: select id, name from users order by id",
            "select users, rows 25: select id, name from users order by id",
            "select users, rows 10: select id, name from users order by id",
            "CLOSE",
        ],
    );
}

/// LISTEN and NOTIFY pass by; a statement prepared in SQL itself.
#[test]
fn psql() {
    shows(
        include_str!("captures/postgresql/psql.txt"),
        &[
            "select users, rows 1: select count(*) from users;",
            "COPY users, rows 60: COPY users TO STDOUT",
            "select users, rows 60: select * from users;",
            "listen: listen ch;",
            "notify: notify ch, ?;",
            "select select, rows 2: select pg_sleep(?) ; select ?;",
            "prepare select users: prepare p as select id from users where id = $1;",
            "execute, rows 1: execute p(?);",
        ],
    );
}

/// `pgbench -M prepared`.
#[test]
fn pgbench() {
    shows(
        include_str!("captures/postgresql/pgbench.txt"),
        &[
            "PREPARE BEGIN: BEGIN;",
            "BEGIN: BEGIN;",
            "PREPARE UPDATE pgbench_accounts: UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;",
            "UPDATE pgbench_accounts, changed 1: UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;",
            "PREPARE SELECT pgbench_accounts: SELECT abalance FROM pgbench_accounts WHERE aid = $1;",
            "SELECT pgbench_accounts, rows 1: SELECT abalance FROM pgbench_accounts WHERE aid = $1;",
            "PREPARE UPDATE pgbench_tellers: UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;",
            "UPDATE pgbench_tellers, changed 1: UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;",
            "PREPARE UPDATE pgbench_branches: UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;",
            "UPDATE pgbench_branches, changed 1: UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;",
            "PREPARE INSERT pgbench_history: INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);",
            "INSERT pgbench_history, changed 1: INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);",
            "PREPARE END: END;",
            "END: END;",
            "BEGIN: BEGIN;",
            "UPDATE pgbench_accounts, changed 1: UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;",
            "SELECT pgbench_accounts, rows 1: SELECT abalance FROM pgbench_accounts WHERE aid = $1;",
            "UPDATE pgbench_tellers, changed 1: UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;",
            "UPDATE pgbench_branches, changed 1: UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;",
            "INSERT pgbench_history, changed 1: INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);",
            "END: END;",
        ],
    );
}

/// A cancelled query, and the connection that asked to cancel it.
#[test]
fn cancelling() {
    shows(
        include_str!("captures/postgresql/cancel.txt"),
        &["select, rows 0, error 57014: select pg_sleep(?)"],
    );
    let request = include_str!("captures/postgresql/cancel_request.txt");
    for side in [Side::Client, Side::Server] {
        assert_eq!(lines(&recorded(request, side), side), ["CANCEL"]);
    }
}

#[test]
fn attributes_follow_the_conventions() {
    let bench = play(&recorded(PSYCOPG, Side::Server), Side::Server);
    let exchange = bench.exchanges().nth(11).expect("the insertion that failed");
    let text = |name: &'static str, value: &'static str| (name.into(), Value::Text(value.into()));
    let number = |name: &'static str, value| (name.into(), Value::Int(value));
    assert_eq!(
        exchange.attributes,
        [
            text("db.system.name", "postgresql"),
            text("db.namespace", "shop"),
            text("db.operation.name", "insert"),
            text("db.collection.name", "users"),
            text("db.query.summary", "insert users"),
            text("db.query.text", "insert into users values ($1, $2)"),
            text("db.response.status_code", "23505"),
            text("error.type", "23505"),
            number("wirespan.request.bytes", 105),
            number("wirespan.response.bytes", 202),
            text("server.address", "10.0.0.2"),
            number("server.port", 8080),
        ]
    );
    assert_eq!((exchange.role, exchange.protocol), (Role::Server, "postgresql"));
}

#[test]
fn a_comment_carries_the_context() {
    let bench = play(&recorded(PSYCOPG, Side::Client), Side::Client);
    assert_eq!(carriers(&bench), ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]);
}

#[test]
fn connections_older_than_the_daemon_are_recognised() {
    let calls = recorded(PSYCOPG, Side::Client);
    for (text, first) in [
        ("select * from missing", "select missing, error 42P01: select * from missing where x = ?"),
        ("copy users from stdin", "copy users, changed 3: copy users from stdin"),
        ("COMMIT", "COMMIT: COMMIT"),
    ] {
        let rest = from(&calls, text);
        let whole = lines(&calls, Side::Client);
        let shown = lines(rest, Side::Unknown);
        assert_eq!(shown.first().map(String::as_str), Some(first));
        assert_eq!(shown, whole[whole.len() - shown.len()..]);
    }
    // Seen from the server, and from the begin of an answer.
    let calls = recorded(PSQL, Side::Server);
    let shown = lines(&from(&calls, "listen")[1..], Side::Unknown);
    assert_eq!(shown[0], "notify: notify ch, ?;");
    let bench = play(from(&calls, "listen"), Side::Unknown);
    assert!(bench.exchanges().all(|exchange| exchange.role == Role::Server));
}

#[test]
fn statements_older_than_the_daemon_are_unknown() {
    let calls = recorded(NODE, Side::Client);
    let executions = from(&calls, "by-id");
    // The second execution names the statement without its text.
    let shown = lines(&executions[2..4], Side::Unknown);
    assert_eq!(shown, ["SELECT, rows 1, unknown Bool(true)"]);
}

#[test]
fn what_the_kernel_did_not_copy_costs_nothing_but_detail() {
    for (recording, head) in [(PSQL, 128), (PSYCOPG, 200), (NODE, 300), (ASYNCPG, 300)] {
        for side in [Side::Client, Side::Server] {
            let calls = recorded(recording, side);
            let whole = lines(&calls, side);
            let shown = lines(&cut(&calls, head), side);
            let names = |lines: &[String]| -> Vec<String> {
                lines
                    .iter()
                    .map(|line| line.split([',', ':']).next().unwrap_or_default().to_owned())
                    .collect()
            };
            assert_eq!(names(&shown), names(&whole), "{side:?}");
            assert!(shown.iter().all(|line| !line.contains("Lost")), "{shown:?}");
        }
    }
    // Rows that were not seen are told by the tag.
    let calls = recorded(PSQL, Side::Client);
    let shown = lines(&cut(&calls, 128), Side::Client);
    assert_eq!(shown[2], "select users, rows 60: select * from users;");
}

const START: &[u8] = b"\0\0\0\x1f\0\x03\0\0user\0alice\0database\0d\0\0";
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const SELECT: &[u8] = b"Q\0\0\0\x0dSELECT 1\0";
const ONE: &[u8] = b"T\0\0\0\x06\0\0D\0\0\0\x06\0\0C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

#[test]
fn encryption_ends_what_can_be_followed() {
    let ask = [0, 0, 0, 8, 4, 210, 22, 47];
    let bench = play(&talk(vec![sent(ask), received("S"), sent(b"\x16\x03\x01")]), Side::Client);
    assert!(bench.out.is_empty() && bench.session.protocol().is_none());
}

/// Refused twice, for GSSAPI and TLS, then in the clear.
#[test]
fn refused_encryption_goes_on_in_the_clear() {
    let ask = [0, 0, 0, 8, 4, 210, 22, 47];
    let gss = [0, 0, 0, 8, 4, 210, 22, 48];
    let calls = [
        sent(gss),
        received("N"),
        sent(ask),
        received("N"),
        sent(START),
        received(WELCOME),
        sent(SELECT),
        received(ONE),
    ];
    assert_eq!(lines(&talk(calls.to_vec()), Side::Client), ["SELECT, rows 1: SELECT ?"]);
}

#[test]
fn several_groups_may_be_on_their_way() {
    let calls =
        vec![sent([START].concat()), received(WELCOME), sent([SELECT, SELECT].concat()), sent(SELECT)];
    let mut calls = calls;
    calls.push(received([ONE, ONE, ONE].concat()));
    assert_eq!(lines(&talk(calls), Side::Client), ["SELECT, rows 1: SELECT ?"; 3]);
}

#[test]
fn an_unanswered_query_ends_with_its_connection() {
    let calls = talk(vec![sent(START), received(WELCOME), sent(SELECT)]);
    assert_eq!(lines(&calls, Side::Client), ["SELECT, error connection_closed, Closed: SELECT ?"]);
    let mut bench = play(&calls, Side::Client);
    bench.tick(100 * STEP);
    let timed_out: Vec<_> = bench.exchanges().map(line).collect();
    assert_eq!(timed_out, ["SELECT, error timeout, TimedOut: SELECT ?"]);
    // The server says why before it hangs up.
    let fatal = b"E\0\0\0\x13SFATAL\0C57P01\0\0";
    let calls = talk(vec![sent(START), received(WELCOME), sent(SELECT), received(fatal)]);
    assert_eq!(lines(&calls, Side::Client), ["SELECT, error 57P01, Closed: SELECT ?"]);
}

#[test]
fn after_a_loss_nothing_is_paired_by_guess() {
    let lost = received(b"T\0\0\0\x06\0\0").gap(Gap::Lost, 100);
    let calls = vec![sent(START), received(WELCOME), sent(SELECT), lost, sent(SELECT), received(ONE)];
    assert_eq!(lines(&talk(calls), Side::Client), ["SELECT, Lost: SELECT ?", "SELECT, rows 1: SELECT ?"]);
}

#[test]
fn replication_passes_by() {
    let ask = b"Q\0\0\0\x19START_REPLICATION 0/0\0";
    let both = b"W\0\0\0\x07\0\0\0d\0\0\0\x05w";
    let bench = play(&talk(vec![sent(START), received(WELCOME), sent(ask), received(both)]), Side::Client);
    assert_eq!(bench.exchanges().map(line).collect::<Vec<_>>(), ["postgresql: START_REPLICATION ?/?"]);
    assert!(bench.session.protocol().is_none());
}

#[test]
fn passwords_are_not_looked_at() {
    let ask = b"R\0\0\0\x08\0\0\0\x03";
    let calls = [
        sent(START),
        received(ask),
        sent(b"p\0\0\0\x09hush\0"),
        received(WELCOME),
        sent(SELECT),
        received(ONE),
    ];
    assert_eq!(lines(&talk(calls.to_vec()), Side::Client), ["SELECT, rows 1: SELECT ?"]);
}

/// SCRAM: both sides prove by these messages that they know the password (protocol document, SASL Authentication).
#[test]
fn authentication_is_never_captured() {
    let calls = [
        sent(START),
        received(message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")),
        sent(message(b'p', b"SCRAM-SHA-256\0\0\0\0\x10n,,n=hush,r=hush")),
        received(message(b'R', b"\0\0\0\x0br=hush,s=aHVzaA==,i=4096")),
        sent(message(b'p', b"c=biws,r=hush,p=hush")),
        received([&message(b'R', b"\0\0\0\x0cv=hush")[..], WELCOME].concat()),
        sent(SELECT),
        received(ONE),
    ];
    assert_eq!(lines(&talk(calls.to_vec()), Side::Client), ["SELECT, rows 1: SELECT ?"]);
}

/// Type, length, content (protocol document, Message Formats).
fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &(content.len() as u32 + 4).to_be_bytes(), content].concat()
}

/// What stands behind the welcome: its lines, and the bytes of the first request and response.
fn after_welcome(calls: Vec<Call>) -> (Vec<String>, u64, u64) {
    let calls: Vec<_> = [sent(START), received(WELCOME)].into_iter().chain(calls).collect();
    let bench = play(&talk(calls), Side::Client);
    let first = bench.exchanges().next().expect("an exchange");
    let answered = first.response.expect("an answer").bytes;
    (bench.exchanges().map(line).collect(), first.request.bytes, answered)
}

/// A Query message may hold several statements; each answers, and one ReadyForQuery ends them all.
#[test]
fn a_simple_query_is_one_span_with_the_rows_of_all_its_statements() {
    let row = message(b'D', b"\0\x01\0\0\0\x04hush");
    let table = [message(b'T', b"\0\0"), row.clone(), row, message(b'C', b"SELECT 2\0")].concat();
    let answer = [table, message(b'C', b"DELETE 3\0"), message(b'Z', b"I")].concat();
    let ask = message(b'Q', b"SELECT name FROM users WHERE name = 'hush'; DELETE FROM logs\0");
    let (told, requested, answered) = after_welcome(vec![sent(&ask), received(&answer)]);
    let expected = "SELECT users DELETE logs, rows 2, changed 3: SELECT name FROM users WHERE name = ?; DELETE FROM logs";
    assert_eq!(told, [expected]);
    assert_eq!((requested, answered), (ask.len() as u64, answer.len() as u64));
}

#[test]
fn a_simple_query_that_fails_has_its_sqlstate_and_the_next_is_unharmed() {
    let failed =
        [message(b'E', b"SERROR\0C42P01\0Mrelation \"hush\" does not exist\0\0"), message(b'Z', b"I")];
    let ask = message(b'Q', b"SELECT 1 FROM nowhere\0");
    let (told, ..) = after_welcome(vec![sent(ask), received(failed.concat()), sent(SELECT), received(ONE)]);
    assert_eq!(told, ["SELECT nowhere, error 42P01: SELECT ? FROM nowhere", "SELECT, rows 1: SELECT ?"]);
}

/// Named, so that it is parsed once and executed as often as wanted. What is prepared by itself is a span of its own.
#[test]
fn an_extended_query_is_a_span_for_each_execution_of_its_statement() {
    let sync = || message(b'S', b"");
    let parse = message(b'P', b"by_name\0SELECT id FROM users WHERE name = $1\0\0\0");
    let bind = message(b'B', b"\0by_name\0\0\0\0\x01\0\0\0\x04hush\0\0");
    let execute = [bind, message(b'E', &[0; 5]), sync()].concat();
    let prepared = [message(b'1', b""), message(b't', b"\0\0"), message(b'T', b"\0\0"), message(b'Z', b"I")];
    let row = message(b'D', b"\0\x01\0\0\0\x011");
    let executed = |rows: usize| {
        let complete = message(b'C', format!("SELECT {rows}\0").as_bytes());
        [message(b'2', b""), row.repeat(rows), complete, message(b'Z', b"I")].concat()
    };
    let (told, ..) = after_welcome(vec![
        sent([parse, message(b'D', b"Sby_name\0"), sync()].concat()),
        received(prepared.concat()),
        sent(&execute),
        received(executed(1)),
        sent(&execute),
        received(executed(2)),
    ]);
    let text = "SELECT id FROM users WHERE name = $1";
    let expected = ["PREPARE SELECT users", "SELECT users, rows 1", "SELECT users, rows 2"]
        .map(|what| format!("{what}: {text}"));
    assert_eq!(told, expected);
}

#[test]
fn an_extended_query_that_fails_has_its_sqlstate() {
    let ask = [execution("INSERT INTO users VALUES ('hush')"), message(b'S', b"")].concat();
    let bound = [message(b'1', b""), message(b'2', b"")].concat();
    let failed = [bound, message(b'E', b"SERROR\0C23505\0Mhush\0\0"), message(b'Z', b"I")].concat();
    let (told, ..) = after_welcome(vec![sent(ask), received(failed), sent(SELECT), received(ONE)]);
    let expected = ["INSERT users, error 23505: INSERT INTO users VALUES (?)", "SELECT, rows 1: SELECT ?"];
    assert_eq!(told, expected);
}

#[test]
fn copy_in_counts_the_rows_and_bytes_that_the_client_sends() {
    let ask = message(b'Q', b"COPY users FROM STDIN\0");
    let rows = [message(b'd', b"1\thush\n"), message(b'd', b"2\thush\n"), message(b'c', b"")].concat();
    let accepted = message(b'G', b"\0\0\x02\0\0\0\0");
    let done = [message(b'C', b"COPY 2\0"), message(b'Z', b"I")].concat();
    let (requested, answered) = (ask.len() + rows.len(), accepted.len() + done.len());
    let told = after_welcome(vec![sent(ask), received(accepted), sent(rows), received(done)]);
    let expected = vec!["COPY users, changed 2: COPY users FROM STDIN".to_owned()];
    assert_eq!(told, (expected, requested as u64, answered as u64));
}

#[test]
fn copy_out_counts_the_rows_and_bytes_that_the_server_sends() {
    let ask = message(b'Q', b"COPY users TO STDOUT\0");
    let answer = [
        message(b'H', b"\0\0\x02\0\0\0\0"),
        message(b'd', b"1\thush\n"),
        message(b'd', b"2\thush\n"),
        message(b'd', b"3\thush\n"),
        message(b'c', b""),
        message(b'C', b"COPY 3\0"),
        message(b'Z', b"I"),
    ]
    .concat();
    let (requested, answered) = (ask.len(), answer.len());
    let told = after_welcome(vec![sent(ask), received(answer)]);
    let expected = vec!["COPY users, rows 3: COPY users TO STDOUT".to_owned()];
    assert_eq!(told, (expected, requested as u64, answered as u64));
}

/// The client gives up (CopyFail); the server says so by an error.
#[test]
fn a_copy_that_the_client_gives_up_is_an_error() {
    let calls = vec![
        sent(message(b'Q', b"COPY users FROM STDIN\0")),
        received(message(b'G', b"\0\0\x02\0\0\0\0")),
        sent([message(b'd', b"1\thush\n"), message(b'f', b"hush\0")].concat()),
        received([message(b'E', b"SERROR\0C57014\0\0"), message(b'Z', b"I")].concat()),
        sent(SELECT),
        received(ONE),
    ];
    let (told, ..) = after_welcome(calls);
    assert_eq!(told, ["COPY users, error 57014: COPY users FROM STDIN", "SELECT, rows 1: SELECT ?"]);
}

/// Parse, Bind and Execute of the unnamed statement.
fn execution(text: &str) -> Vec<u8> {
    let parse = message(b'P', format!("\0{text}\0\0\0").as_bytes());
    [parse, message(b'B', &[0; 8]), message(b'E', &[0; 5])].concat()
}

#[test]
fn a_pipeline_is_a_span_for_each_execution_before_its_sync() {
    let ask = [execution("SELECT 1"), execution("DELETE FROM users"), message(b'S', b"")].concat();
    let bound = [message(b'1', b""), message(b'2', b"")].concat();
    let selected = [&bound[..], &message(b'D', b"\0\0"), &message(b'C', b"SELECT 1\0")].concat();
    let deleted = [bound, message(b'C', b"DELETE 3\0")].concat();
    let ready = message(b'Z', b"I");
    let (told, ..) = after_welcome(vec![sent(&ask), received([selected, deleted, ready.clone()].concat())]);
    assert_eq!(told, ["SELECT, rows 1: SELECT ?", "DELETE users, changed 3: DELETE FROM users"]);
    // What stands behind an error is skipped up to Sync.
    let failed = [message(b'E', b"SERROR\0C22012\0\0"), ready].concat();
    let (told, ..) = after_welcome(vec![sent(&ask), received(failed), sent(SELECT), received(ONE)]);
    let expected = [
        "SELECT, error 22012: SELECT ?",
        "DELETE users, error pipeline_aborted: DELETE FROM users",
        "SELECT, rows 1: SELECT ?",
    ];
    assert_eq!(told, expected);
}

/// A connection of its own: code 80877102, process, secret key; nobody answers.
#[test]
fn a_cancel_request_is_told_without_its_key() {
    let calls = talk(vec![sent(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x2ahush")]);
    assert_eq!(lines(&calls, Side::Client), ["CANCEL"]);
}

#[test]
fn what_waits_is_bounded() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.settings = Settings { max_pending: 4, ..Settings::default() };
    bench.play(&talk(vec![sent(START), received(WELCOME), sent(SELECT.repeat(9))]));
    let open = bench.out.iter().filter(|output| matches!(output, Output::Opened(_))).count();
    assert_eq!((open, bench.exchanges().count()), (9, 8));
    bench.finish(Ending::Closed, 100 * STEP);
    every_opening_ends_once(&bench.out);
}

#[test]
fn statements_are_bounded() {
    let mut bench = Bench::new(REGISTRY, Side::Client);
    bench.settings = Settings { max_statements: 1, ..Settings::default() };
    let parse = |name: &str| {
        let content = format!("{name}\0SELECT 1\0\0\0");
        [b"P", &(content.len() as u32 + 4).to_be_bytes()[..], content.as_bytes(), b"S\0\0\0\x04"].concat()
    };
    let run = |name: &str| {
        let bind = format!("\0{name}\0\0\0\0\0\0\0");
        let bind = [b"B", &(bind.len() as u32 + 4).to_be_bytes()[..], bind.as_bytes()].concat();
        [&bind[..], b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"].concat()
    };
    let parsed = || received(b"1\0\0\0\x04Z\0\0\0\x05I");
    let done = || received(b"2\0\0\0\x04C\0\0\0\x0dSELECT 0\0Z\0\0\0\x05I");
    let calls = [sent(START), received(WELCOME), sent(parse("a")), parsed(), sent(parse("b")), parsed()];
    let runs = [sent(run("a")), done(), sent(run("b")), done()];
    bench.play(&talk(calls.into_iter().chain(runs).collect()));
    let shown: Vec<_> = bench.exchanges().skip(2).map(line).collect();
    assert_eq!(shown, ["SELECT, rows 0, unknown Bool(true)", "SELECT, rows 0: SELECT ?"]);
}

/// Many clients of a pooler share a connection, and may choose the same name (42P05): what the server keeps by it is not
/// what was sent last. The same holds where it passed over the statement behind another one's error.
#[test]
fn a_statement_that_was_refused_does_not_take_the_place_of_the_one_before() {
    let parse = |text: &str| message(b'P', format!("a\0{text}\0\0\0").as_bytes());
    let (sync, ready) = (message(b'S', b""), message(b'Z', b"I"));
    let run = || sent([message(b'B', b"\0a\0\0\0\0\0\0\0"), message(b'E', &[0; 5]), sync.clone()].concat());
    let ran = [message(b'2', b""), message(b'C', b"SELECT 0\0"), ready.clone()].concat();
    let failed = [message(b'E', b"SERROR\0C42P05\0\0"), ready.clone()].concat();
    let prepare = || {
        let prepared = [message(b'1', b""), ready.clone()].concat();
        [sent([parse("SELECT 1 FROM one"), sync.clone()].concat()), received(prepared), run(), received(&ran)]
    };
    let again = [parse("SELECT 2 FROM two"), sync.clone()].concat();
    for second in [again.clone(), [execution("SELECT 3 FROM three"), again].concat()] {
        let calls = prepare().into_iter().chain([sent(second), received(&failed), run(), received(&ran)]);
        let (told, ..) = after_welcome(calls.collect());
        assert_eq!(told[1], "SELECT one, rows 0: SELECT ? FROM one");
        assert_eq!(told.last().map(String::as_str), Some("SELECT, rows 0, unknown Bool(true)"), "{told:?}");
    }
}

#[test]
fn what_only_looks_like_it_is_left_alone() {
    for bytes in [&b"QUIT\r\n"[..], b"SELECT 1;\n", b"S\0\0\0\x05x", b"Z\0\0\0\x05?", b"\0\0\0\x08\0\0\0\0"] {
        for side in [Side::Client, Side::Unknown] {
            let bench = play(&talk(vec![sent(bytes), received(b"nothing of the sort")]), side);
            assert!(bench.out.is_empty(), "{}", bytes.escape_ascii());
        }
    }
}
