//! Comes in: random bytes, read as pieces of SQL. Goes out: nothing; a statement that fails for what is stored, an error
//! that points outside of it, or one that goes on long after its time panics.

use std::time::{Duration, Instant};

use wirespan_query::sql::{Sql, SqlError, run};

use super::{memory, query};

const PIECES: &[&str] = &[
    "SELECT",
    "FROM spans",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "HAVING",
    "WITH RECURSIVE t(x) AS",
    "UNION ALL",
    "t",
    "x",
    "VALUES",
    "JOIN spans b",
    "ON",
    "AS",
    "count(*)",
    "sum(duration)",
    "max(start)",
    "group_concat(name)",
    "zeroblob(1000000)",
    "replace(name, 'a', name)",
    "randomblob(9)",
    "hex(span_id)",
    "printf('%1000000d', 1)",
    "load_extension('x')",
    "duration",
    "service",
    "name",
    "\"http.response.status_code\"",
    "\"a\"",
    "1",
    "0",
    "-",
    "+",
    "*",
    "/",
    "%",
    "||",
    "(",
    ")",
    ",",
    "=",
    "<",
    "LIKE",
    "GLOB",
    "'%a%'",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "OVER (PARTITION BY service)",
    "INSERT INTO",
    "DELETE",
    "PRAGMA",
    "ATTACH 'x'",
    "sqlite_schema",
    ";",
    "--",
    "/*",
    "*/",
    "NULL",
    "IN",
    "NOT",
    "json_each('[1]')",
    "rowid",
];
/// The clock is looked at every so often, and the machine may be busy.
const GRACE: Duration = Duration::from_secs(10);

/// One input.
pub fn sql_query(bytes: &[u8]) {
    let text = query(PIECES, " ", bytes);
    let began = Instant::now();
    let until = Some(began + Duration::from_millis(100));
    let answer = run(memory(), &Sql { text: text.clone(), start: 0, end: u64::MAX, until });
    assert!(began.elapsed() < GRACE, "{text}");
    match answer {
        Ok(rows) => assert!(rows.rows.iter().all(|row| row.len() == rows.columns.len()), "{text}"),
        Err(SqlError::Bad { at, .. }) => assert!(at.is_none_or(|at| at <= text.len()), "{text}"),
        Err(SqlError::Store(error)) => panic!("{text}: {error}"),
        Err(SqlError::Large | SqlError::Slow) => {}
    }
}
