//! The `wirespan` binary: arguments in, exit code out; an error becomes one message on stderr.

use std::{io, process::ExitCode};

use clap::Parser;
use wirespan::{
    cli::{Cli, Command},
    command,
};

/// Spans are made on one thread and dropped on another, a dozen small pieces of memory each: the C library's allocator pays
/// for that with locks and long free lists.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What captures is held small, ms: a third less memory at 10,000 connections than with a second, for no CPU that could be measured.
const CAPTURE_MS: u32 = 200;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A store fills large pieces again and again, and is a sixth slower where it must ask the kernel for each.
    if !matches!(cli.command, Command::Run(_) | Command::Collector(_)) {
        wirespan_kernel::return_freed_after(CAPTURE_MS);
    }
    match command::dispatch(cli) {
        Ok(code) => code,
        // `wirespan config print | head`: the reader has what it wanted.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wirespan: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
