//! The SQL lexer: statements in, digests out.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use wirespan_protocol::sql::{Dialect, Digest, Family, Object};

const POSTGRESQL: Dialect = Dialect { family: Family::Postgresql, backslash: Some(false) };
const MYSQL: Dialect = Dialect { family: Family::Mysql, backslash: Some(true) };
const SQL_SERVER: Dialect = Dialect { family: Family::SqlServer, backslash: None };

fn digest(sql: &str, dialect: Dialect) -> Digest {
    Digest::of(sql.as_bytes(), dialect, false, 4096)
}

fn text(sql: &str, dialect: Dialect) -> String {
    digest(sql, dialect).text.into()
}

#[test]
fn literals_are_replaced() {
    for (sql, expected) in [
        ("SELECT 'a', 'it''s', ''", "SELECT ?, ?, ?"),
        ("SELECT 1, -2.5, .5, 1e-5, 0x1F, 1_000", "SELECT ?, -?, ?, ?, ?, ?"),
        ("SELECT 1-1,a1,t.c2", "SELECT ?-?,a1,t.c2"),
        ("SELECT E'a\\'b', e'\\\\', N'x', B'01', X'1F'", "SELECT ?, ?, ?, ?, ?"),
        ("SELECT U&'d\\0061t', U&\"d\\0061t\"", "SELECT ?, U&\"d\\0061t\""),
        ("SELECT $$it's$$, $tag$ $$ 'x' $tag$, $1, a$b$c", "SELECT ?, ?, $1, a$b$c"),
        ("SELECT 'back\\', 'slash'", "SELECT ?, ?"),
        ("SELECT 'one'\n  'two', E'a'\n'b\\'c'", "SELECT ?, ?"),
        ("SELECT TRUE, false, NULL", "SELECT ?, ?, NULL"),
        ("SELECT DATE '2020-01-01', x::int", "SELECT DATE ?, x::int"),
        ("SELECT a[1], ARRAY['x']", "SELECT a[?], ARRAY[?]"),
        ("SELECT \"Name\", \"a\"\"b\"", "SELECT \"Name\", \"a\"\"b\""),
        ("SELECT '\u{1F600}', \u{e9}t\u{e9}", "SELECT ?, \u{e9}t\u{e9}"),
    ] {
        assert_eq!(text(sql, POSTGRESQL), expected, "{sql}");
    }
}

#[test]
fn mysql_quotes_otherwise() {
    for (sql, expected) in [
        ("SELECT \"a\", 'it\\'s', \"x\\\"y\", 'a''b'", "SELECT ?, ?, ?, ?"),
        ("SELECT `a``b`.c, @x, _utf8'x', 0xFF, b'1'", "SELECT `a``b`.c, @x, _utf8?, ?, ?"),
        ("SELECT 1 # 'comment'\n, 2 -- more\n, 5--1", "SELECT ? , ? , ?--?"),
        ("SELECT /*!40001 SQL_NO_CACHE 'x' */ 1", "SELECT SQL_NO_CACHE ? ?"),
        ("SELECT /*M!100100 'x' */ 1 /* nested /* not */ 'x'", "SELECT ? ? ?"),
        ("SELECT $$a", "SELECT $$a"),
    ] {
        assert_eq!(text(sql, MYSQL), expected, "{sql}");
    }
    let plain = Dialect { backslash: Some(false), ..MYSQL };
    assert_eq!(text("SELECT 'a\\', 'b'", plain), "SELECT ?, ?");
}

#[test]
fn sql_server_quotes_names_in_brackets() {
    assert_eq!(text("SELECT [a]]b].[c d], N'x\\' FROM [t]", SQL_SERVER), "SELECT [a]]b].[c d], ? FROM [t]");
    assert_eq!(digest("SELECT * FROM [dbo].[song list]", SQL_SERVER).summary, "SELECT [dbo].[song list]");
}

/// Of two strings that are one, the second has the escapes of the first, also behind comments (`quotecontinue` in
/// `src/backend/parser/scan.l`).
#[test]
fn strings_go_on_behind_comments() {
    for (sql, expected) in [
        ("SELECT E'a' -- it's\n '\\'hush', 1", "SELECT ?, ?"),
        ("SELECT E'a'\n-- one\n-- two\n\x0b'\\'hush', 1", "SELECT ?, ?"),
        ("SELECT 'a' -- no string follows\n, 1", "SELECT ? , ?"),
        ("SELECT 'a' /* one line */ 'b'", "SELECT ? ?"),
    ] {
        assert_eq!(text(sql, POSTGRESQL), expected, "{sql}");
    }
}

