//! `wirespan run`: the whole host, for somebody who looks on.

use std::process::ExitCode;

use crate::{cli::Run, config};

/// Captures until it is told to stop.
///
/// # Errors
/// An unusable configuration.
pub fn run(args: &Run) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&args.flags)?;
    anyhow::bail!("the pipeline is not part of this build; format would be {}", loaded.config.output.format)
}
