//! The page's sources and its built files in; whether the ones were made from the others out. What says so is
//! `collector/ui/built.txt`, which the build writes: a line for each file, of its hash and its path.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Finding;

/// What the page is built from, and what is built. Also in `collector/ui/vite.config.ts`.
const PARTS: &[&str] = &[
    "index.html",
    "package.json",
    "package-lock.json",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
    "public",
    "src",
    "dist",
];
const AGAIN: &str = "run `cargo xtask page` (it needs Node) and commit what it builds";

/// Findings about files that are not those that were built, or built from.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let folder = root.join("collector/ui");
    let list = fs::read_to_string(folder.join("built.txt")).context("read collector/ui/built.txt")?;
    let mut files = BTreeMap::new();
    for part in PARTS {
        for file in all(&folder.join(part))? {
            let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            files.insert(file.strip_prefix(&folder)?.to_string_lossy().into_owned(), hash(&bytes));
        }
    }
    Ok(differences(&list, &files))
}

fn differences(list: &str, files: &BTreeMap<String, u64>) -> Vec<Finding> {
    let lines = list.lines().filter_map(|line| line.split_once(' '));
    let built: BTreeMap<_, _> = lines.map(|(hash, file)| (file, hash)).collect();
    let changed = files.iter().filter_map(|(file, hash)| match built.get(file.as_str()) {
        Some(known) if **known == format!("{hash:016x}") => None,
        Some(_) => Some((file.as_str(), "was changed since the page was built")),
        None => Some((file.as_str(), "was not there when the page was built")),
    });
    let gone = built.keys().filter(|file| !files.contains_key(**file)).map(|file| (*file, "is gone"));
    changed.chain(gone).map(|(file, what)| finding(file, what)).collect()
}

fn finding(file: &str, what: &str) -> Finding {
    Finding { file: format!("collector/ui/{file}"), line: 1, message: format!("{what}: {AGAIN}") }
}

fn all(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
        found.extend(all(&entry?.path())?);
    }
    Ok(found)
}

/// FNV-1a, 64 bits: enough against forgetting, which is all that it is for.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_came_or_went_is_found() {
        let files = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 3)]);
        // Two files of the same content have the same hash.
        let list = "0000000000000001 a\n0000000000000009 b\n0000000000000001 d\n";
        let found: Vec<_> = differences(list, &files).into_iter().map(|finding| finding.file).collect();
        assert_eq!(found, ["collector/ui/b", "collector/ui/c", "collector/ui/d"]);
    }

    #[test]
    fn the_hash_is_fnv() {
        assert_eq!((hash(b""), hash(b"a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }
}
