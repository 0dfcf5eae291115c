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

/// Kernels of one version, as a Debian release has them.
pub(super) struct Series {
    /// `5.10`, or `newest`.
    pub(super) name: &'static str,
    release: &'static str,
    /// What the version of a package begins with.
    version: &'static str,
    /// Is it part of a release, and so to be had on every day?
    pub(super) released: bool,
    /// The emulated processor.
    pub(super) cpu: &'static str,
}

/// Every feature that there is.
const MAX: &str = "max";
/// QEMU 7.2 now and then spoils the memory of a kernel whose allocator relies on `cmpxchg16b`; without the instruction it
/// takes a lock instead. Since Linux 6.18 there is another allocator, and BPF gets no memory where the instruction is missing.
const NO_CX16: &str = "max,cx16=off";

const fn released(name: &'static str, release: &'static str, version: &'static str) -> Series {
    Series { name, release, version, released: true, cpu: NO_CX16 }
}

/// The kernels that are checked.
pub(super) const SERIES: [Series; 4] = [
    released("5.10", "bullseye", "5.10."),
    released("6.1", "bookworm", "6.1."),
    released("6.12", "trixie", "6.12."),
    Series { name: "newest", release: "sid", version: "", released: false, cpu: MAX },
];
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The image of the newest kernel of `series`; fetched once, then kept in `folder`.
pub(super) fn image(series: &Series, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join(series.name);
    if let Some(image) = unpacked(&folder) {
        note(&format!("kernel: {}", image.display()));
        return Ok(image);
    }
    let what = format!("fetch Debian's Linux {} ({})", series.name, series.release);
    step(&what, || fetch(series, &folder))?;
    unpacked(&folder).with_context(|| format!("the package held no kernel image, see {}", folder.display()))
}

/// `/boot/vmlinuz-VERSION`; packages since 2026 have `/usr/lib/modules/VERSION/vmlinuz`.
fn unpacked(folder: &Path) -> Option<PathBuf> {
    let list =
        |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let boot = list(folder.join("root/boot"));
    let modules = list(folder.join("root/usr/lib/modules")).map(|version| version.join("vmlinuz"));
    let is_image = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")) && path.is_file()
    };
    boot.chain(modules).find(is_image)
}

fn fetch(series: &Series, folder: &Path) -> Result<()> {
    let Series { release, version, .. } = series;
    for name in ["lists/partial", "cache/archives/partial", "state"] {
        fs::create_dir_all(folder.join(name))
            .with_context(|| format!("make {}", folder.join(name).display()))?;
    }
    fs::write(folder.join("state/status"), "").context("write an empty package state")?;
    let source = format!("deb [signed-by={KEYS}] {MIRROR} {release} main\n");
    fs::write(folder.join("sources.list"), source).context("write the list of sources")?;
    child::quiet(apt("apt-get", folder).args(["update", "--quiet"]))?;
    let mut names = String::new();
    for prefix in PREFIXES {
        let prefix = format!("{prefix}{version}");
        names += &child::read(apt("apt-cache", folder).args(["pkgnames", &prefix]))?;
    }
    let Some(package) = newest(&names) else {
        bail!(
            "Debian {release} has no cloud kernel {version} any more: adapt the table of series in xtask/src/vm/kernel.rs"
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

/// What names of packages with a kernel in them begin with. Where there is one of the first, that of the second only
/// depends on it.
const PREFIXES: [&str; 2] = ["linux-binary-", "linux-image-"];

/// The signed cloud kernel with the highest version among package names, one a line.
fn newest(names: &str) -> Option<&str> {
    let signed = |name: &&str| name.ends_with("-cloud-amd64") && !name.contains("unsigned");
    let is_binary = |name: &str| name.starts_with(PREFIXES[0]);
    names.lines().filter(signed).max_by_key(|name| (numbers(name), is_binary(name)))
}

fn numbers(name: &str) -> Vec<u64> {
    name.trim_end_matches("-cloud-amd64")
        .split(|character: char| !character.is_ascii_digit())
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

    #[test]
    fn a_package_that_only_depends_on_the_kernel_is_not_taken() {
        let names = "linux-image-cloud-amd64\nlinux-binary-unsigned-7.2.13+deb14-cloud-amd64\n\
                     linux-binary-7.2.13+deb14-cloud-amd64\nlinux-image-7.2.13+deb14-cloud-amd64\n";
        assert_eq!(newest(names), Some("linux-binary-7.2.13+deb14-cloud-amd64"));
    }
}
