//! Programs in, the shared libraries and the loader that they need out, each with its place in the machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{arch::Arch, child};

/// Files of this host, and the names that they have in the machine.
pub(super) fn of(programs: &[&Path], arch: Arch) -> Result<BTreeMap<PathBuf, String>> {
    if arch.is_foreign() { cross(programs, arch) } else { native(programs) }
}

/// As ldd lists them, at the same places.
fn native(programs: &[&Path]) -> Result<BTreeMap<PathBuf, String>> {
    let listing = child::read(Command::new("ldd").args(programs))?;
    // Before its libraries, a program is named, with a colon.
    let paths = listing.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
    Ok(paths.map(|path| (path.into(), path.trim_start_matches('/').to_owned())).collect())
}

/// What cannot run here cannot be asked: its headers say what it needs, and the cross compiler brings that. All of it goes to
/// `/lib`, where the loader must be and where it looks.
fn cross(programs: &[&Path], arch: Arch) -> Result<BTreeMap<PathBuf, String>> {
    let folder = Path::new("/usr").join(arch.gnu()).join("lib");
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = programs.iter().map(|program| program.to_path_buf()).collect();
    while let Some(file) = open.pop() {
        let mut readelf = Command::new(format!("{}-readelf", arch.gnu()));
        let headers = child::read(readelf.args(["--wide", "--dynamic"]).arg(file))?;
        let new = needed(&headers).filter(|name| found.insert((*name).to_owned()));
        open.extend(new.map(|name| folder.join(name)));
    }
    Ok(found.into_iter().map(|name| (folder.join(&name), format!("lib/{name}"))).collect())
}

/// `0x0000000000000001 (NEEDED)  Shared library: [libc.so.6]`, as readelf prints it.
fn needed(headers: &str) -> impl Iterator<Item = &str> {
    let entries = headers.lines().filter(|line| line.contains("(NEEDED)"));
    entries.filter_map(|line| line.split_once('[')?.1.split_once(']').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_needs_is_read_from_its_headers() {
        let headers = "Dynamic section at offset 0x2b0 contains 29 entries:\n\
                       0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]\n\
                       0x0000000000000001 (NEEDED)             Shared library: [ld-linux-aarch64.so.1]\n\
                       0x000000000000000e (SONAME)             Library soname: [libm.so.6]\n";
        assert!(needed(headers).eq(["libgcc_s.so.1", "ld-linux-aarch64.so.1"]));
    }
}
