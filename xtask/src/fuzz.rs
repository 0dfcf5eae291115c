//! `cargo xtask fuzz`: runs fuzz targets for some seconds each. Every folder `fuzz/` of a crate may hold some.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

const VERSION: &str = "0.13.2";
/// Crates whose code meets bytes from outside.
const CRATES: &[&str] = &["agent/protocol"];
/// Below this a target hardly gets past its start.
const LEAST_SECONDS: u64 = 5;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this target.
    target: Option<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

struct Target {
    folder: PathBuf,
    name: String,
}

/// `cargo xtask fuzz`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = targets()?;
    let chosen: Vec<_> = all
        .iter()
        .filter(|target| arguments.target.as_ref().is_none_or(|name| *name == target.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
        bail!("no such fuzz target; there are: {}", names.join(", "));
    }
    tool()?;
    chosen.iter().try_for_each(|target| fuzz(target, arguments.seconds))
}

/// Shares `seconds` among all targets.
pub(crate) fn every_target(seconds: u64) -> Result<()> {
    let targets = targets()?;
    if targets.is_empty() {
        bail!("no fuzz target found under {CRATES:?}");
    }
    tool()?;
    let each = (seconds / targets.len() as u64).max(LEAST_SECONDS);
    targets.iter().try_for_each(|target| fuzz(target, each))
}

fn targets() -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for folder in CRATES.iter().map(|name| place::root().join(name).join("fuzz")) {
        targets.extend(names(&folder)?.into_iter().map(|name| Target { folder: folder.clone(), name }));
    }
    Ok(targets)
}

/// By cargo-fuzz's custom, each file in `fuzz_targets/` is a target.
fn names(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("fuzz_targets");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
    let paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    let mut names: Vec<_> = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn tool() -> Result<()> {
    if place::program("cargo-fuzz").is_some() {
        return Ok(());
    }
    step(&format!("install cargo-fuzz {VERSION} (about a minute)"), || {
        child::quiet(Command::new("cargo").env_remove("CARGO_TARGET_DIR").args([
            "install",
            "cargo-fuzz",
            "--version",
            VERSION,
            "--locked",
        ]))
    })
}

fn fuzz(target: &Target, seconds: u64) -> Result<()> {
    note(&format!("{}: {seconds} s", target.name));
    step(&format!("fuzz {}", target.name), || {
        child::quiet(
            Command::new("cargo")
                // The sanitizer is an unstable flag; the stable compiler has it all the same.
                .env("RUSTC_BOOTSTRAP", "1")
                .current_dir(&target.folder)
                .args(["fuzz", "run", "--fuzz-dir", ".", &target.name, "--"])
                .args([
                    format!("-max_total_time={seconds}"),
                    "-timeout=10".into(),
                    "-rss_limit_mb=2048".into(),
                ]),
        )
    })
}
