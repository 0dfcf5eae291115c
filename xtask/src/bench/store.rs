//! `cargo xtask bench store`: what the collector's store costs, on spans like the agent's. The program that measures is
//! an example of the collector's crate.

use std::process::Command;

use anyhow::Result;

use crate::{child, place};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many spans.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(6..))]
    spans: u64,
}

/// `cargo xtask bench store`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(place::root())
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "wirespan-collector",
            "--example",
            "bench_store",
            "--",
        ])
        .arg(arguments.spans.to_string())
        .arg(place::out("bench")?.join("store"));
    child::run(&mut cargo)
}
