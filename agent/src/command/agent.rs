//! `wirespan agent`: the whole host, for a server.

use std::process::ExitCode;

use wirespan_export::terminal::Output;

use super::host;
use crate::{cli::Agent, config};

/// Captures until it is told to stop.
///
/// # Errors
/// An unusable configuration, or a kernel that does not let us.
pub fn run(args: &Agent) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&args.flags)?;
    host::serve(&args.flags, loaded, Output::Line)
}
