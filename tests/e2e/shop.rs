//! curl, nginx, Python, Python: every request of the demo's shop is one whole trace.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    agent::Agent,
    servers::{Shop, order},
    span::{self, Kind, Span},
    visitors::curl,
};

/// curl's call, nginx's answer and call, the first service's answer and call, the second service's answer.
const ROAD: [(Kind, &str); 6] = [
    (Kind::Client, "curl"),
    (Kind::Server, "nginx"),
    (Kind::Client, "nginx"),
    (Kind::Server, "orders"),
    (Kind::Client, "orders"),
    (Kind::Server, "stock"),
];

fn visit(agent: &Agent, shop: &Shop, visits: usize) -> Result<()> {
    for number in 0..visits {
        curl(&[&shop.order(number)])?;
    }
    agent.until(visits * ROAD.len(), "the spans of every visit", of_the_shop)
}

fn of_the_shop(span: &Span) -> bool {
    span.path().starts_with("/orders/") || span.path().starts_with("/stock/")
}

fn by_trace(spans: &[Span]) -> BTreeMap<&str, Vec<&Span>> {
    let mut traces: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for span in spans.iter().filter(|span| of_the_shop(span)) {
        traces.entry(span.trace.as_str()).or_default().push(span);
    }
    traces
}

fn expect_road(trace: &[&Span]) -> Result<()> {
    let chain = span::chain(trace)?;
    ensure!(chain.len() == ROAD.len(), "{} spans instead of {}: {chain:#?}", chain.len(), ROAD.len());
    for (span, (kind, service)) in chain.iter().zip(ROAD) {
        ensure!(
            span.kind == kind && span.service().starts_with(service),
            "expected {kind:?} of {service}: {span:#?}"
        );
        ensure!(span.status() == Some(200), "expected status 200: {span:#?}");
    }
    Ok(())
}

fn a_hundred_visits(agent: Agent, shop: &Shop) -> Result<()> {
    visit(&agent, shop, 100)?;
    let spans = agent.stop()?;

    let traces = by_trace(&spans);
    ensure!(traces.len() == 100, "{} traces instead of 100", traces.len());
    traces.values().try_for_each(|trace| expect_road(trace))
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_hundred_visits_are_a_hundred_traces() -> Result<()> {
    let agent = Agent::start()?;
    let shop = Shop::open()?;
    a_hundred_visits(agent, &shop)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_system_call_plan_gives_the_same() -> Result<()> {
    let agent = Agent::with(&["--plan", "syscall"])?;
    let shop = Shop::open()?;
    a_hundred_visits(agent, &shop)
}

/// The programs, and nginx's kept-alive connections to the first service, are there before the daemon.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn programs_and_connections_older_than_the_daemon() -> Result<()> {
    let shop = Shop::open()?;
    curl(&[&shop.order(1000)])?;
    let agent = Agent::start()?;
    a_hundred_visits(agent, &shop)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_failure_is_told_by_every_span_it_passed() -> Result<()> {
    let (agent, shop) = (Agent::start()?, Shop::open()?);

    curl(&[&format!("{}/orders/13", shop.address)]).expect_err("article 13 is never found");
    agent.until(ROAD.len(), "the spans of a visit", of_the_shop)?;
    let spans = agent.stop()?;

    let traces = by_trace(&spans);
    let chain = span::chain(traces.values().next().context("no trace")?)?;
    let statuses: Vec<_> = chain.iter().filter_map(|span| span.status()).collect();
    ensure!(statuses == [502, 502, 502, 502, 404, 404], "{statuses:?}");
    // By the conventions a server's own 404 is no error of the server; 404 at the client is, and so is every 5xx.
    let failed: Vec<_> = chain.iter().map(|span| span.failed()).collect();
    ensure!(failed == [true, true, true, true, true, false], "{failed:?}");
    ensure!(order(0) == "/orders/1", "ordinary orders are not order 13");
    Ok(())
}

/// What a client asked, as its span is called, and who.
fn databases<'a>(spans: &'a [Span], trace: &str, kind: Kind) -> Vec<&'a str> {
    let of_it =
        |span: &&Span| span.trace == trace && span.kind == kind && span.text("db.system.name").is_some();
    let mut found: Vec<_> = spans.iter().filter(of_it).collect();
    found.sort_by_key(|span| span.start);
    found.into_iter().map(|span| span.name.as_str()).collect()
}

/// The shop as `cargo xtask run --demo` opens it: its databases are part of every visit.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_databases_behind_the_shop_are_part_of_the_trace() -> Result<()> {
    let (agent, shop) = (Agent::start()?, Shop::with_databases()?);

    curl(&[&shop.order(0)])?;
    agent.until(ROAD.len(), "the spans of a visit", of_the_shop)?;
    agent.until(2, "both spans of what Redis was asked", |span| span.name == "INCRBY")?;
    let spans = agent.stop()?;

    let visit = spans.iter().find(|span| of_the_shop(span)).context("no visit")?;
    for kind in [Kind::Client, Kind::Server] {
        let found = databases(&spans, &visit.trace, kind);
        ensure!(found == ["SELECT articles", "INCRBY"], "{kind:?}: {found:?}");
    }
    Ok(())
}
