//! `wirespan doctor`: what this kernel allows, what is attached, what is missing, why, and what to do about it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{
    cli::Doctor,
    config::{self, choice::Output},
    observe::checkup::Checkup,
};

/// Looks and tells. The exit status is 0 where all is well, 1 where there are limits, 2 where nothing works.
///
/// # Errors
/// An unusable configuration, or a stdout that cannot be written.
pub fn run(args: &Doctor) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.flags)?.config;
    let checkup = Checkup::run(&config);
    let mut out = io::stdout().lock();
    if config.output.format == Output::Json {
        writeln!(out, "{:#}", checkup.json())?;
    } else {
        writeln!(out, "{checkup}")?;
    }
    Ok(checkup.code())
}
