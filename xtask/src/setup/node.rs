//! The npm packages of the test programs, as pinned in `tests/programs/package.json`, under `out/node/`.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    child, place,
    step::{note, step},
};

/// The folder `node_modules`; its packages are fetched first if the list of them is another.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = place::out("node")?;
    let (packages, stamp) = (folder.join("node_modules"), folder.join("made-for.json"));
    let list = place::root().join("tests/programs/package.json");
    let wanted = fs::read(&list).with_context(|| format!("read {}", list.display()))?;
    if packages.is_dir() && fs::read(&stamp).is_ok_and(|made| made == wanted) {
        note("npm packages: there");
        return Ok(packages);
    }
    step("install the npm packages of the test programs", || {
        fs::copy(&list, folder.join("package.json")).context("copy package.json")?;
        let mut install = Command::new("npm");
        install.current_dir(&folder).args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
        child::quiet(&mut install)
    })?;
    fs::write(&stamp, wanted).with_context(|| format!("write {}", stamp.display()))?;
    Ok(packages)
}
