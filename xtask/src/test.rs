//! `cargo xtask test`: every check there is, as a list of stages. `--no-root` keeps to what an ordinary user can run.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{
    arch::Arch,
    build, child, fuzz, page, place,
    setup::{self, Purpose},
    step::{note, step},
    tidy, vm,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only what needs neither root nor installed programs.
    #[arg(long)]
    pub(crate) no_root: bool,
    /// Seconds for each fuzz target.
    #[arg(long, default_value_t = 10)]
    pub(crate) fuzz_seconds: u64,
    /// Check on every kernel that `cargo xtask vm` knows, and not on those of Debian's releases alone.
    #[arg(long)]
    pub(crate) every_kernel: bool,
}

/// One named part of the tests.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn Fn() -> Result<()>>,
}

impl Stage {
    fn new(name: &'static str, run: impl Fn() -> Result<()> + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// `cargo xtask test`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.no_root {
        setup::require_root("cargo xtask test (or use --no-root)")?;
    }
    stages(arguments).iter().try_for_each(|stage| step(stage.name, &stage.run))
}

/// The stages, quick ones first.
pub(crate) fn stages(arguments: &Arguments) -> Vec<Stage> {
    let mut stages = ordinary();
    if !arguments.no_root {
        stages.insert(0, Stage::new("set-up", || setup::prepare(Purpose::Test)));
        stages.extend(root(arguments));
    }
    stages
}

fn ordinary() -> Vec<Stage> {
    vec![
        Stage::new("tidy", tidy::run),
        Stage::new("formatting", || cargo(&["fmt", "--all", "--check"])),
        Stage::new("clippy", || {
            cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
        }),
        Stage::new("tests without root", || {
            let mut command = Command::new("cargo");
            // The same cases each time; fuzzing and a plain `cargo test` look for new ones.
            command.current_dir(place::root()).env("PROPTEST_RNG_SEED", "7").args(["test", "--workspace"]);
            child::run(&mut command)
        }),
        Stage::new("the page", page::check),
    ]
}

fn root(arguments: &Arguments) -> Vec<Stage> {
    let Arguments { fuzz_seconds, every_kernel, .. } = *arguments;
    vec![
        Stage::new("check for arm64", check_for_arm64),
        Stage::new("release build", || build::wirespan("release").map(drop)),
        Stage::new("the page in a browser", page::views),
        Stage::new("end-to-end tests", end_to_end),
        Stage::new("stock kernels", move || vm::stock_kernels(every_kernel)),
        Stage::new("fuzz smoke", move || fuzz::smoke(fuzz_seconds)),
    ]
}

fn cargo(arguments: &[&str]) -> Result<()> {
    child::run(Command::new("cargo").current_dir(place::root()).args(arguments))
}

/// Left out where the tools to compile for it are not to be had.
fn check_for_arm64() -> Result<()> {
    match setup::prepare_cross(Arch::Arm64) {
        Ok(()) => build::check(Arch::Arm64),
        Err(error) => {
            note(&format!("the check for arm64 is left out: {error:#}"));
            Ok(())
        }
    }
}

/// One test at a time: each starts a daemon that sees the whole host.
fn end_to_end() -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .current_dir(place::root())
        .env("WIRESPAN_BIN", place::binary("release"))
        .env("WIRESPAN_PYTHON", setup::python()?)
        .env("WIRESPAN_NODE_MODULES", setup::node()?)
        .env("WIRESPAN_KAFKA", setup::kafka()?)
        .env("WIRESPAN_MONGODB", setup::mongodb()?)
        .args(["test", "--package", "wirespan-tests", "--test", "e2e"])
        .args(["--", "--ignored", "--test-threads=1"]);
    match collector() {
        Some(collector) => command.env("WIRESPAN_OTELCOL", collector),
        None => command.arg("--skip=otlp::"),
    };
    match setup::resolved() {
        Ok(resolved) => command.env("WIRESPAN_RESOLVED", resolved),
        Err(error) => {
            note(&format!("the test of systemd-resolved is left out: {error:#}"));
            command.arg("--skip=dns::systemd_resolved")
        }
    };
    child::run(&mut command)
}

/// The collector that the OTLP tests talk to, built where Go is there; else those tests are left out.
fn collector() -> Option<PathBuf> {
    if place::program("go").is_none() {
        note("no Go on this host, so no OpenTelemetry collector: the otlp tests are left out");
        return None;
    }
    setup::collector().inspect_err(|error| note(&format!("the otlp tests are left out: {error:#}"))).ok()
}
