//! The OpenTelemetry collector that the OTLP tests talk to, built from the Go module proxy into `out/collector/`.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

const VERSION: &str = "0.155.0";
/// Receives OTLP, writes what it received to a file and to the log.
const MANIFEST: &str = "\
dist: {name: otelcol, output_path: ./build}
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.155.0
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v0.155.0
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter v0.155.0
";

/// The binary; builds it first if it is not there.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = place::out("collector")?;
    let binary = folder.join("otelcol");
    if binary.is_file() {
        note(&format!("OpenTelemetry collector {VERSION}: there"));
        return Ok(binary);
    }
    if place::program("go").is_none() {
        bail!(
            "the OpenTelemetry collector is built with Go: install Go 1.24 or later (https://go.dev/dl), then again"
        );
    }
    step(&format!("build the OpenTelemetry collector {VERSION} (two minutes)"), || build(&folder))?;
    Ok(binary)
}

fn build(folder: &std::path::Path) -> Result<()> {
    fs::write(folder.join("manifest.yaml"), MANIFEST).context("write the collector's manifest")?;
    let builder = format!("go.opentelemetry.io/collector/cmd/builder@v{VERSION}");
    child::quiet(Command::new("go").env("GOBIN", folder).args(["install", &builder]))?;
    let generated = child::read(Command::new(folder.join("builder")).current_dir(folder).args([
        "--config",
        "manifest.yaml",
        "--skip-compilation",
    ]));
    // The builder's last step (`go mod tidy`) wants the test dependencies of everything and may fail where they are not
    // to be had; the sources are written by then.
    if !folder.join("build/go.mod").is_file() {
        generated?;
    }
    child::quiet(Command::new("go").current_dir(folder.join("build")).args([
        "build",
        "-mod=mod",
        "-p",
        "1",
        "-trimpath",
        "-ldflags=-s -w",
        "-o",
        "../otelcol",
        ".",
    ]))
}
