//! systemd-resolved, which a DNS test starts, under `out/resolved/`. It is unpacked and not installed: its package makes the
//! host's own questions go through it.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use super::packages;
use crate::{
    child, place,
    step::{note, step},
};

/// Its program; unpacks the package first if that was not done.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = place::out("resolved")?;
    let program = folder.join("lib/systemd/systemd-resolved");
    if program.is_file() {
        note("systemd-resolved: there");
        return Ok(program);
    }
    if place::program("apt-get").is_none() || place::program("dpkg-deb").is_none() {
        bail!("systemd-resolved is taken from Debian's package, and this host has no apt");
    }
    packages(&["libsystemd-shared"])?;
    step("unpack systemd-resolved", || unpack(&folder))?;
    if program.is_file() { Ok(program) } else { bail!("the package has no {}", program.display()) }
}

fn unpack(folder: &PathBuf) -> Result<()> {
    let mut download = Command::new("apt-get");
    // The user that apt takes for downloads may not write here.
    download.current_dir(folder).args(["-o", "APT::Sandbox::User=root", "download", "systemd-resolved"]);
    child::quiet(&mut download)?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "deb");
    let files = fs::read_dir(folder).context("list what apt downloaded")?;
    let package = files.filter_map(Result::ok).map(|file| file.path()).find(is_package);
    let package = package.context("apt downloaded no package")?;
    child::quiet(Command::new("dpkg-deb").arg("--extract").arg(package).arg(folder))
}
