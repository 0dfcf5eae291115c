//! MongoDB's protocol as programs really speak it: a server in Java (mongo-java-server), and clients in Python (pymongo) and
//! JavaScript (MongoDB's own driver); `tests/recordings` has those clients with FerretDB, a server in Go. Writes without an
//! answer are not asked for here: FerretDB answers them all the same, which clients take for an error.

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    databases::{Database, Gated, both_ends_show},
    program,
    servers::node,
    span::Span,
};

/// What `programs/mongodb.py` does once it is let through.
const OPERATIONS: &[&str] = &[
    "insert users, in shop",
    "insert users, in shop",
    "insert users, error 11000, in shop",
    "find users, rows 1, in shop",
    // Longer than what is looked at: nobody counts their rows.
    "find users, in shop",
    "getMore users, in shop",
    "update users, in shop",
    "aggregate users, rows 1, in shop",
    "nonsense shop, error 59, in shop",
    "drop users, in shop",
    "ping shop, in shop",
];

/// Handshakes, monitoring and farewells, which come when they like.
fn is_housekeeping(span: &Span) -> bool {
    ["hello", "isMaster", "ismaster", "endSessions"].iter().any(|name| span.name.starts_with(name))
}

fn operations(spans: Vec<Span>) -> Vec<Span> {
    spans.into_iter().filter(|span| !is_housekeeping(span)).collect()
}

/// The last operation is a ping, of which so many are seen.
fn until_over(agent: &Agent, pings: usize) -> Result<()> {
    agent.until(2 * pings, "both ends of the last operation", |span| span.name == "ping shop")
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn pymongo_is_understood() -> Result<()> {
    let (server, agent) = (Database::mongodb()?, Agent::start()?);

    Gated::start("mongodb.py", &server)?.pass()?;
    until_over(&agent, 2)?;

    let spans = agent.stop()?;
    ensure!(spans.iter().any(|span| span.name == "ismaster admin"), "no handshake: {spans:#?}");
    let expected = [&["ping shop, in shop"][..], OPERATIONS].concat();
    both_ends_show(&operations(spans), "mongodb", server.address.port(), &expected)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn an_older_connection_is_understood() -> Result<()> {
    let server = Database::mongodb()?;
    let client = Gated::start("mongodb.py", &server)?;
    let agent = Agent::start()?;

    client.pass()?;
    until_over(&agent, 1)?;

    both_ends_show(&operations(agent.stop()?), "mongodb", server.address.port(), OPERATIONS)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_driver_of_node_is_understood() -> Result<()> {
    let (server, agent) = (Database::mongodb()?, Agent::start()?);

    program::run(&mut node("mongodb.cjs", &[&server.address.port().to_string()]))?;
    until_over(&agent, 1)?;

    both_ends_show(
        &operations(agent.stop()?),
        "mongodb",
        server.address.port(),
        &[
            "insert users, in shop",
            "insert users, in shop",
            "insert users, error 11000, in shop",
            "find users, rows 3, in shop",
            "getMore users, rows 1, in shop",
            "update users, in shop",
            "aggregate users, rows 1, in shop",
            "nonsense shop, error 59, in shop",
            "drop users, in shop",
            "ping shop, in shop",
        ],
    )
}
