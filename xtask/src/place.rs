//! Where things are: the workspace, its target folder, and `out/`, where everything made on the way goes.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::arch::Arch;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("xtask is a folder of the workspace").to_path_buf()
}

/// Cargo's target folder: `CARGO_TARGET_DIR` if set, else the workspace's.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The wirespan binary of a profile, `release` or `debug`.
pub(crate) fn binary(profile: &str) -> PathBuf {
    target().join(profile).join("wirespan")
}

/// The folder of what cargo built for `arch` with a profile.
pub(crate) fn built(arch: Arch, profile: &str) -> PathBuf {
    if arch.is_foreign() { target().join(arch.target()).join(profile) } else { target().join(profile) }
}

/// A folder under `out/`, made if it is not there.
pub(crate) fn out(name: &str) -> Result<PathBuf> {
    let folder = root().join("out").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The first `name` on `PATH`, or in cargo's own folder of programs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let administrator = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(cargo_home().map(|home| home.join("bin")))
        .chain(administrator)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
}

/// Are we root?
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
