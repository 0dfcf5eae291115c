//! Comes in: the workspace's files and cargo's metadata. Goes out: `file:line: what is wrong and what to do`. Refuses:
//! taste. Everything here is a rule that is written down in ARCHITECTURE.md or the house style.

mod code;
mod dependencies;
mod page;
mod source;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{child, place};

/// Folders that hold nothing of ours.
const FOREIGN: &[&str] = &[".git", "target", "out", "node_modules", "corpus", "artifacts", "__pycache__"];
/// Texts that people read and write. Recordings and images are left out.
const TEXTS: &[&str] =
    &["rs", "toml", "md", "py", "sh", "yml", "yaml", "conf", "c", "run", "ts", "svelte", "css", "html"];
/// Built files: what they are built from is looked at.
const BUILT: &str = "collector/ui/dist";

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// `cargo xtask tidy`
pub(crate) fn run() -> Result<()> {
    let root = place::root();
    let mut findings = dependencies::check(&metadata(&root)?)?;
    findings.extend(page::check(&root)?);
    let files = texts(&root)?;
    for file in &files {
        findings.extend(check(&root, file)?);
    }
    findings.iter().for_each(|finding| println!("{finding}"));
    if !findings.is_empty() {
        bail!("{} findings in {} files", findings.len(), files.len());
    }
    eprintln!("   tidy: {} files, nothing found", files.len());
    Ok(())
}

fn check(root: &Path, file: &Path) -> Result<Vec<Finding>> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
    Ok(source::check(&name, &text))
}

fn metadata(root: &Path) -> Result<serde_json::Value> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["metadata", "--format-version", "1", "--no-deps"]);
    serde_json::from_str(&child::read(&mut cargo)?).context("read cargo's metadata")
}

fn texts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() && !path.ends_with(BUILT) && !FOREIGN.contains(&name.as_str())
        {
            found.extend(texts(&path)?);
        } else if path.is_file() && is_text(&path, &name) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_text(path: &Path, name: &str) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
    TEXTS.contains(&extension.as_deref().unwrap_or(name))
}
