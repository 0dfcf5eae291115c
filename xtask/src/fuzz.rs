//! `cargo xtask fuzz`: runs fuzz targets for some seconds each. Every folder `fuzz/` of a crate may hold some.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{
    child, place,
    step::{note, step},
};

const VERSION: &str = "0.13.2";
/// Crates whose code meets bytes from outside.
const CRATES: &[&str] = &["agent/capture-file", "agent/protocol", "agent/recording", "collector"];
/// Of these `cargo xtask test` runs the fuzz targets. The collector's take minutes to build with the sanitizer: there a plain
/// test runs them (`collector/tests/fuzz.rs`).
const SMOKE: &[&str] = &["agent/capture-file", "agent/protocol", "agent/recording"];

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
    let all = targets(CRATES)?;
    let chosen: Vec<_> = all
        .iter()
        .filter(|target| arguments.target.as_ref().is_none_or(|name| *name == target.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
        bail!("no such fuzz target; there are: {}", names.join(", "));
    }
    tool()?;
    side_by_side(&chosen, arguments.seconds)
}

/// The targets that are soon built, `seconds` each.
pub(crate) fn smoke(seconds: u64) -> Result<()> {
    let targets = targets(SMOKE)?;
    if targets.is_empty() {
        bail!("no fuzz target found under {SMOKE:?}");
    }
    tool()?;
    side_by_side(&targets.iter().collect::<Vec<_>>(), seconds)
}

/// One a processor at a time. The first failure ends it once those that run have had their time.
fn side_by_side(targets: &[&Target], seconds: u64) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            fuzz(target, seconds).inspect_err(|_| next.store(targets.len(), Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a thread panicked"))?)
    })
}

fn targets(crates: &[&str]) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for folder in crates.iter().map(|name| place::root().join(name).join("fuzz")) {
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

/// What a target learns goes into `corpus/`; what it should know from the start may stand in `seeds/`.
fn inputs(target: &Target) -> Result<Vec<PathBuf>> {
    let [corpus, seeds] = ["corpus", "seeds"].map(|name| target.folder.join(name).join(&target.name));
    fs::create_dir_all(&corpus).with_context(|| format!("make {}", corpus.display()))?;
    Ok([corpus, seeds].into_iter().filter(|folder| folder.is_dir()).collect())
}

fn fuzz(target: &Target, seconds: u64) -> Result<()> {
    note(&format!("{}: {seconds} s", target.name));
    let inputs = inputs(target)?;
    step(&format!("fuzz {}", target.name), || {
        child::quiet(
            Command::new("cargo")
                // The sanitizer is an unstable flag; the stable compiler has it all the same.
                .env("RUSTC_BOOTSTRAP", "1")
                .current_dir(&target.folder)
                .args(["fuzz", "run", "--fuzz-dir", ".", &target.name])
                .args(inputs)
                .arg("--")
                .args([
                    format!("-max_total_time={seconds}"),
                    "-timeout=10".into(),
                    "-rss_limit_mb=2048".into(),
                ]),
        )
    })
}
