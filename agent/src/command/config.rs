//! `wirespan config`: the merged configuration on stdout, or what is wrong with it as an error.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use super::collecting;
use crate::{
    cli::{Check, Config, Print},
    config::{self, show},
    daemon::setup,
};

/// Prints or checks.
///
/// # Errors
/// An unusable configuration, or a stdout that cannot be written.
pub fn run(args: &Config) -> anyhow::Result<ExitCode> {
    match args {
        Config::Print(args) => print(args, &mut io::stdout().lock()),
        Config::Check(args) => check(args, &mut io::stdout().lock()),
    }
}

fn print(args: &Print, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let merged = config::load(&args.flags)?.merged;
    if args.json {
        writeln!(out, "{:#}", show::json(&merged))?;
    } else {
        out.write_all(show::yaml(&merged, args.docs).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(args: &Check, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&args.flags)?;
    if let Some(settings) = setup::otlp(&loaded.config)? {
        settings.check()?;
    }
    collecting::check(&loaded.config)?;
    match loaded.file {
        Some(file) => writeln!(out, "{}: no problems", file.display())?,
        None => writeln!(out, "no configuration file; variables and flags have no problems")?,
    }
    Ok(ExitCode::SUCCESS)
}
