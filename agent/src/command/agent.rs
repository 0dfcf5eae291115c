//! `wirespan agent`: the whole host, for a server.

use std::process::ExitCode;

use crate::{cli::Agent, config};

/// Captures until it is told to stop.
///
/// # Errors
/// An unusable configuration.
pub fn run(args: &Agent) -> anyhow::Result<ExitCode> {
    config::load(&args.flags)?;
    anyhow::bail!("capturing is not part of this build: the pipeline is missing")
}
