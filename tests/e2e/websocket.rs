//! WebSocket as programs really speak it: hypercorn, visited by Python's websockets and by Node.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program,
    servers::{Hypercorn, packaged_python, program_file},
    span::{Kind, Span, only},
};

/// The session's span at one end. Its handshake is a span of its own.
fn session<'a>(spans: &'a [Span], kind: Kind, path: &str) -> Result<&'a Span> {
    let name = format!("WEBSOCKET {path}");
    let mut found = spans.iter().filter(|span| span.kind == kind && span.name == name);
    let first = found.next().with_context(|| format!("no {kind:?} span `{name}`"))?;
    ensure!(found.next().is_none(), "a second session: {first:#?}");
    Ok(first)
}

/// Both ends agree on what was said: three messages each way, and an orderly end.
fn check(spans: &[Span], path: &str) -> Result<()> {
    let (client, server) = (session(spans, Kind::Client, path)?, session(spans, Kind::Server, path)?);
    for span in [client, server] {
        ensure!(span.integer("wirespan.websocket.sent.messages") == Some(3), "{span:#?}");
        ensure!(span.integer("wirespan.websocket.received.messages") == Some(3), "{span:#?}");
        ensure!(span.integer("wirespan.websocket.close_code") == Some(1000) && !span.failed(), "{span:#?}");
    }
    ensure!(server.parent.as_ref() == Some(&client.id), "{client:#?} {server:#?}");
    // The handshake, which was answered before: `url.path` is the server's, `url.full` the client's.
    let handshake = |kind| {
        let spans: Vec<_> = spans.iter().filter(|span| span.name.starts_with("GET ")).cloned().collect();
        only(&spans, kind, path).and_then(|span| span.status().context("no status"))
    };
    ensure!(handshake(Kind::Server)? == 101 && handshake(Kind::Client)? == 101);
    Ok(())
}

/// Says three things, with compression as both sides know it.
const PYTHON: &str = "
import asyncio, sys, websockets
async def talk():
    async with websockets.connect(f'ws://{sys.argv[1]}/chat/python') as socket:
        for text in ['hello', 'more', 'x' * 70000]:
            await socket.send(text)
            assert await socket.recv() == text
asyncio.run(talk())
";

fn ended(span: &Span) -> bool {
    span.name.starts_with("WEBSOCKET ")
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_session_of_python() -> Result<()> {
    let (agent, server) = (Agent::start()?, Hypercorn::start()?);

    program::run(Command::new(packaged_python()).args(["-c", PYTHON, &server.address]))?;
    agent.until(2, "both spans of the session", ended)?;

    check(&agent.stop()?, "/chat/python")
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_session_of_node() -> Result<()> {
    let (agent, server) = (Agent::start()?, Hypercorn::start()?);

    let mut visitor = Command::new("node");
    visitor.args(["--no-warnings", "--experimental-websocket"]);
    program::run(visitor.arg(program_file("visitor.mjs")).args(["websocket", &server.address]))?;
    agent.until(2, "both spans of the session", ended)?;

    check(&agent.stop()?, "/chat/node")
}
