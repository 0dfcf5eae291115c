//! HTTP/1 as programs really speak it: one exchange a request, however its bytes were written.

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use wirespan_tests::{
    agent::Agent,
    servers::{Nginx, Server},
    span::{Kind, Span, count, only},
    visitors::{Visitor, curl, request},
};

/// Both ends of the only request for `path`, the server's within the client's, as parent and child.
fn pair(spans: &[Span], path: &str) -> Result<()> {
    let (client, server) = (only(spans, Kind::Client, path)?, only(spans, Kind::Server, path)?);
    ensure!(
        server.parent.as_ref() == Some(&client.id),
        "the client is not the parent: {client:#?} {server:#?}"
    );
    ensure!(
        server.trace == client.trace && server.is_within(client),
        "{server:#?} is not within {client:#?}"
    );
    ensure!(server.status() == Some(200) && client.status() == Some(200), "{client:#?} {server:#?}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn pipelined_requests_are_told_apart() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);
    let both =
        [request("GET", "/hello/first", nginx.address), request("GET", "/hello/second", nginx.address)];

    let mut visitor = Visitor::connect(nginx.address)?;
    visitor.send(&both.concat())?;
    ensure!(visitor.answer()? == b"hello" && visitor.answer()? == b"hello");
    agent.until_path(2, "/hello/second")?;

    let spans = agent.stop()?;
    pair(&spans, "/hello/first")?;
    pair(&spans, "/hello/second")
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_head_may_come_in_pieces() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);
    let whole = request("GET", "/hello/pieces", nginx.address);

    let mut visitor = Visitor::connect(nginx.address)?;
    let (first, second) = whole.split_at(9);
    visitor.send(first)?;
    visitor.send(second)?;
    visitor.answer()?;
    agent.until_path(2, "/hello/pieces")?;

    pair(&agent.stop()?, "/hello/pieces")
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_kept_alive_connection_carries_many() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);
    let paths: Vec<_> = (0..20).map(|number| format!("/hello/kept-{number}")).collect();

    let mut visitor = Visitor::connect(nginx.address)?;
    for path in &paths {
        visitor.send(&request("GET", path, nginx.address))?;
        visitor.answer()?;
    }
    agent.until_path(2, "/hello/kept-19")?;

    let spans = agent.stop()?;
    paths.iter().try_for_each(|path| pair(&spans, path))
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_chunked_answer_ends_where_it_ends() -> Result<()> {
    let (agent, server) = (Agent::start()?, Server::start(&[])?);
    let urls = [server.url("/chunked/1"), server.url("/chunked/2")];

    ensure!(curl(&[&urls[0], &urls[1]])? == "hellohello");
    agent.until_path(2, "/chunked/2")?;

    let spans = agent.stop()?;
    pair(&spans, "/chunked/1")?;
    pair(&spans, "/chunked/2")
}

/// nginx's `sendfile` never shows the body to user space; its length still counts.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_download_by_sendfile_is_one_span_and_stays_intact() -> Result<()> {
    const SIZE: usize = 100 << 20;
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);
    // Text without a period that a shifted or repeated block could hide in.
    let content: Vec<u8> = (0_u64..)
        .flat_map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
        .take(SIZE)
        .collect();
    nginx.file("large", &content)?;

    let mut visitor = Visitor::connect(nginx.address)?;
    visitor.send(&request("GET", "/files/large", nginx.address))?;
    let received = visitor.answer()?;
    ensure!(received == content, "the file arrived changed");
    agent.until_path(2, "/files/large")?;

    let spans = agent.stop()?;
    pair(&spans, "/files/large")?;
    for kind in [Kind::Server, Kind::Client] {
        let size = only(&spans, kind, "/files/large")?.integer("http.response.body.size");
        ensure!(size == Some(SIZE as i64), "{kind:?}: {size:?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_client_that_breaks_off_is_an_error() -> Result<()> {
    let agent = Agent::start()?;
    let mut server = Server::start(&[])?;

    let mut visitor = Visitor::connect(server.socket()?)?;
    visitor.send(&request("GET", "/hang/reset", server.socket()?))?;
    ensure!(server.program.line()? == "hanging");
    visitor.reset()?;
    agent.until_path(2, "/hang/reset")?;

    let spans = agent.stop()?;
    for kind in [Kind::Server, Kind::Client] {
        let span = only(&spans, kind, "/hang/reset")?;
        ensure!(span.failed() && span.status().is_none(), "{span:#?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_server_killed_mid_request_is_an_error() -> Result<()> {
    let agent = Agent::start()?;
    let mut server = Server::start(&[])?;

    let mut visitor = Visitor::connect(server.socket()?)?;
    visitor.send(&request("GET", "/hang/killed", server.socket()?))?;
    ensure!(server.program.line()? == "hanging");
    server.program.signal(Signal::KILL)?;
    server.program.wait()?;
    // Ends with nothing or with a reset: both are the truth.
    ensure!(visitor.rest().unwrap_or_default().is_empty());
    drop(visitor);
    agent.until_path(2, "/hang/killed")?;

    let spans = agent.stop()?;
    let client = only(&spans, Kind::Client, "/hang/killed")?;
    ensure!(client.failed() && client.status().is_none(), "{client:#?}");
    ensure!(only(&spans, Kind::Server, "/hang/killed")?.failed());
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn attributes_follow_the_conventions() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);
    let url = nginx.url("/hello/convention?q=1");

    curl(&["-H", "Authorization: Bearer hush", &url])?;
    agent.until_path(2, "/hello/convention")?;

    let spans = agent.stop()?;
    let (client, server) =
        (only(&spans, Kind::Client, "/hello/convention")?, only(&spans, Kind::Server, "/hello/convention")?);
    for span in [client, server] {
        ensure!(span.text("http.request.method") == Some("GET"), "{span:#?}");
        ensure!(span.text("server.address") == Some("127.0.0.1"), "{span:#?}");
        ensure!(span.integer("server.port") == Some(nginx.address.port().into()), "{span:#?}");
        ensure!(span.text("network.protocol.version") == Some("1.1"), "{span:#?}");
        ensure!(!format!("{span:?}").contains("hush"), "a secret got out: {span:#?}");
    }
    ensure!(client.text("url.full") == Some(&url), "{client:#?}");
    ensure!(
        server.text("url.scheme") == Some("http") && server.text("url.query") == Some("q=1"),
        "{server:#?}"
    );
    let agent_name = server.text("user_agent.original").context("no user_agent.original")?;
    ensure!(agent_name.starts_with("curl/") && count(&spans, Kind::Server, "/hello/convention") == 1);
    Ok(())
}
