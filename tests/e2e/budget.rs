//! A flood that does not fit into the CPU budget: whole connections are left out, and what is shown says so.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    load,
    servers::Nginx,
    span::{Kind, Span, of_kind},
    wait,
};

const PATH: &str = "/hello/flood";

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_flood_is_sampled_by_whole_connections() -> Result<()> {
    let (agent, nginx) = (Agent::with(&["--cpu-percent", "1"])?, Nginx::start()?);

    // Connections of their own each time; as many as it takes.
    wait::until("the budget to be reached", || {
        let flooded = load::pace(nginx.address, PATH, 4_000, 8_000).and_then(|()| agent.spans());
        let sampled = |spans: Vec<Span>| spans.iter().any(|span| span.sampling_ratio().is_some());
        flooded.map(|spans| sampled(spans).then_some(())).transpose()
    })??;
    for _ in 0..5 {
        load::pace(nginx.address, PATH, 4_000, 8_000)?;
    }
    let words = agent.words();
    let spans = agent.stop()?;

    let ratios: BTreeSet<_> = spans.iter().filter_map(Span::sampling_ratio).map(f64::to_bits).collect();
    let (clients, servers) = (of_kind(&spans, Kind::Client), of_kind(&spans, Kind::Server));
    let by_id: HashMap<_, _> = clients.iter().map(|client| (&client.id, client)).collect();
    let mut alone = 0;
    for server in &servers {
        ensure!(
            server.status() == Some(200) && server.integer("wirespan.missing_bytes").is_none(),
            "{server:#?}"
        );
        alone += usize::from(server.parent.as_ref().and_then(|parent| by_id.get(parent)).is_none());
    }
    alone += clients.len().abs_diff(servers.len() - alone);
    // A change may fall between the two ends of a request, on each connection once.
    ensure!(alone <= 8 * (ratios.len() + 1), "{alone} ends alone, {} ratios; {words}", ratios.len());
    // Of the last twenty thousand requests some were left out.
    let sampled = clients.iter().filter(|client| client.sampling_ratio().is_some()).count();
    ensure!(sampled < 20_000, "all are shown");
    Ok(())
}
