//! The toolchain of the kernel programs. Two roads: Debian's `rustc-web`, which brings a ready-made `core` for BPF, with
//! bpf-linker on LLVM 22; elsewhere a nightly toolchain with `rust-src`, and bpf-linker with an LLVM of its own.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::{
    child, place, setup,
    step::{note, step},
};

/// Pinned: 0.13.0 is the newest that links against Debian's LLVM 22 by this recipe.
const LINKER_VERSION: &str = "0.13.0";
const LLVM: &str = "/usr/lib/llvm-22";
const PACKAGES: &[&str] = &[
    "rustc-web",
    "libstd-rust-web-dev-bpf",
    "llvm-22-dev",
    "libpolly-22-dev",
    "libzstd-dev",
    "zlib1g-dev",
    "g++",
];
const ELSEWHERE: &str = "\
the kernel programs need a Rust toolchain for BPF, and this host has none. To get it:
    rustup toolchain install nightly --component rust-src
    cargo install bpf-linker
or, on Debian 12 and later, run `cargo xtask setup` as root.";

/// Makes sure that one of the two roads is open.
pub(crate) fn prepare() -> Result<()> {
    if is_debian() && (place::is_root() || debian_is_ready()) {
        setup::packages(PACKAGES)?;
        return linker();
    }
    if nightly_is_ready() {
        note("kernel programs: nightly toolchain with rust-src, and bpf-linker");
        return Ok(());
    }
    bail!(ELSEWHERE)
}

fn is_debian() -> bool {
    place::program("apt-get").is_some() && Path::new("/etc/debian_version").exists()
}

fn debian_is_ready() -> bool {
    Path::new(LLVM).exists() && place::program("bpf-linker").is_some()
}

fn nightly_is_ready() -> bool {
    let sysroot = child::read(Command::new("rustc").args(["+nightly", "--print", "sysroot"]));
    let source = sysroot.map(|path| Path::new(path.trim()).join("lib/rustlib/src/rust/library/core"));
    source.is_ok_and(|path| path.exists()) && place::program("bpf-linker").is_some()
}

fn linker() -> Result<()> {
    if linker_version().is_some_and(|version| version == LINKER_VERSION) {
        note(&format!("bpf-linker {LINKER_VERSION}: there"));
        return Ok(());
    }
    step(&format!("build bpf-linker {LINKER_VERSION} (about a minute)"), || {
        child::quiet(
            Command::new("cargo")
                .env("LLVM_PREFIX", LLVM)
                // A target folder of the workspace's would be filled with another program's objects.
                .env_remove("CARGO_TARGET_DIR")
                .args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked", "--force"])
                .args(["--no-default-features", "--features", "llvm-22"]),
        )
    })
}

fn linker_version() -> Option<String> {
    let program = place::program("bpf-linker")?;
    let line = child::read(Command::new(program).arg("--version")).ok()?;
    line.split_whitespace().nth(1).map(str::to_owned)
}
