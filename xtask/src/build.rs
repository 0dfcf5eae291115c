//! `cargo xtask build`: the wirespan binary with its kernel programs inside, for this machine's processor or for another.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    arch::Arch,
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
    /// The processor that it is for; without it, this machine's.
    #[arg(long)]
    arch: Option<Arch>,
}

/// `cargo xtask build`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::prepare(Purpose::Build)?;
    let arch = arguments.arch.map_or_else(Arch::host, Ok)?;
    let binary = wirespan_for(arch, if arguments.debug { "debug" } else { "release" })?;
    println!("{}", binary.display());
    Ok(())
}

/// Builds the binary of a profile, `release` or `debug`, and says where it is and how big.
pub(crate) fn wirespan(profile: &str) -> Result<PathBuf> {
    wirespan_for(Arch::host()?, profile)
}

/// The same for another processor; installs what that takes.
pub(crate) fn wirespan_for(arch: Arch, profile: &str) -> Result<PathBuf> {
    setup::prepare_cross(arch)?;
    let mut cargo = cargo("build", arch, profile);
    cargo.args(["--package", "wirespan", "--bin", "wirespan"]);
    step(&format!("build wirespan ({}, {profile})", arch.target()), || child::run(&mut cargo))?;
    let binary = place::built(arch, profile).join("wirespan");
    let size = binary.metadata().with_context(|| format!("look at {}", binary.display()))?.len();
    note(&format!("{} ({:.1} MiB)", binary.display(), size as f64 / f64::from(1 << 20)));
    Ok(binary)
}

/// Does what knows the processor compile for `arch`? That is one crate; all of the daemon would take minutes. The kernel
/// programs are the same everywhere and are left out.
pub(crate) fn check(arch: Arch) -> Result<()> {
    let mut cargo = cargo("check", arch, "debug");
    cargo.env("WIRESPAN_SKIP_EBPF", "1").args(["--package", "wirespan-kernel"]);
    child::run(&mut cargo)
}

/// Builds one of the programs of the end-to-end tests and says where it is.
pub(crate) fn test_program(arch: Arch, name: &str) -> Result<PathBuf> {
    setup::prepare_cross(arch)?;
    child::run(cargo("build", arch, "debug").args([
        "--quiet",
        "--package",
        "wirespan-tests",
        "--bin",
        name,
    ]))?;
    Ok(place::built(arch, "debug").join(name))
}

fn cargo(command: &str, arch: Arch, profile: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root()).arg(command);
    setup::target(&mut cargo, arch);
    if profile == "release" {
        cargo.arg("--release");
    }
    cargo
}
