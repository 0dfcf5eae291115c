//! How it begins and how it ends.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use wirespan_tests::{agent::Agent, kernel, servers::Nginx, visitors::curl, wait};

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn after_kill_nothing_of_ours_stays_in_the_kernel() -> Result<()> {
    let nginx = Nginx::start()?;
    let before = kernel::loaded()?;
    let agent = Agent::start()?;
    let ours: BTreeSet<_> = kernel::loaded()?.difference(&before).copied().collect();
    ensure!(ours.iter().any(|(sort, _)| *sort == "prog"), "no program was loaded: {ours:?}");

    agent.kill()?;

    wait::until("our programs, maps and links to go", || {
        kernel::loaded().is_ok_and(|now| now.is_disjoint(&ours)).then_some(())
    })?;
    ensure!(curl(&[&nginx.url("/hello/after")])? == "hello", "the traced program answers as before");
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn what_was_seen_before_sigterm_is_shown() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);

    for number in 0..50 {
        curl(&[&nginx.url(&format!("/hello/last-{number}"))])?;
    }
    let spans = agent.stop()?;

    let shown = spans.iter().filter(|span| span.path().starts_with("/hello/last-")).count();
    ensure!(shown == 100, "{shown} of 100 spans");
    Ok(())
}

/// The kernel's types and symbols, which only loading needs.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn the_memory_of_its_start_goes_back() -> Result<()> {
    let agent = Agent::start()?;
    agent.at_rest()?;
    agent.stop().map(drop)
}

/// Its own sockets are not shown: a daemon that traces its exports never stops exporting.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn it_does_not_show_itself() -> Result<()> {
    let (agent, nginx) = (Agent::start()?, Nginx::start()?);
    let own = u64::from(agent.id());

    curl(&[&nginx.url("/hello/other")])?;
    agent.until_path(2, "/hello/other")?;

    let spans = agent.stop()?;
    ensure!(spans.iter().all(|span| span.process() != Some(own)));
    Ok(())
}
