//! `cargo xtask page`: the collector's page. Its built files are committed, so that only who changes it needs Node.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Build it elsewhere and fail where the committed files are others.
    #[arg(long)]
    check: bool,
}

/// `cargo xtask page`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    install()?;
    if arguments.check {
        return compare();
    }
    test()?;
    step("build the page", || child::run(&mut npm(&["run", "build"])))
}

/// Tests it, and that the committed files are what its sources build; where there is no Node, says so.
pub(crate) fn check() -> Result<()> {
    if let Err(error) = install() {
        note(&format!("the page's own tests are left out: {error:#}"));
        return Ok(());
    }
    test()?;
    compare()
}

fn folder() -> PathBuf {
    place::root().join("collector/ui")
}

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder()).args(arguments);
    command
}

fn install() -> Result<()> {
    if place::program("npm").is_none() {
        bail!("the page is built with Node 20.19 or later (https://nodejs.org): install it, then again");
    }
    let strict = ["ci", "--no-audit", "--no-fund", "--engine-strict"];
    step("install the page's packages", || child::quiet(&mut npm(&strict)))
}

fn test() -> Result<()> {
    step("check the page's types", || child::quiet(&mut npm(&["run", "check"])))?;
    step("test the page", || child::run(&mut npm(&["test"])))
}

fn compare() -> Result<()> {
    let out = place::out("page")?;
    let place = out.to_string_lossy().into_owned();
    let build = ["run", "build", "--", "--emptyOutDir", "--outDir", &place];
    step("build the page once more", || child::quiet(&mut npm(&build)))?;
    if files(&out, &out)? != files(&folder().join("dist"), &folder().join("dist"))? {
        bail!("collector/ui/dist is not what collector/ui builds: run `cargo xtask page` and commit it");
    }
    note("the committed page is what its sources build");
    Ok(())
}

fn files(folder: &Path, base: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, base)?);
        } else {
            found.insert(path.strip_prefix(base)?.to_path_buf(), fs::read(&path)?);
        }
    }
    Ok(found)
}
