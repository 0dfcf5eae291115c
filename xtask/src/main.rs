//! Comes in: `cargo xtask COMMAND`. Goes out: a machine that is set up, a built binary, a running wirespan, a verdict.
//! Refuses: leaving a child process behind, asking questions.

mod arch;
mod bench;
mod build;
mod child;
mod ci;
mod fuzz;
mod page;
mod place;
mod run;
mod setup;
mod step;
mod test;
mod tidy;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set-up, build, run, test: everything around wirespan that is not wirespan.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing; says what it does; quick when all is there.
    Setup(setup::Arguments),
    /// Build the wirespan binary with its kernel programs inside.
    Build(build::Arguments),
    /// Set up, build and start wirespan; with --demo also a small shop to watch.
    Run(run::Arguments),
    /// Set up, then every test; stops at the first stage that fails.
    Test(test::Arguments),
    /// Like test, but runs every stage whatever fails and ends with a table of timings.
    Ci(test::Arguments),
    /// Check the rules of dependence and the house style.
    Tidy,
    /// Build the collector's page; what it builds is committed.
    Page(page::Arguments),
    /// Boot a stock Debian kernel in emulation and run the end-to-end check on it.
    Vm(vm::Arguments),
    /// Measure what wirespan costs: nginx and wrk, alternately without and with the daemon.
    Bench(bench::Arguments),
    /// Run the fuzz targets (all, or one) for some seconds each.
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match child::stop_all_on_signal().and_then(|()| dispatch(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Ci(arguments) => ci::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Page(arguments) => page::run(&arguments),
        Command::Vm(arguments) => vm::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
    }
}
