//! What is loaded in the kernel, as bpftool lists it.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::program;

/// Ids of everything of one sort (`prog`, `map`, `link`) that is loaded.
fn ids(sort: &'static str) -> Result<BTreeSet<(&'static str, u64)>> {
    let text = program::run(Command::new("bpftool").args(["--json", sort, "list"]))?;
    let list: Value = serde_json::from_str(&text).with_context(|| format!("bpftool {sort} list: {text}"))?;
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(list.iter().filter_map(|one| Some((sort, one["id"].as_u64()?))).collect())
}

/// Every program, map and link that is loaded, ours and others'.
pub fn loaded() -> Result<BTreeSet<(&'static str, u64)>> {
    ["prog", "map", "link"].into_iter().try_fold(BTreeSet::new(), |mut all, sort| {
        all.extend(ids(sort)?);
        Ok(all)
    })
}
