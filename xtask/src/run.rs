//! `cargo xtask run`: from a fresh clone to a running wirespan, with `--demo` also a shop to watch.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    child::{self, Running},
    place,
    setup::{self, Purpose},
    step::note,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also start a small shop of unmodified programs (nginx, two Python services, PostgreSQL, Redis) and visit it.
    #[arg(long)]
    demo: bool,
    /// Visits a second to the demo's shop.
    #[arg(long, default_value_t = 5.0, requires = "demo")]
    rate: f64,
    /// Passed on to `wirespan run`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// `cargo xtask run`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("cargo xtask run")?;
    setup::prepare(if arguments.demo { Purpose::Demo } else { Purpose::Build })?;
    let binary = build::wirespan("release")?;
    let _shop = arguments.demo.then(|| shop(arguments.rate)).transpose()?;
    note("wirespan starts; Ctrl-C ends it");
    child::run(Command::new(binary).arg("run").args(&arguments.arguments))
}

/// Starts the shop; it lives as long as what is returned.
fn shop(rate: f64) -> Result<Running> {
    let mut command = Command::new(python());
    command
        .arg(place::root().join("demo/shop.py"))
        .args(["--databases", "--rate", &rate.to_string()])
        .stdout(Stdio::piped());
    let mut shop = Running::start(&mut command)?;
    let mut first = String::new();
    BufReader::new(shop.stdout()?).read_line(&mut first).context("wait for the demo's shop")?;
    let Some(address) = first.trim().strip_prefix("open ") else {
        bail!("the demo's shop did not open; see above");
    };
    note(&format!("the demo's shop is open at {address} ({rate} visits a second)"));
    Ok(shop)
}

/// The system's Python where there is one: version managers put a shell script of the same name on PATH.
fn python() -> &'static str {
    if std::path::Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}
