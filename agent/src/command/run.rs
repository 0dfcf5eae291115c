//! `wirespan run`: the whole host, for somebody who looks on.

use std::process::ExitCode;

use wirespan_export::terminal::Output;

use super::host;
use crate::{cli::Run, config};

/// Captures until it is told to stop.
///
/// # Errors
/// An unusable configuration, or a kernel that does not let us.
pub fn run(args: &Run) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&args.flags)?;
    host::capture(&loaded.config, Output::Tree)
}
