//! MySQL as programs really speak it: a Python program (PyMySQL) and a C one (MariaDB's client), and a real server.

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    databases::{Database, Gated, both_ends_show, mariadb, spans_of},
    program,
    servers::node,
    span::Kind,
};

/// Waits for the spans of both ends of the last operation.
fn until_fence(agent: &Agent) -> Result<()> {
    agent.until(2, "spans of the fence", |span| span.text("db.query.text") == Some("SELECT ?"))
}

/// What `programs/mysql.py` does once it is let through.
const OPERATIONS: &[&str] = &[
    "SELECT users, rows 1, in shop: SELECT count(*) FROM users WHERE name <> ?",
    "SELECT nowhere, error 1146, in shop: SELECT missing FROM nowhere",
    "INSERT users, error 1062, in shop: INSERT INTO users VALUES (?, ?)",
    "LOAD users, changed 10, in shop: LOAD DATA LOCAL INFILE ? INTO TABLE users",
    "SELECT users users, in shop: SELECT a.id, b.name FROM users a, users b",
    "UPDATE users SELECT DELETE users, rows 1, changed 11, in shop: \
     UPDATE users SET name = ? WHERE id = ?; SELECT ?; DELETE FROM users WHERE id >= ?",
    "PING, in shop",
    "USE, in shop",
    "SELECT, rows 1, in mysql: SELECT ?",
];

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn pymysql_is_understood() -> Result<()> {
    let server = Database::mariadb()?;
    let agent = Agent::start()?;

    Gated::start("mysql.py", &server)?.pass()?;
    until_fence(&agent)?;

    let greeting = "SET, changed 0, in shop: SET NAMES utf8mb4";
    both_ends_show(&agent.stop()?, "mariadb", server.address.port(), &[&[greeting][..], OPERATIONS].concat())
}

/// The connection is older than the daemon: nobody said which server it is, nor which database.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn an_older_connection_is_understood() -> Result<()> {
    let server = Database::mariadb()?;
    let client = Gated::start("mysql.py", &server)?;
    let agent = Agent::start()?;

    client.pass()?;
    until_fence(&agent)?;

    let expected: Vec<_> = OPERATIONS.iter().map(|operation| operation.replace(", in shop", "")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    both_ends_show(&agent.stop()?, "mysql", server.address.port(), &expected)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_mariadb_client_is_understood() -> Result<()> {
    let server = Database::mariadb()?;
    let agent = Agent::start()?;

    let script = "SELECT count(*) FROM users WHERE name <> 'hush'; CREATE TABLE orders (id INT);
        INSERT INTO orders VALUES (1), (2); SELECT 'fence'";
    let mut client = mariadb(server.address, "alice", "hush");
    program::run(client.args(["--skip-ssl", "shop", "-e", script]))?;
    until_fence(&agent)?;

    both_ends_show(
        &agent.stop()?,
        "mariadb",
        server.address.port(),
        &[
            "SELECT users, rows 1, in shop: SELECT count(*) FROM users WHERE name <> ?",
            "CREATE TABLE orders, changed 0, in shop: CREATE TABLE orders (id INT)",
            "INSERT orders, changed 2, in shop: INSERT INTO orders VALUES (?), (?)",
            "SELECT, rows 1, in shop: SELECT ?",
        ],
    )
}

/// Both sides compress: of long packets the lengths alone are told, short ones are read.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_compressed_connection_is_declared() -> Result<()> {
    let server = Database::mariadb()?;
    let agent = Agent::start()?;

    let script = "SELECT * FROM users; SELECT 'fence'";
    let mut client = mariadb(server.address, "alice", "hush");
    program::run(client.args(["--skip-ssl", "--compress", "shop", "-e", script]))?;
    until_fence(&agent)?;

    let spans = agent.stop()?;
    let expected = ["SELECT users, in shop: SELECT * FROM users", "SELECT, in shop: SELECT ?"];
    both_ends_show(&spans, "mariadb", server.address.port(), &expected)?;
    for kind in [Kind::Client, Kind::Server] {
        let spans = spans_of(&spans, kind, server.address.port());
        ensure!(spans.iter().all(|span| span.truth("wirespan.compressed")), "{spans:#?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn mysql2_is_understood() -> Result<()> {
    let server = Database::mariadb()?;
    let agent = Agent::start()?;

    program::run(&mut node("mysql.cjs", &[&server.address.port().to_string()]))?;
    until_fence(&agent)?;

    both_ends_show(
        &agent.stop()?,
        "mariadb",
        server.address.port(),
        &[
            "SELECT users, rows 1, in shop: SELECT count(*) FROM users WHERE name <> ?",
            "PREPARE SELECT users, in shop: SELECT name FROM users WHERE id = ?",
            "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = ?",
            "SELECT users, rows 1, in shop: SELECT name FROM users WHERE id = ?",
            "PREPARE INSERT users, in shop: INSERT INTO users VALUES (?, ?)",
            "INSERT users, error 1062, in shop: INSERT INTO users VALUES (?, ?)",
            "SELECT nowhere, error 1146, in shop: SELECT missing FROM nowhere",
            "SELECT, rows 1, in shop: SELECT ?",
        ],
    )
}
