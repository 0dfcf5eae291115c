//! `cargo xtask bench pipeline --protocols`: CPU time and allocations of an exchange, for each protocol. The program that
//! measures is an example of the protocol stage's crate; the conversations that it plays stand beside it.

use std::process::Command;

use anyhow::Result;

use crate::{child, place};

/// Plays each of `names`, or all of them, for so many seconds.
pub(super) fn run(seconds: u64, json: bool, names: &[String]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root()).args(["run", "--release", "--quiet"]);
    cargo.args(["--package", "wirespan-protocol", "--example", "exchange_cost", "--"]);
    cargo.args(["--seconds", &seconds.to_string()]).args(json.then_some("--json")).args(names);
    child::run(&mut cargo)
}
