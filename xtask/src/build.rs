//! `cargo xtask build`: the wirespan binary with its kernel programs inside.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    child, place,
    setup::{self, Purpose},
    step::{note, step},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Optimised: what is run and measured. The default.
    #[arg(long, conflicts_with = "debug")]
    release: bool,
    /// Quick to build, slow to run.
    #[arg(long)]
    debug: bool,
}

/// `cargo xtask build`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::prepare(Purpose::Build)?;
    let binary = wirespan(if arguments.debug { "debug" } else { "release" })?;
    println!("{}", binary.display());
    Ok(())
}

/// Builds the binary of a profile, `release` or `debug`, and says where it is and how big.
pub(crate) fn wirespan(profile: &str) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root()).args(["build", "--package", "wirespan", "--bin", "wirespan"]);
    if profile == "release" {
        cargo.arg("--release");
    }
    step(&format!("build wirespan ({profile})"), || child::run(&mut cargo))?;
    let binary = place::binary(profile);
    let size = binary.metadata().with_context(|| format!("look at {}", binary.display()))?.len();
    note(&format!("{} ({:.1} MiB)", binary.display(), size as f64 / f64::from(1 << 20)));
    Ok(binary)
}

/// Builds one of the programs of the end-to-end tests and says where it is.
pub(crate) fn test_program(name: &str) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root()).args(["build", "--quiet", "--package", "wirespan-tests", "--bin", name]);
    child::run(&mut cargo)?;
    Ok(place::target().join("debug").join(name))
}
