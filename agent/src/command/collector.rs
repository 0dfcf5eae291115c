//! `wirespan collector`: receives from many hosts until it is told to stop.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::collecting;
use crate::{cli::Collector, config};

/// Collects until it is told to stop.
///
/// # Errors
/// An unusable configuration, a store or a port that cannot be used.
pub fn run(args: &Collector) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&args.flags)?;
    let running = collecting::start(&loaded.config, false)?;
    collecting::say(&running);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot listen for signals")?.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
