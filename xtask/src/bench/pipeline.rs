//! `cargo xtask bench pipeline`: how fast the stages are without a kernel before them. Comes in: a recording. Goes out:
//! exchanges per second of one core, and allocations per exchange. With `--protocols`, see [`protocols`].

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use super::protocols;
use crate::{child, place, step::step};

/// What is replayed unless something else is asked for: 4,374 exchanges of nginx and its load, over four connections.
const USUAL: &str = "tests/bench/nginx.wirespan";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A file of `wirespan record`, or a packet capture.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Seconds to replay it for, or to play each protocol.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// What an exchange of each protocol costs up to where it is paired, in place of a recording.
    #[arg(long, conflicts_with = "file")]
    protocols: bool,
    /// With --protocols: only this one; may be repeated.
    #[arg(long, value_name = "NAME", requires = "protocols")]
    protocol: Vec<String>,
    /// With --protocols: one JSON object for each in place of a table. A recording's result is JSON in any case.
    #[arg(long, requires = "protocols")]
    json: bool,
}

/// `cargo xtask bench pipeline`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.protocols {
        return protocols::run(arguments.seconds, arguments.json, &arguments.protocol);
    }
    let example = ["--release", "--package", "wirespan", "--example", "replay_speed"];
    let mut build = Command::new("cargo");
    build.current_dir(place::root()).arg("build").args(example);
    step("build the example replay_speed", || child::run(&mut build))?;
    let file = arguments.file.clone().unwrap_or_else(|| place::root().join(USUAL));
    let mut replay = Command::new("cargo");
    replay.current_dir(place::root()).args(["run", "--quiet"]).args(example).arg("--");
    replay.arg(std::path::absolute(file)?).arg(arguments.seconds.to_string());
    print!("{}", child::read(&mut replay)?);
    Ok(())
}
