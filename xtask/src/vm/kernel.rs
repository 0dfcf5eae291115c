//! A kernel series and a processor in, the path of a stock Debian kernel image out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::package::Source;
use crate::{
    arch::Arch,
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
}

const fn released(name: &'static str, release: &'static str, version: &'static str) -> Series {
    Series { name, release, version, released: true }
}

/// The kernels that are checked.
pub(super) const SERIES: [Series; 4] = [
    released("5.10", "bullseye", "5.10."),
    released("6.1", "bookworm", "6.1."),
    released("6.12", "trixie", "6.12."),
    Series { name: "newest", release: "sid", version: "", released: false },
];

/// The image of the newest kernel of `series`; fetched once, then kept in `folder`.
pub(super) fn image(series: &Series, arch: Arch, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join(series.name);
    if let Some(image) = unpacked(&folder) {
        note(&format!("kernel: {}", image.display()));
        return Ok(image);
    }
    let what = format!("fetch Debian's Linux {} for {} ({})", series.name, arch.debian(), series.release);
    step(&what, || fetch(series, arch, &folder))?;
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

fn fetch(series: &Series, arch: Arch, folder: &Path) -> Result<()> {
    let Series { release, version, .. } = series;
    let source = Source::open(folder, release, arch)?;
    let mut names = String::new();
    for prefix in PREFIXES {
        names += &source.names(&format!("{prefix}{version}"))?;
    }
    let Some(package) = newest(&names, arch) else {
        bail!(
            "Debian {release} has no cloud kernel {version} any more: adapt the table of series in xtask/src/vm/kernel.rs"
        );
    };
    source.unpack(package)
}

/// What names of packages with a kernel in them begin with. Where there is one of the first, that of the second only
/// depends on it.
const PREFIXES: [&str; 2] = ["linux-binary-", "linux-image-"];

/// The signed cloud kernel with the highest version among package names, one a line.
fn newest(names: &str, arch: Arch) -> Option<&str> {
    let ending = format!("-cloud-{}", arch.debian());
    let versions = names.lines().filter(|name| !name.contains("unsigned"));
    let versions = versions.filter_map(|name| Some((name, numbers(name.strip_suffix(&ending)?))));
    let is_binary = |name: &str| name.starts_with(PREFIXES[0]);
    versions.max_by_key(|(name, numbers)| (numbers.clone(), is_binary(name))).map(|(name, _)| name)
}

fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_signed_cloud_kernel_is_taken() {
        let names = "linux-image-6.1.0-9-cloud-amd64\nlinux-image-6.1.0-47-cloud-amd64\n\
                     linux-image-6.1.0-48-amd64\nlinux-image-6.1.0-50-cloud-amd64-unsigned\n";
        assert_eq!(newest(names, Arch::X86_64), Some("linux-image-6.1.0-47-cloud-amd64"));
        assert_eq!(newest("linux-image-6.1.0-48-rt-amd64\n", Arch::X86_64), None);
    }

    #[test]
    fn a_package_that_only_depends_on_the_kernel_is_not_taken() {
        let names = "linux-image-cloud-amd64\nlinux-binary-unsigned-7.2.13+deb14-cloud-amd64\n\
                     linux-binary-7.2.13+deb14-cloud-amd64\nlinux-image-7.2.13+deb14-cloud-amd64\n";
        assert_eq!(newest(names, Arch::X86_64), Some("linux-binary-7.2.13+deb14-cloud-amd64"));
    }

    #[test]
    fn a_kernel_of_another_processor_is_not_taken() {
        let names = "linux-image-6.12.107+deb13-cloud-arm64\nlinux-image-6.12.107+deb13-cloud-arm64-dbg\n\
                     linux-image-6.12.108+deb13-cloud-amd64\n";
        assert_eq!(newest(names, Arch::Arm64), Some("linux-image-6.12.107+deb13-cloud-arm64"));
    }
}
