//! gRPC as programs really speak it, in every form of a call: grpcio at both ends, and grpc-js at both ends; gRPC-Web over
//! HTTP/1 with Connect at both ends.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program::{self, Program},
    servers::{node, packaged_python, program_file},
    span::{Kind, Span, told},
};

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

/// The call, its status, and messages of both directions.
fn line(span: &Span) -> String {
    let count = |name| span.integer(name).map_or_else(|| "-".to_owned(), |count| count.to_string());
    let status = span.text("rpc.response.status_code").unwrap_or("-");
    let (asked, answered) =
        (count("wirespan.grpc.request.messages"), count("wirespan.grpc.response.messages"));
    format!("{} {status} {asked} {answered}", span.name)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn calls_of_every_form_of_node() -> Result<()> {
    let agent = Agent::start()?;
    let mut server = Program::start(&mut node("grpc.cjs", &["serve"]))?;
    let port = server.line()?;

    program::run(&mut node("grpc.cjs", &["call", &port]))?;
    agent.until(2, "spans of the last call", |span| span.name.ends_with("Talk"))?;

    let spans = agent.stop()?;
    let expected = [
        "shop.Stock/Get OK 1 1",
        "shop.Stock/Get NOT_FOUND 1 0",
        "shop.Stock/List OK 1 3",
        "shop.Stock/Put OK 2 1",
        "shop.Stock/Talk OK 2 2",
    ];
    for kind in [Kind::Client, Kind::Server] {
        let found = told(&spans, kind, |span| span.text("rpc.system.name") == Some("grpc"), line);
        ensure!(found == expected, "{kind:?}: {found:#?}");
    }
    Ok(())
}

/// Every status, also that of a failure, stands in the trailers behind the body.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn grpc_web_of_connect() -> Result<()> {
    let agent = Agent::start()?;
    let mut server = Program::start(&mut node("grpc_web.cjs", &["serve"]))?;
    let port = server.line()?;

    program::run(&mut node("grpc_web.cjs", &["call", &port]))?;
    agent.until(2, "spans of the last call", |span| span.name.ends_with("List"))?;

    let spans = agent.stop()?;
    let line = |span: &Span| {
        let failed = if span.failed() { " failed" } else { "" };
        format!("{} {}{failed}", span.name, span.text("rpc.response.status_code").unwrap_or("-"))
    };
    // What the caller did wrong is no fault of the server's.
    for (kind, refused) in [(Kind::Client, "NOT_FOUND failed"), (Kind::Server, "NOT_FOUND")] {
        let refused = format!("shop.Stock/Get {refused}");
        let found = told(&spans, kind, |span| span.text("rpc.system.name") == Some("grpc"), line);
        ensure!(
            found == ["shop.Stock/Get OK", &refused, "shop.Stock/List DATA_LOSS failed"],
            "{kind:?}: {found:#?}"
        );
    }
    Ok(())
}
