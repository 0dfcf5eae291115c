//! One file for each command: its arguments in, its exit code out.

pub mod agent;
mod collecting;
pub mod collector;
pub mod completions;
pub mod config;
mod display;
pub mod doctor;
mod host;
pub mod man;
pub mod query;
pub mod record;
pub mod replay;
pub mod run;
pub mod top;
pub mod trace;

use std::process::ExitCode;

use crate::cli::{Cli, Command};

/// Does what was asked for.
///
/// # Errors
/// Whatever stopped the command, told so that a person can act on it.
pub fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Collector(args) => collector::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
