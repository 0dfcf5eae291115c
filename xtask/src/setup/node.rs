//! The npm packages of the test programs, as pinned in `tests/programs/node/package-lock.json`, under `out/node/`.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

const LISTS: [&str; 2] = ["package.json", "package-lock.json"];

/// `node_modules`; installs the packages first if the list is another. No package's own script is run.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = place::out("node")?;
    let (packages, stamp) = (folder.join("node_modules"), folder.join("installed"));
    let list = place::root().join("tests/programs/node");
    let wanted = fs::read(list.join("package-lock.json")).context("read the list of npm packages")?;
    if packages.is_dir() && fs::read(&stamp).is_ok_and(|made| made == wanted) {
        note("npm packages: there");
        return Ok(packages);
    }
    if place::program("npm").is_none() {
        bail!(
            "the JavaScript programs of the tests need npm: install Node.js 20 or later (https://nodejs.org)"
        );
    }
    for name in LISTS {
        fs::copy(list.join(name), folder.join(name)).with_context(|| format!("copy {name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    step("install the npm packages of the test programs", || child::quiet(&mut npm))?;
    fs::write(&stamp, wanted).with_context(|| format!("write {}", stamp.display()))?;
    Ok(packages)
}
