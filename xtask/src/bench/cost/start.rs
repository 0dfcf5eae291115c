//! Comes in: a busy nginx and the daemon's binary. Goes out: how long after its start the daemon captures and shows its
//! first span, and the kernel memory of its maps.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{Daemon, agent, process, workloads};
use crate::{child::Running, place};

/// What a start takes.
pub(super) struct Start {
    /// From the daemon's start until it captures.
    pub(super) attached: Duration,
    /// From there until its first span is written.
    pub(super) first_span: Duration,
    /// Kernel memory of all maps, bytes.
    pub(super) maps: u64,
}

/// Starts the daemon once while requests come in.
pub(super) fn measured(binary: &Path) -> Result<Start> {
    let target = workloads::nginx()?;
    let mut load = Command::new(place::target().join("release/paced"));
    load.arg(format!("127.0.0.1:{}", target.port)).args(["--rate", "200", "--seconds", "60"]);
    let _load = Running::start(load.stdout(Stdio::null()))?;
    let begun = Instant::now();
    let mut command = agent(binary);
    command.args(["--metrics", "off", "--cpu-percent", "0"]);
    let mut daemon = Daemon::start(command, Stdio::piped())?;
    let attached = begun.elapsed();
    let mut span = String::new();
    let mut spans = BufReader::new(daemon.running.stdout()?);
    spans.read_line(&mut span).context("read the daemon's first span")?;
    let first_span = begun.elapsed() - attached;
    let maps = process::maps(daemon.running.id())?;
    drop(spans);
    daemon.end()?;
    Ok(Start { attached, first_span, maps })
}
