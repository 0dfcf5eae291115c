//! gRPC as programs speak it: grpc-js on both sides, every form of a call.

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program::{self, Program},
    servers::node,
    span::{Kind, Span, told},
};

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