/// MySQL ends a comment with a line feed and nothing else; PostgreSQL with a carriage return, too.
#[test]
fn a_carriage_return_ends_a_comment_of_postgresql_alone() {
    for comment in ["-- a", "# a"] {
        assert_eq!(text(&format!("SELECT {comment}\r it's\n 'hush', 1"), MYSQL), "SELECT ?, ?");
    }
    assert_eq!(text("SELECT -- a\r 'hush', 1", POSTGRESQL), "SELECT ?, ?");
}

/// A server executes `/*! */` where it is new enough, and passes over it where not.
#[test]
fn what_is_executed_by_some_servers_is_told_where_both_readings_agree() {
    for (sql, expected) in [
        ("SELECT /*!99999 don't */ 'hush', 1", "SELECT don?"),
        ("SELECT /*M!999999 \"*/ 'hush', \"1\" */ 2", "SELECT ?"),
        ("SELECT /*!50000 # it's */ 'hush'\n, 1", "SELECT ?"),
        ("SELECT /*!50000 1 /* it's */ + 'hush' */ , 2 /*! 'x' */ , 3", "SELECT ? + ? , ? ? , ?"),
        ("SELECT /*!99999 don't /* it's */ won't */ 'hush', 1", "SELECT don?"),
        ("SELECT /*!50000 'open", "SELECT ?"),
    ] {
        assert_eq!(text(sql, MYSQL), expected, "{sql}");
    }
}

/// Where the server has not said what a backslash means, nothing is told that is a literal in either reading.
#[test]
fn two_readings_give_no_more_than_both() {
    let unknown = Dialect { backslash: None, ..MYSQL };
    assert_eq!(text("SELECT 'a\\', hush, 'b'", unknown), "SELECT ?");
    assert_eq!(text("SELECT 'a\\\\', 'b\\n' FROM t", unknown), "SELECT ?, ? FROM t");
    // In GBK and its like the byte of a backslash may be the second one of a character, in UTF-8 never.
    for sql in [&b"SELECT '\xe5\\', 'hush'"[..], b"SELECT '\xe5\\\\', hush, 'x'"] {
        assert_eq!(Digest::of(sql, unknown, false, 4096).text, "SELECT ?");
    }
}

#[test]
fn comments_and_space_go() {
    for (sql, expected) in [
        ("SELECT/**/1", "SELECT ?"),
        ("/* a /* nested 'x' */ b */ SELECT  \n\t 1 -- end", "SELECT ?"),
        ("SELECT 1 -- 'x\n+ 2", "SELECT ? + ?"),
        ("  SELECT 1  ", "SELECT ?"),
        ("-- only", ""),
    ] {
        assert_eq!(text(sql, POSTGRESQL), expected, "{sql}");
    }
}

#[test]
fn lists_are_short() {
    for (sql, expected) in [
        ("x IN (1, 2, 3)", "x IN (?)"),
        ("x in ('a','b') AND y = 3", "x in (?) AND y = ?"),
        ("x IN ($1, $2)", "x IN ($1, $2)"),
        ("x IN (1, y, 2)", "x IN (?, y, ?)"),
        ("x IN (SELECT 1, 2)", "x IN (SELECT ?)"),
        ("f(1, 2)", "f(?, ?)"),
    ] {
        assert_eq!(text(sql, POSTGRESQL), expected, "{sql}");
    }
}

