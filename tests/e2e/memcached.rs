//! Memcached: a real server, a Python program that speaks text and meta commands, libmemcached's tools for text and binary ones, and memjs.

use std::process::Command;

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program,
    servers::{Service, node, script},
    span::{Kind, Span, told},
};

fn is_memcached(span: &Span) -> bool {
    span.text("db.system.name") == Some("memcached")
}

/// What is told of a command: the span's name, its text and its error.
fn line(span: &Span) -> String {
    let text = |name| span.text(name).unwrap_or("-");
    format!("{} | {} | {}", span.name, text("db.query.text"), text("error.type"))
}

/// Stores a value and reads it back, with libmemcached's tools.
fn greet(servers: &str, options: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("greeting");
    std::fs::write(&file, "hush-hush")?;
    program::run(Command::new("memccp").arg(servers).args(options).arg(&file))?;
    let content = program::run(Command::new("memccat").arg(servers).args(options).arg("greeting"))?;
    ensure!(content.trim_end() == "hush-hush", "{content}");
    Ok(())
}

fn both(spans: &[Span], expected: &[&str]) -> Result<()> {
    for kind in [Kind::Client, Kind::Server] {
        let found = told(spans, kind, is_memcached, line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    ensure!(!format!("{spans:?}").contains("hush-hush"), "a value got out");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn text_and_meta_commands_are_spans_of_both_sides() -> Result<()> {
    let (agent, memcached) = (Agent::start()?, Service::memcached()?);
    let calls = [
        "set user:1 0 0 9\\r\\nhush-hush\\r\\n\tSTORED\\r\\n",
        "get user:1 other\\r\\n\tEND\\r\\n",
        "incr user:1 1\\r\\n\tvalue\\r\\n",
        "ms count 1\\r\\n7\\r\\n\tHD\\r\\n",
        "mg a v q\\r\\nmg count v q\\r\\nmn\\r\\n\tMN\\r\\n",
        "delete count\\r\\n\tDELETED\\r\\n",
    ];

    let port = memcached.port();
    script("calls.py", &[&[port.as_str()], &calls[..]].concat())?;
    agent.until(2, "the last command", |span| span.name == "delete")?;

    both(
        &agent.stop()?,
        &[
            "set | set user:1 ? | -",
            "get | get user:1 other | -",
            "incr | incr user:1 ? | CLIENT_ERROR",
            "ms | ms count ? | -",
            "BATCH mg | mg a; mg count | -",
            "delete | delete count | -",
        ],
    )
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn text_commands_of_libmemcached_are_spans_of_both_sides() -> Result<()> {
    let (agent, memcached) = (Agent::start()?, Service::memcached()?);
    let servers = format!("--servers=127.0.0.1:{}", memcached.port());

    greet(&servers, &[])?;
    program::run(Command::new("memcrm").args([&servers, "greeting"]))?;
    agent.until(2, "the key that was removed", |span| span.name == "delete")?;

    let spans = agent.stop()?;
    let expected = ["set | set greeting ? | -", "get | get greeting | -", "delete | delete greeting | -"];
    for kind in [Kind::Client, Kind::Server] {
        let wanted = |span: &Span| is_memcached(span) && span.name != "quit";
        let found = told(&spans, kind, wanted, line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    ensure!(!format!("{spans:?}").contains("hush-hush"), "a value got out");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn binary_commands_of_libmemcached_are_spans_of_both_sides() -> Result<()> {
    let (agent, memcached) = (Agent::start()?, Service::memcached()?);

    greet(&format!("--servers=127.0.0.1:{}", memcached.port()), &["--binary"])?;
    agent.until(2, "the key that was read", |span| span.name == "getk")?;
    agent.until(4, "both farewells", |span| span.name == "quit")?;

    both(
        &agent.stop()?,
        &["set | set greeting ? | -", "quit | quit | -", "getk | getk greeting | -", "quit | quit | -"],
    )
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn memjs_is_understood() -> Result<()> {
    let (agent, memcached) = (Agent::start()?, Service::memcached()?);

    program::run(&mut node("memcached.cjs", &[&memcached.port()]))?;
    agent.until(2, "the last command", |span| span.name == "delete")?;

    let spans = agent.stop()?;
    let expected = [
        "set | set user:1 ? | -",
        "get | get user:1 | -",
        "get | get nobody | -",
        "delete | delete user:1 | -",
    ];
    for kind in [Kind::Client, Kind::Server] {
        let wanted = |span: &Span| is_memcached(span) && span.name != "quit";
        let found = told(&spans, kind, wanted, line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    ensure!(!format!("{spans:?}").contains("hush"), "a value got out");
    Ok(())
}
