//! `cargo xtask bench causality`: builds the rig and the daemon, and passes the arguments on to the rig, which is a program
//! of the tests.

use std::process::Command;

use anyhow::Result;

use crate::{
    build, child, place,
    setup::{self, Purpose},
    step::step,
};

/// What its programs need beyond what tests do. Go and a JDK are the host's own business.
const PACKAGES: &[&str] = &["php-fpm", "libnetty-java"];

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// For the rig: `--runtime R`, `--pattern P`, `--in-flight N` (each may be repeated), `--warm-up S`, `--seconds S`,
    /// `--rate N`, `--echo`, `--record FOLDER`, `--json`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    setup::prepare(Purpose::Test)?;
    setup::packages(PACKAGES)?;
    let python = setup::python()?;
    let binary = build::wirespan("release")?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root()).args(["build", "--release", "--package", "wirespan-tests", "--bins"]);
    step("build the rig", || child::run(&mut cargo))?;
    let mut rig = Command::new(place::target().join("release/causality"));
    rig.env("WIRESPAN_BIN", binary).env("WIRESPAN_PYTHON", python).args(&arguments.rest);
    child::run(&mut rig)
}
