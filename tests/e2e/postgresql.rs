//! PostgreSQL as programs really speak it: a Python program (psycopg) and a C one (psql, with libpq), and a real server.

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    databases::{Database, Gated, both_ends_show, psql, spans_of},
    program,
    servers::node,
    span::Kind,
};

/// Waits for the spans of both ends of the last operation.
fn until_fence(agent: &Agent) -> Result<()> {
    agent.until(2, "spans of the fence", |span| span.text("db.query.text") == Some("SELECT ?"))
}

/// What `programs/postgresql.py` does once it is let through.
const OPERATIONS: &[&str] = &[
    "SELECT users, rows 1, in shop: SELECT count(*) FROM users WHERE name <> ?",
    "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
    "SELECT nowhere, error 42P01, in shop: SELECT missing FROM nowhere",
    "INSERT users, error 23505, in shop: INSERT INTO users VALUES (?, ?)",
    "COPY users, changed 10, in shop: COPY users FROM STDIN",
    "COPY users, rows 110, in shop: COPY users TO STDOUT",
    "SELECT users users, rows 12100, in shop: SELECT a.id, b.name FROM users a, users b",
    "UPDATE users, changed 1, in shop: UPDATE users SET name = $1 WHERE id = $2",
    "DELETE users, changed 10, in shop: DELETE FROM users WHERE id >= $1",
    "SELECT, rows 1, in shop: SELECT ?",
];

/// What it does before: five executions, after which psycopg prepares the statement.
const EARLIER: &[&str] = &[
    "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
    "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
    "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
    "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
    "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
    "PREPARE SELECT users, in shop: SELECT name FROM users WHERE id = $1",
    "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
];

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn psycopg_is_understood() -> Result<()> {
    let server = Database::postgresql()?;
    let agent = Agent::start()?;

    Gated::start("postgresql.py", &server)?.pass()?;
    until_fence(&agent)?;

    both_ends_show(&agent.stop()?, "postgresql", server.address.port(), &[EARLIER, OPERATIONS].concat())
}

/// The connection and a statement prepared on it are older than the daemon.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn an_older_connection_is_understood() -> Result<()> {
    let server = Database::postgresql()?;
    let client = Gated::start("postgresql.py", &server)?;
    let agent = Agent::start()?;

    client.pass()?;
    until_fence(&agent)?;

    let spans = agent.stop()?;
    let without_database: Vec<_> =
        OPERATIONS.iter().map(|operation| operation.replace(", in shop", "")).collect();
    let mut expected: Vec<_> = without_database.iter().map(String::as_str).collect();
    expected[1] = "SELECT, rows 1";
    both_ends_show(&spans, "postgresql", server.address.port(), &expected)?;
    for kind in [Kind::Client, Kind::Server] {
        let spans = spans_of(&spans, kind, server.address.port());
        let unknown = spans.iter().filter(|span| span.truth("wirespan.statement_unknown"));
        ensure!(unknown.count() == 1, "{spans:#?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn psql_is_understood() -> Result<()> {
    let server = Database::postgresql()?;
    let agent = Agent::start()?;

    let statements = [
        "SELECT count(*) FROM users WHERE name <> 'hush'",
        "BEGIN; INSERT INTO users VALUES (2000, 'hush'); COMMIT",
        "CREATE TABLE orders (id INT)",
        "COPY users TO STDOUT",
        "SELECT 'fence'",
    ];
    program::run(psql(server.address, "shop").args(statements.iter().flat_map(|text| ["-c", text])))?;
    until_fence(&agent)?;

    both_ends_show(
        &agent.stop()?,
        "postgresql",
        server.address.port(),
        &[
            "SELECT users, rows 1, in shop: SELECT count(*) FROM users WHERE name <> ?",
            "BEGIN INSERT users COMMIT, changed 1, in shop: BEGIN; INSERT INTO users VALUES (?, ?); COMMIT",
            "CREATE TABLE orders, in shop: CREATE TABLE orders (id INT)",
            "COPY users, rows 101, in shop: COPY users TO STDOUT",
            "SELECT, rows 1, in shop: SELECT ?",
        ],
    )
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn node_postgres_is_understood() -> Result<()> {
    let server = Database::postgresql()?;
    let agent = Agent::start()?;

    program::run(&mut node("postgresql.cjs", &[&server.address.port().to_string()]))?;
    until_fence(&agent)?;

    both_ends_show(
        &agent.stop()?,
        "postgresql",
        server.address.port(),
        &[
            "SELECT users, rows 1, in shop: SELECT count(*) FROM users WHERE name <> ?",
            "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = $1",
            "UPDATE users, changed 1, in shop: UPDATE users SET name = $1 WHERE id = $2",
            "UPDATE users, changed 1, in shop: UPDATE users SET name = $1 WHERE id = $2",
            "SELECT nowhere, error 42P01, in shop: SELECT missing FROM nowhere",
            "SELECT, rows 1, in shop: SELECT ?",
        ],
    )
}
