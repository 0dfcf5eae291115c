//! SQL over a store of some spans, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use wirespan_query::sql::{self, Rows, Sql, SqlError};
use wirespan_store::{
    Attribute, Kind, Memory, Resource, Span, SpanId, Status, StatusCode, Store, TraceId, Value,
};

const BEGIN: u64 = 1_767_225_600_000_000_000;

/// A hundred spans of two services, one a second; every tenth failed.
fn store() -> Memory {
    let attribute = |key: &str, value: Value| Attribute { key: key.into(), value };
    let span = |n: u64| {
        let service = if n.is_multiple_of(2) { "web" } else { "cart" };
        let failed = n.is_multiple_of(10);
        Span {
            trace: TraceId([1 + n as u8 / 2; 16]),
            id: SpanId([1 + n as u8; 8]),
            name: "GET /".into(),
            kind: Kind::Server,
            start: BEGIN + n * 1_000_000_000,
            duration: n * 1_000_000,
            status: Status {
                code: if failed { StatusCode::Error } else { StatusCode::Unset },
                message: "".into(),
            },
            attributes: vec![
                attribute("http.response.status_code", Value::from(if failed { 500 } else { 200 })),
                attribute("http.route", Value::from("/cart/{id}")),
            ],
            resource: Arc::new(Resource::new(vec![attribute("service.name", Value::from(service))])),
            ..Span::default()
        }
    };
    let store = Memory::new(1000);
    store.append((0..100).map(span).collect()).unwrap();
    store
}

fn ask(text: &str, patience: Duration) -> Result<Rows, SqlError> {
    let until = Instant::now().checked_add(patience);
    sql::run(&store(), &Sql { text: text.to_owned(), start: 0, end: u64::MAX, until })
}

fn rows(text: &str) -> Json {
    json!(ask(text, Duration::from_secs(60)).unwrap().rows)
}

#[test]
fn statements_are_answered() {
    let cases = [
        ("SELECT count(*) FROM spans", json!([[100]])),
        ("SELECT service, count(*) FROM spans GROUP BY 1 ORDER BY 1", json!([["cart", 50], ["web", 50]])),
        (
            r#"SELECT DISTINCT "http.route" FROM spans WHERE "http.response.status_code" >= 500"#,
            json!([["/cart/{id}"]]),
        ),
        (
            "SELECT max(duration) / 1e6, kind, status FROM spans WHERE status = 'error'",
            json!([[90.0, "server", "error"]]),
        ),
        (
            "SELECT start, span_id FROM spans ORDER BY start LIMIT 1",
            json!([[BEGIN.to_string(), "0101010101010101"]]),
        ),
        ("SELECT parent_id, \"no.such\" FROM spans LIMIT 1", json!([[null, null]])),
        (
            "WITH a AS (SELECT trace_id, count(*) AS n FROM spans GROUP BY 1) SELECT max(n) FROM a",
            json!([[2]]),
        ),
        ("SELECT avg(duration) OVER () FROM spans LIMIT 1", json!([[49_500_000.0]])),
        ("SELECT 1", json!([[1]])),
    ];
    for (text, expected) in cases {
        assert_eq!(rows(text), expected, "{text}");
    }
    let named = ask("SELECT 1 AS one, service FROM spans LIMIT 0", Duration::from_secs(60)).unwrap();
    assert_eq!((named.columns, named.spans), (vec!["one".to_owned(), "service".to_owned()], 100));
}

#[test]
fn only_the_time_asked_for_counts() {
    let (start, end) = (BEGIN + 10_000_000_000, BEGIN + 20_000_000_000);
    let ask = Sql { text: "SELECT count(*) FROM spans".into(), start, end, until: None };
    assert_eq!(json!(sql::run(&store(), &ask).unwrap().rows), json!([[10]]));
}

#[test]
fn nothing_but_reading_is_done() {
    let refused = [
        "DELETE FROM spans",
        "DROP TABLE spans",
        "CREATE TABLE x (y)",
        "ATTACH '/tmp/x' AS x",
        "PRAGMA table_info(spans)",
        "SELECT * FROM pragma_table_info('spans')",
        "SELECT sql FROM sqlite_master",
        "SELECT load_extension('x')",
        "VACUUM INTO '/tmp/x'",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE spans",
        "",
        "-- nothing",
        "SELEC 1",
        "SELECT nothing FROM spans",
    ];
    for text in refused {
        let answer = ask(text, Duration::from_secs(60));
        assert!(matches!(answer, Err(SqlError::Bad { .. })), "{text}: {answer:?}");
    }
}

#[test]
fn a_mistake_is_pointed_at() {
    let Err(SqlError::Bad { said, at }) = ask("SELECT nothing FROM spans", Duration::from_secs(60)) else {
        panic!("there is no such column");
    };
    assert!(said.contains("nothing"), "{said}");
    assert_eq!(at, Some(7));
    let cut = ask("SELECT \"a\0b\" FROM spans", Duration::from_secs(60));
    assert!(matches!(cut, Err(SqlError::Bad { at: Some(9), .. })), "{cut:?}");
}

#[test]
fn what_has_no_end_is_ended() {
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    assert!(matches!(ask(endless, Duration::from_millis(50)), Err(SqlError::Slow)));
    let product = "SELECT count(*) FROM spans a, spans b, spans c, spans d, spans e, spans f";
    assert!(matches!(ask(product, Duration::from_millis(50)), Err(SqlError::Slow)));
}

#[test]
fn answers_are_bounded() {
    let many = ask("SELECT 1 FROM spans a, spans b, spans c", Duration::from_secs(60)).unwrap();
    assert_eq!((many.rows.len(), many.more), (10_000, true));
    let long = ask("SELECT zeroblob(100000000)", Duration::from_secs(60));
    assert!(matches!(long, Err(SqlError::Bad { .. })), "{long:?}");
}
