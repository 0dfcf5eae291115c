//! Compiles the kernel programs for `bpfel-unknown-none` and leaves the object for embedding. Where the tools are
//! missing the crate still builds, without the object, and the daemon says so at its start.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "bpfel-unknown-none";

/// What is embedded, and the features of `ebpf/` that make it: one for Linux 5.12 and later, one for those before.
const OBJECTS: [(&str, &str); 2] = [("wirespan.bpf.o", ""), ("wirespan-older.bpf.o", "older")];

/// A way to compile for [`TARGET`].
struct Toolchain {
    cargo: Command,
    what: &'static str,
}

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    for watched in ["ebpf", "proto/src", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(watched).display());
    }
    println!("cargo:rerun-if-env-changed=WIRESPAN_SKIP_EBPF");
    println!("cargo:rerun-if-env-changed=PATH");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    for (object, features) in OBJECTS {
        let object = out.join(object);
        match compile(&root, &out, features) {
            Ok(built) => fs::copy(built, &object).map(|_| ()).expect("the build folder is writable"),
            Err(missing) => {
                println!("cargo:warning=built without kernel programs: {missing}");
                fs::write(&object, []).expect("the build folder is writable");
            }
        }
    }
}

fn compile(root: &Path, out: &Path, features: &str) -> Result<PathBuf, String> {
    if env::var_os("WIRESPAN_SKIP_EBPF").is_some() {
        return Err("WIRESPAN_SKIP_EBPF is set".into());
    }
    let linker = linker().ok_or("bpf-linker is missing; `cargo xtask setup` installs it")?;
    let mut toolchain = debian()
        .or_else(nightly)
        .ok_or("no Rust with a core library for BPF; `cargo xtask setup` installs one")?;
    let flags = format!(
        "-Clinker={}\u{1f}-Cdebuginfo=2\u{1f}-Clink-arg=--btf\u{1f}-Ctarget-cpu=v3",
        linker.display()
    );
    let target_dir = out.join("bpf");
    let status = toolchain
        .cargo
        .current_dir(root)
        .args(["build", "--release", "--target", TARGET, "--package", "wirespan-ebpf", "--target-dir"])
        .arg(&target_dir)
        .args(["--features", features])
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_BUILD_TARGET")
        .status()
        .map_err(|error| format!("cannot run cargo for the kernel programs: {error}"))?;
    assert!(status.success(), "the kernel programs do not compile with {}; see above", toolchain.what);
    Ok(target_dir.join(TARGET).join("release/wirespan-ebpf"))
}

/// On the search path, or where `cargo install` puts it.
fn linker() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .map(|home| home.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(home).map(|folder| folder.join("bpf-linker")).find(|file| file.is_file())
}

/// Debian ships a ready-made `core` for BPF with its own compiler (`libstd-rust-web-dev-bpf`). That compiler is a
/// stable one; the few unstable features that a freestanding program needs want `RUSTC_BOOTSTRAP`.
fn debian() -> Option<Toolchain> {
    let rustc = "/usr/bin/rustc";
    let printed = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output().ok()?;
    let folder = String::from_utf8(printed.stdout).ok()?;
    let has_core = fs::read_dir(folder.trim())
        .ok()?
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore"));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    has_core.then_some(Toolchain { cargo, what: "Debian's rustc" })
}

/// Elsewhere: a nightly with `rust-src` builds `core` itself.
fn nightly() -> Option<Toolchain> {
    let printed =
        Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8(printed.stdout).ok()?.trim());
    let has_source = sysroot.join("lib/rustlib/src/rust/library/core").is_dir();
    let mut cargo = Command::new("rustup");
    cargo
        .args(["run", "nightly", "cargo", "-Zbuild-std=core"])
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN");
    has_source.then_some(Toolchain { cargo, what: "nightly and rust-src" })
}
