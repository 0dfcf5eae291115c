//! FerretDB, the server that the MongoDB tests talk to, built from the Go module proxy into `out/ferretdb/`. Version 1 is
//! the last that keeps its data in SQLite; later ones need an extension of PostgreSQL.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

const MODULE: &str = "github.com/FerretDB/FerretDB";
const VERSION: &str = "v1.24.0";

/// The binary, where it is there.
pub(crate) fn built() -> Option<PathBuf> {
    Some(place::root().join("out/ferretdb/ferretdb")).filter(|binary| binary.is_file())
}

/// Builds it if it is not there.
pub(crate) fn prepare() -> Result<()> {
    if built().is_some() {
        note(&format!("FerretDB {VERSION}: there"));
        return Ok(());
    }
    if place::program("go").is_none() {
        bail!("FerretDB is built with Go: install Go 1.22 or later (https://go.dev/dl), then again");
    }
    step(&format!("build FerretDB {VERSION} (two minutes)"), build)
}

fn build() -> Result<()> {
    let (folder, module) = (place::out("ferretdb")?, format!("{MODULE}@{VERSION}"));
    let found = child::read(Command::new("go").args(["mod", "download", "-json", &module]))?;
    let found: serde_json::Value = serde_json::from_str(&found).context("read Go's answer")?;
    let cached = found["Dir"].as_str().context("Go does not say where the module is")?;
    // A copy: Go's cache is read-only, and the program wants its version in a file that releases do not have.
    let source = folder.join("source");
    if source.exists() {
        fs::remove_dir_all(&source).context("remove what an earlier try left")?;
    }
    child::quiet(Command::new("cp").args(["-r", "--no-preserve=mode", cached]).arg(&source))?;
    fs::write(source.join("build/version/version.txt"), VERSION).context("write FerretDB's version")?;
    let mut go = Command::new("go");
    go.current_dir(&source).args([
        "build",
        "-mod=mod",
        "-buildvcs=false",
        "-p",
        "1",
        "-ldflags=-s -w",
        "-o",
        "../ferretdb",
    ]);
    child::quiet(go.arg("./cmd/ferretdb"))?;
    fs::remove_dir_all(&source).context("remove the source")
}
