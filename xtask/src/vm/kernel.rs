//! A kernel series in, the path of a stock Debian kernel image out. Packages come through apt, which checks their
//! signatures, with lists of its own under `out/vm/`: the host's apt is left as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    child,
    step::{note, step},
};

/// Kernel series, and the Debian release whose stock kernel it is.
pub(super) const SERIES: [(&str, &str); 3] = [("5.10", "bullseye"), ("6.1", "bookworm"), ("6.12", "trixie")];
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The image of the newest kernel of `series`; fetched once, then kept in `folder`.
pub(super) fn image(series: &str, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join(series);
    if let Some(image) = unpacked(&folder) {
        note(&format!("kernel: {}", image.display()));
        return Ok(image);
    }
    let (_, release) = SERIES.iter().find(|(name, _)| *name == series).context("no such kernel series")?;
    step(&format!("fetch Debian's Linux {series} ({release})"), || fetch(series, release, &folder))?;
    unpacked(&folder).with_context(|| format!("the package held no kernel image, see {}", folder.display()))
}

fn unpacked(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder.join("root/boot")).ok()?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
}

fn fetch(series: &str, release: &str, folder: &Path) -> Result<()> {
    for name in ["lists/partial", "cache/archives/partial", "state"] {
        fs::create_dir_all(folder.join(name))
            .with_context(|| format!("make {}", folder.join(name).display()))?;
    }
    fs::write(folder.join("state/status"), "").context("write an empty package state")?;
    let source = format!("deb [signed-by={KEYS}] {MIRROR} {release} main\n");
    fs::write(folder.join("sources.list"), source).context("write the list of sources")?;
    child::quiet(apt("apt-get", folder).args(["update", "--quiet"]))?;
    let prefix = format!("linux-image-{series}.");
    let names = child::read(apt("apt-cache", folder).args(["pkgnames", &prefix]))?;
    let Some(package) = newest(&names) else {
        bail!(
            "Debian {release} has no cloud kernel {series} any more: adapt the table of series in xtask/src/vm/kernel.rs"
        );
    };
    child::quiet(apt("apt-get", folder).args(["download", package]))?;
    unpack(folder)
}

/// apt with its state, cache and sources under `folder`.
fn apt(program: &str, folder: &Path) -> Command {
    let option = |key: &str, name: &str| format!("-o{key}={}", folder.join(name).display());
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .args([option("Dir::Etc::SourceList", "sources.list"), "-oDir::Etc::SourceParts=-".to_owned()])
        .args([option("Dir::State::Lists", "lists"), option("Dir::State::status", "state/status")])
        // Downloads as root would otherwise switch to a user that cannot write here, and warn.
        .args([option("Dir::Cache", "cache"), "-oAPT::Sandbox::User=root".to_owned()]);
    command
}

fn unpack(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let package = files.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.context("apt-get download left no package")?;
    child::quiet(Command::new("dpkg-deb").arg("-x").arg(&package).arg(folder.join("root")))?;
    fs::remove_file(&package).with_context(|| format!("remove {}", package.display()))
}

/// The signed cloud kernel with the highest version among package names, one a line.
fn newest(names: &str) -> Option<&str> {
    names.lines().filter(|name| name.ends_with("-cloud-amd64")).max_by_key(|name| numbers(name))
}

fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn the_newest_signed_cloud_kernel_is_taken() {
        let names = "linux-image-6.1.0-9-cloud-amd64\nlinux-image-6.1.0-47-cloud-amd64\n\
                     linux-image-6.1.0-48-amd64\nlinux-image-6.1.0-50-cloud-amd64-unsigned\n";
        assert_eq!(newest(names), Some("linux-image-6.1.0-47-cloud-amd64"));
        assert_eq!(newest("linux-image-6.1.0-48-rt-amd64\n"), None);
    }
}
