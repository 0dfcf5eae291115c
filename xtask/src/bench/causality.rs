//! `cargo xtask bench causality`: builds the rig and the daemon, and passes the arguments on to the rig, which is a program
//! of the tests.

use std::process::Command;

use anyhow::Result;

use crate::{
    build, child, place,
    setup::{self, Purpose},
    step::step,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// For the rig: `--runtime R`, `--pattern P`, `--in-flight N` (each may be repeated), `--seconds S`, `--rate N`,
    /// `--echo`, `--json`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    setup::prepare(Purpose::Test)?;
    let python = setup::python()?;
    let binary = build::wirespan("release")?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root()).args(["build", "--release", "--package", "wirespan-tests", "--bins"]);
    step("build the rig", || child::run(&mut cargo))?;
    let mut rig = Command::new(place::target().join("release/causality"));
    rig.env("WIRESPAN_BIN", binary).env("WIRESPAN_PYTHON", python).args(&arguments.rest);
    child::run(&mut rig)
}
