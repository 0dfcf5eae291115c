//! The `wirespan` binary: arguments in, exit code out; an error becomes one message on stderr.

use std::process::ExitCode;

use clap::Parser;
use wirespan::{cli::Cli, command};

fn main() -> ExitCode {
    command::dispatch(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("wirespan: {error:#}");
        ExitCode::FAILURE
    })
}
