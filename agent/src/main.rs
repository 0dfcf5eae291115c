//! The `wirespan` binary: arguments in, exit code out; an error becomes one message on stderr.

use std::{io, process::ExitCode};

use clap::Parser;
use wirespan::{cli::Cli, command};

/// Spans are made on one thread and dropped on another, a dozen small pieces of memory each: the C library's allocator pays
/// for that with locks and long free lists.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::dispatch(Cli::parse()) {
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
