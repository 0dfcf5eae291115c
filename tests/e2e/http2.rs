//! HTTP/2 and gRPC as programs really speak them: nginx, hypercorn and grpcio, visited by curl, Node and grpcio.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program::{self, Program},
    servers::{Hypercorn, Nginx, packaged_python, program_file},
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
    // More than the kernel copies of a call: the ends of the answers are among what it does not.
    nginx.file("large", &vec![b'x'; 3 << 20])?;
    let urls = ["/hello/two", "/files/large", "/hello/three"].map(|path| nginx.url(path));

    curl(&["--http2-prior-knowledge", "--output", "/dev/null", &urls[0], &urls[1], &urls[2]])?;
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

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn grpc_in_all_forms() -> Result<()> {
    let agent = Agent::start()?;
    let script = program_file("calls_grpc.py");
    let mut server = Program::start(Command::new(packaged_python()).arg(&script).arg("serve"))?;
    let address = server.line()?;

    program::run(Command::new(packaged_python()).arg(&script).args(["call", &address]))?;
    agent.until(10, "both spans of five calls", |span| span.text("rpc.system.name") == Some("grpc"))?;

    let spans = agent.stop()?;
    for (method, status, messages) in [
        ("shop.Orders/Place", "OK", (1, 1)),
        ("shop.Orders/Watch", "OK", (1, 3)),
        ("shop.Orders/Upload", "OK", (2, 1)),
        ("shop.Orders/Chat", "OK", (2, 2)),
        ("shop.Orders/Place", "NOT_FOUND", (1, 0)),
    ] {
        call(&spans, method, status, messages).with_context(|| format!("{method} {status}"))?;
    }
    Ok(())
}

/// One call is one span at each end, linked.
fn call(spans: &[Span], method: &str, status: &str, messages: (i64, i64)) -> Result<()> {
    let of = |kind| {
        spans.iter().find(|span| {
            span.kind == kind
                && span.name == method
                && span.text("rpc.method") == Some(method)
                && span.text("rpc.response.status_code") == Some(status)
        })
    };
    let (client, server) = (of(Kind::Client).context("no client")?, of(Kind::Server).context("no server")?);
    ensure!(server.parent.as_ref() == Some(&client.id), "{client:#?} {server:#?}");
    for span in [client, server] {
        let counted =
            (span.integer("wirespan.grpc.request.messages"), span.integer("wirespan.grpc.response.messages"));
        ensure!(counted == (Some(messages.0), Some(messages.1)), "{span:#?}");
    }
    // What the caller did wrong is no fault of the server's.
    ensure!(client.failed() == (status != "OK") && !server.failed(), "{client:#?} {server:#?}");
    Ok(())
}