#[test]
fn summaries_name_operations_and_targets() {
    for (sql, summary) in [
        ("SELECT * FROM wuser_table WHERE username = 'x'", "SELECT wuser_table"),
        (
            "INSERT INTO shipping_details (order_id, address) SELECT order_id, address FROM orders",
            "INSERT shipping_details SELECT orders",
        ),
        ("SELECT * FROM songs, artists WHERE songs.a = artists.a", "SELECT songs artists"),
        (
            "SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.c = c.c) AS x",
            "SELECT SELECT orders customers",
        ),
        ("SELECT * FROM \"song list\", 'artists'", "SELECT \"song list\""),
        ("call some_stored_procedure(1)", "call some_stored_procedure"),
        ("UPDATE public.users SET a = (SELECT max(b) FROM c), d = 1", "UPDATE public.users SELECT c"),
        ("DELETE FROM ONLY t WHERE a = 1", "DELETE t"),
        ("INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET x = 1", "INSERT a"),
        (
            "WITH x AS (SELECT * FROM a), y AS (DELETE FROM b RETURNING *) SELECT * FROM x, y, c",
            "SELECT a DELETE b SELECT c",
        ),
        ("WITH RECURSIVE x(n) AS (SELECT 1) INSERT INTO t SELECT n FROM x", "SELECT INSERT t SELECT"),
        ("SELECT EXTRACT(YEAR FROM ts), a IS DISTINCT FROM b FROM t", "SELECT t"),
        ("SELECT * FROM generate_series(1, 2) g, t", "SELECT t"),
        ("SELECT 1 FROM t FOR UPDATE", "SELECT t"),
        ("(SELECT 1 FROM a) UNION ALL (SELECT 2 FROM b)", "SELECT a SELECT b"),
        ("CREATE TABLE IF NOT EXISTS a.b (id int)", "CREATE TABLE a.b"),
        ("CREATE OR REPLACE VIEW v AS SELECT * FROM t", "CREATE VIEW v SELECT t"),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX i"),
        ("DROP TABLE IF EXISTS t", "DROP TABLE t"),
        ("ALTER SYSTEM SET a = 'b'", "ALTER"),
        ("CREATE USER alice IDENTIFIED BY 'hush'", "CREATE USER"),
        ("TRUNCATE TABLE t", "TRUNCATE t"),
        ("COPY t (a, b) FROM STDIN", "COPY t"),
        ("COPY (SELECT * FROM t) TO STDOUT", "COPY SELECT t"),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN UPDATE SET a = 1", "MERGE t"),
        ("EXPLAIN ANALYZE SELECT * FROM t", "EXPLAIN SELECT t"),
        ("begin; update t set a = 1; commit", "begin update t commit"),
        ("SET search_path TO x", "SET"),
        ("REVOKE SELECT ON t FROM alice; SELECT * FROM t", "REVOKE SELECT t"),
        ("frobnicate the table", ""),
        ("SELECT * FROM format WHERE a = 1", "SELECT format"),
    ] {
        assert_eq!(digest(sql, POSTGRESQL).summary, summary, "{sql}");
    }
    for (sql, summary) in [
        ("INSERT IGNORE INTO `a`.`b` VALUES (1)", "INSERT `a`.`b`"),
        ("REPLACE INTO t VALUES (1)", "REPLACE t"),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "LOAD t"),
        ("SELECT a INTO @x FROM t", "SELECT t"),
        ("UPDATE LOW_PRIORITY t SET a = 1", "UPDATE t"),
        ("USE shop", "USE shop"),
        ("LOCK TABLES t WRITE", "LOCK t"),
        ("show tables", "show"),
    ] {
        assert_eq!(digest(sql, MYSQL).summary, summary, "{sql}");
    }
}

#[test]
fn operation_and_table_are_told_where_there_is_one() {
    let one = digest("SELECT * FROM t a JOIN t b USING (id)", POSTGRESQL);
    assert_eq!(
        (one.operation.as_deref(), one.target),
        (Some("SELECT"), Some(Object::Collection("t".into())))
    );
    let two = digest("INSERT INTO a SELECT * FROM b", POSTGRESQL);
    assert_eq!((two.operation, two.target), (None, None));
}

/// What is no table is not told as one (`db.collection.name`).
#[test]
fn procedures_and_databases_are_no_tables() {
    let collection = |name: &str| Some(Object::Collection(name.into()));
    let other = |name: &str| Some(Object::Other(name.into()));
    for (sql, expected) in [
        ("TRUNCATE TABLE t", collection("t")),
        ("CREATE OR REPLACE VIEW v AS VALUES (1)", collection("v")),
        ("CALL p(1)", Some(Object::Procedure("p".into()))),
        ("USE shop", other("shop")),
        ("CREATE DATABASE shop", other("shop")),
        ("CREATE INDEX i ON t (a)", other("i")),
        ("REINDEX INDEX i", other("i")),
        ("DROP FUNCTION f(int)", other("f")),
        ("GRANT SELECT ON t TO alice", None),
        ("REVOKE SELECT, INSERT ON t FROM alice", None),
    ] {
        assert_eq!(digest(sql, POSTGRESQL).target, expected, "{sql}");
    }
}

#[test]
fn summaries_are_bounded_at_a_word() {
    let tables: Vec<String> = (0..100).map(|number| format!("table_{number}")).collect();
    let summary = digest(&format!("SELECT * FROM {}", tables.join(", ")), POSTGRESQL).summary;
    assert!(summary.len() <= 255 && summary.ends_with("table_27"), "{summary}");
}

#[test]
fn the_comment_behind_carries_the_context() {
    for (sql, expected) in [
        (
            "SELECT 1 /*db_driver='x',traceparent='00-a-b-01',tracestate='a%3Db%2Cc'*/",
            &["00-a-b-01", "a=b,c"][..],
        ),
        ("SELECT 1 /*traceparent='00-a-b-01'*/ ; ", &["00-a-b-01"]),
        ("SELECT 1 /*traceparent='00-\\'-01'*/", &["00-'-01"]),
        ("/*traceparent='00-a-b-01'*/ SELECT 1", &[]),
        ("SELECT 1 /*traceparent='00-a-b-01'", &[]),
        ("SELECT 1 /*traceparent=00-a-b-01*/", &[]),
    ] {
        let carrier = digest(sql, POSTGRESQL).carrier;
        let values: Vec<_> = carrier.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, expected, "{sql}");
    }
}

