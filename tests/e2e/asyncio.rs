//! Tasks of asyncio that make calls for a request while another task waits for them: `programs/waits.py`.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Result, ensure};
use wirespan_tests::{
    agent::Agent,
    program::{self, Program},
    servers::{packaged_python, program_file},
    span::{Kind, of_kind},
};

/// Requests on each of two connections for each way to wait: some ten are under way at once.
const REQUESTS: u32 = 80;
/// Calls of a way that are not judged, the first: the daemon gets to know the program.
const WARM_UP: u32 = 120;

fn waits(arguments: &[&str]) -> Command {
    let mut command = Command::new(packaged_python());
    command.arg(program_file("waits.py")).args(arguments);
    command
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_call_belongs_to_the_request_of_who_waits_for_its_task() -> Result<()> {
    let mut backend = Program::start(&mut waits(&["backend"]))?;
    let asked = backend.line()?;
    let mut server = Program::start(&mut waits(&["server", &asked]))?;
    let port = server.line()?;
    let agent = Agent::with(&["--include-port", &format!("{asked},{port}")])?;
    program::run(&mut waits(&["load", &port, &REQUESTS.to_string()]))?;
    // Once the last is seen, all before it were.
    agent.until_path(2, "/gather/last")?;
    let spans = agent.stop()?;
    let served: BTreeMap<_, _> =
        of_kind(&spans, Kind::Server).into_iter().map(|span| (span.id.as_str(), span.path())).collect();
    let mut calls = of_kind(&spans, Kind::Client);
    calls.sort_by_key(|span| span.start);
    // By way: calls, those with the right parent, and with another one.
    let mut tallies = BTreeMap::<&str, [u32; 3]>::new();
    for call in calls {
        let parts: Vec<_> = call.path().split('/').collect();
        let [_, way, number, _] = parts.as_slice() else { continue };
        let [all, right, wrong] = tallies.entry(*way).or_default();
        *all += 1;
        let parent = call.parent.as_deref().map(|id| served.get(id).copied().unwrap_or_default());
        let is_right = parent.is_some_and(|path| path == format!("/{way}/{number}"));
        if *all > WARM_UP {
            *right += u32::from(is_right);
            *wrong += u32::from(parent.is_some() && !is_right);
        }
    }
    ensure!(tallies.len() >= 4, "{tallies:?}");
    for (way, [all, right, wrong]) in &tallies {
        ensure!(*all >= 4 * REQUESTS && *wrong == 0 && all - WARM_UP == *right, "{way}: {tallies:?}");
    }
    Ok(())
}
