//! What compiling for another processor takes: Rust's standard library for it, a C compiler that links, a C library. The
//! kernel programs are the same bytes everywhere.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::packages;
use crate::{
    arch::Arch,
    child,
    step::{note, step},
};

/// Makes sure that programs for `arch` can be built; nothing to do where that is this machine's.
pub(crate) fn prepare(arch: Arch) -> Result<()> {
    if !arch.is_foreign() {
        return Ok(());
    }
    let (name, debian) = (arch.gnu().replace('_', "-"), arch.debian());
    packages(&[&format!("gcc-{name}"), &format!("libc6-dev-{debian}-cross")])?;
    if has_standard_library(arch)? {
        note(&format!("Rust's standard library for {}: there", arch.target()));
        return Ok(());
    }
    step(&format!("fetch Rust's standard library for {}", arch.target()), || {
        child::quiet(Command::new("rustup").args(["target", "add", arch.target()])).context(
            "without rustup, install the package with that library for the compiler that this host has",
        )
    })
}

fn has_standard_library(arch: Arch) -> Result<bool> {
    let mut rustc = Command::new("rustc");
    let folder = child::read(rustc.args(["--print", "target-libdir", "--target", arch.target()]))?;
    Ok(Path::new(folder.trim()).is_dir())
}

/// Tells cargo, and through it the scripts that compile C, what to build for and with what.
pub(crate) fn target(cargo: &mut Command, arch: Arch) {
    if !arch.is_foreign() {
        return;
    }
    let (target, compiler) = (arch.target(), format!("{}-gcc", arch.gnu()));
    let variable = target.to_uppercase().replace('-', "_");
    cargo
        .args(["--target", target])
        .env(format!("CARGO_TARGET_{variable}_LINKER"), &compiler)
        .env(format!("CC_{}", target.replace('-', "_")), &compiler);
}
