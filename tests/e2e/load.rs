//! Ten thousand requests at twenty thousand a second: every one of them is shown, at both ends, by every plan.

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    load,
    servers::Nginx,
    span::{Kind, count},
};

const REQUESTS: u32 = 10_000;
const RATE: u32 = 20_000;
const PATH: &str = "/hello/load";

fn all_are_shown(agent: Agent) -> Result<()> {
    let nginx = Nginx::start()?;

    load::pace(nginx.address, PATH, REQUESTS, RATE)?;
    agent.until_path(2 * REQUESTS as usize, PATH)?;

    let spans = agent.stop()?;
    let counts = (count(&spans, Kind::Server, PATH), count(&spans, Kind::Client, PATH));
    ensure!(counts == (REQUESTS as usize, REQUESTS as usize), "(server, client) spans: {counts:?}");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn ten_thousand_with_the_default_plan() -> Result<()> {
    all_are_shown(Agent::start()?)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn ten_thousand_with_the_system_call_plan() -> Result<()> {
    all_are_shown(Agent::with(&["--plan", "syscall"])?)
}