/// Statements whose every literal holds the word `hush`, in all forms of both dialects.
fn statement() -> impl Strategy<Value = (String, Dialect)> {
    let shared = prop_oneof![
        Just("'hush'".to_owned()),
        Just("'hush''hush'".to_owned()),
        Just("N'hush'".to_owned()),
        Just("/* ' */ 'hush'".to_owned()),
        Just("-- '\n'hush'".to_owned()),
    ];
    let postgresql = prop_oneof![
        Just("E'\\'hush'".to_owned()),
        Just("'hush\\'".to_owned()),
        Just("$$'hush$$".to_owned()),
        Just("$a$hush $$ hush$a$".to_owned()),
        Just("U&'hush\\'".to_owned()),
        Just("E'\\''\n'\\'hush'".to_owned()),
        Just("\"it's\" || 'hush'".to_owned()),
        Just("/* /* ' */ ' */ 'hush'".to_owned()),
        Just("E'a' -- '\n'\\'hush'".to_owned()),
    ];
    let mysql = prop_oneof![
        Just("\"hush\"".to_owned()),
        Just("'\\'hush'".to_owned()),
        Just("\"'hush\\\"hush\"".to_owned()),
        Just("# '\n'hush'".to_owned()),
        Just("`it's` + 'hush'".to_owned()),
        Just("/*! 'hush' */".to_owned()),
        Just("/*!99999 it's */ 'hush'".to_owned()),
        Just("-- \r'\n'hush'".to_owned()),
        Just("'\\\\' 'hush'".to_owned()),
    ];
    // Never white space alone: PostgreSQL takes strings on two lines for one.
    let glue =
        prop_oneof![Just(", "), Just(" = a AND b = "), Just("||"), Just(",\n"), Just(" FROM t WHERE x IN (")];
    let of = |literal: BoxedStrategy<String>, dialect| {
        prop::collection::vec((glue.clone(), literal), 1..8).prop_map(move |parts| {
            let rest: String = parts.into_iter().map(|(glue, literal)| format!("{glue}{literal}")).collect();
            (format!("SELECT a{rest}"), dialect)
        })
    };
    prop_oneof![
        of(prop_oneof![shared.clone(), postgresql].boxed(), POSTGRESQL),
        of(prop_oneof![shared, mysql].boxed(), MYSQL),
    ]
}

fn shown(digest: &Digest) -> String {
    format!("{} {} {:?} {:?}", digest.text, digest.summary, digest.operation, digest.target)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn no_literal_gets_out_wherever_the_text_is_cut((sql, dialect) in statement()) {
        for length in 0..=sql.len() {
            let digest = Digest::of(&sql.as_bytes()[..length], dialect, length < sql.len(), 4096);
            prop_assert!(!shown(&digest).contains("hush"), "{sql} cut at {length}: {}", digest.text);
        }
    }

    #[test]
    fn the_unknown_meaning_of_a_backslash_lets_nothing_out((sql, dialect) in statement()) {
        let unknown = Dialect { backslash: None, ..dialect };
        let digest = Digest::of(sql.as_bytes(), unknown, false, 4096);
        prop_assert!(!shown(&digest).contains("hush"), "{sql}: {}", digest.text);
    }

    #[test]
    fn anything_at_all_is_bounded(sql in prop::collection::vec(any::<u8>(), 0..400), cut: bool, limit in 0_usize..200) {
        for dialect in [POSTGRESQL, MYSQL, SQL_SERVER, Dialect { backslash: None, ..MYSQL }] {
            let digest = Digest::of(&sql, dialect, cut, limit);
            prop_assert!(digest.text.len() <= limit && digest.summary.len() <= 255);
        }
    }
}

/// A megabyte of what is never closed takes milliseconds; were the work quadratic, it would take minutes.
#[test]
fn the_work_is_linear() {
    for piece in [
        "'",
        "\"",
        "$a$",
        "/*",
        "E'\\",
        "(",
        "a.",
        "`",
        "--",
        "1e",
        "IN (1,",
        "$",
        "WITH a AS (",
        "*/",
        "\\",
        "/*!",
        "'--\n",
        "/*!/**/",
    ] {
        for dialect in [POSTGRESQL, MYSQL, SQL_SERVER] {
            let sql = piece.repeat((1 << 20) / piece.len());
            let begin = Instant::now();
            let digest = Digest::of(sql.as_bytes(), dialect, false, 4096);
            assert!(begin.elapsed() < Duration::from_secs(20), "{piece:?} in {dialect:?}");
            assert!(digest.text.len() <= 4096);
        }
    }
}
