//! HTTP/2 as programs really speak it: nginx and hypercorn, visited by curl and Node.

use std::process::Command;

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program,
    servers::{Hypercorn, Nginx, program_file},
    span::{Kind, Span, only},
    visitors::curl,
};

/// The server's span of `path` is the child of the client's; both are HTTP/2's.
fn pair(spans: &[Span], path: &str, status: i64) -> Result<()> {
    let (client, server) = (only(spans, Kind::Client, path)?, only(spans, Kind::Server, path)?);
    ensure!(
        server.parent.as_ref() == Some(&client.id) && server.is_within(client),
        "{client:#?} {server:#?}"
    );
    for span in [client, server] {
        ensure!(span.status() == Some(status), "{span:#?}");
        ensure!(span.text("network.protocol.version") == Some("2"), "{span:#?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn prior_knowledge_curl_and_nginx() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start_http2()?);
    let urls = ["/hello/two", "/hello/three"].map(|path| nginx.url(path));

    // One after the other: curl 7.88 fails where it uses such a connection again.
    urls.iter().try_for_each(|url| curl(&["--http2-prior-knowledge", url]).map(drop))?;
    agent.until_path(2, "/hello/three")?;

    let spans = agent.stop()?;
    pair(&spans, "/hello/two", 200)?;
    pair(&spans, "/hello/three", 200)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn upgrade_curl_and_hypercorn() -> Result<()> {
    let (agent, server) = (Agent::start()?, Hypercorn::start()?);

    ensure!(curl(&["--http2", &server.url("/up/first"), &server.url("/up/second")])? == "00");
    agent.until_path(2, "/up/second")?;

    let spans = agent.stop()?;
    pair(&spans, "/up/first", 200)?;
    pair(&spans, "/up/second", 200)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn many_streams_at_once_node_and_hypercorn() -> Result<()> {
    let (agent, server) = (Agent::start()?, Hypercorn::start()?);
    let paths: Vec<_> = (0..20).map(|number| format!("/at-once/{number}-x")).collect();

    let mut visitor = Command::new("node");
    visitor.arg(program_file("visitor.mjs")).args(["http2", &server.address]).args(&paths).arg("/missing/x");
    ensure!(program::run(&mut visitor)?.trim() == format!("{}404", "200 ".repeat(20)));
    agent.until_path(2, "/missing/x")?;

    let spans = agent.stop()?;
    pair(&spans, "/missing/x", 404)?;
    paths.iter().try_for_each(|path| pair(&spans, path, 200))
}
