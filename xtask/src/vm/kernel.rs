//! A kernel series and a processor in, the path of a stock kernel image of Debian or Ubuntu out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::package::{Distribution, Source};
use crate::{
    arch::Arch,
    step::{note, step},
};

/// Kernels of one version, as a release has them.
pub(super) struct Series {
    /// `5.10`, or `newest`.
    pub(super) name: &'static str,
    pub(super) distribution: Distribution,
    release: &'static str,
    /// What the version of a package begins with.
    version: &'static str,
    /// Is it checked by `cargo xtask test`?
    pub(super) always: bool,
}

const fn debian(name: &'static str, release: &'static str, version: &'static str) -> Series {
    Series { name, distribution: Distribution::Debian, release, version, always: true }
}

const fn ubuntu(name: &'static str, release: &'static str, version: &'static str) -> Series {
    Series { name, distribution: Distribution::Ubuntu, release, version, always: false }
}

/// The kernels that are checked, the oldest first.
pub(super) const SERIES: [Series; 11] = [
    debian("5.10", "bullseye", "5.10."),
    ubuntu("5.15", "jammy-updates", "5.15."),
    debian("6.1", "bookworm", "6.1."),
    ubuntu("6.5", "jammy-updates", "6.5."),
    ubuntu("6.8", "noble-updates", "6.8."),
    ubuntu("6.11", "noble-updates", "6.11."),
    debian("6.12", "trixie", "6.12."),
    ubuntu("6.14", "noble-updates", "6.14."),
    ubuntu("6.17", "noble-updates", "6.17."),
    ubuntu("7.0", "noble-updates", "7.0."),
    Series { always: false, ..debian("newest", "sid", "") },
];

impl Series {
    /// Is it packed for `arch`?
    pub(super) fn is_for(&self, arch: Arch) -> bool {
        self.distribution == Distribution::Debian || matches!(arch, Arch::X86_64)
    }

    /// Is it at least this version?
    pub(super) fn is_since(&self, version: [u64; 2]) -> bool {
        self.version.is_empty() || numbers(self.version) >= version.to_vec()
    }
}

/// The image of the newest kernel of `series`; fetched once, then kept in `folder`.
pub(super) fn image(series: &Series, arch: Arch, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join(series.name);
    if let Some(image) = unpacked(&folder) {
        note(&format!("kernel: {}", image.display()));
        return Ok(image);
    }
    let Series { name, distribution, release, .. } = series;
    let what = format!("fetch {distribution:?}'s Linux {name} for {} ({release})", arch.debian());
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
    let Series { distribution, release, version, .. } = series;
    let source = Source::open(folder, *distribution, release, arch)?;
    let mut names = String::new();
    for prefix in PREFIXES {
        names += &source.names(&format!("{prefix}{version}"))?;
    }
    let Some(package) = newest(&names, &flavour(*distribution, arch)) else {
        bail!(
            "{release} has no kernel {version} any more: adapt the table of series in xtask/src/vm/kernel.rs"
        );
    };
    source.unpack(package)
}

/// What names of packages with a kernel in them begin with. Where there is one of the first, that of the second only
/// depends on it.
const PREFIXES: [&str; 2] = ["linux-binary-", "linux-image-"];

/// How the names of the packages end whose kernels clouds run: Debian has kernels of their own for that.
fn flavour(distribution: Distribution, arch: Arch) -> String {
    match distribution {
        Distribution::Debian => format!("-cloud-{}", arch.debian()),
        Distribution::Ubuntu => "-generic".to_owned(),
    }
}

/// The signed kernel of a flavour with the highest version among package names, one a line.
fn newest<'a>(names: &'a str, flavour: &str) -> Option<&'a str> {
    let versions = names.lines().filter(|name| !name.contains("unsigned"));
    let versions = versions.filter_map(|name| Some((name, numbers(name.strip_suffix(flavour)?))));
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

    const CLOUD: &str = "-cloud-amd64";

    #[test]
    fn the_newest_signed_kernel_of_a_flavour_is_taken() {
        let names = "linux-image-6.1.0-9-cloud-amd64\nlinux-image-6.1.0-47-cloud-amd64\n\
                     linux-image-6.1.0-48-amd64\nlinux-image-6.1.0-50-cloud-amd64-unsigned\n";
        assert_eq!(newest(names, CLOUD), Some("linux-image-6.1.0-47-cloud-amd64"));
        assert_eq!(newest("linux-image-6.1.0-48-rt-amd64\n", CLOUD), None);
        let names = "linux-image-6.8.0-99-generic\nlinux-image-6.8.0-151-generic\nlinux-image-6.8.0-160-lowlatency\n\
                     linux-image-unsigned-6.8.0-152-generic\n";
        assert_eq!(newest(names, "-generic"), Some("linux-image-6.8.0-151-generic"));
    }

    #[test]
    fn a_package_that_only_depends_on_the_kernel_is_not_taken() {
        let names = "linux-image-cloud-amd64\nlinux-binary-unsigned-7.2.13+deb14-cloud-amd64\n\
                     linux-binary-7.2.13+deb14-cloud-amd64\nlinux-image-7.2.13+deb14-cloud-amd64\n";
        assert_eq!(newest(names, CLOUD), Some("linux-binary-7.2.13+deb14-cloud-amd64"));
    }

    #[test]
    fn a_kernel_of_another_processor_is_not_taken() {
        let names = "linux-image-6.12.107+deb13-cloud-arm64\nlinux-image-6.12.107+deb13-cloud-arm64-dbg\n\
                     linux-image-6.12.108+deb13-cloud-amd64\n";
        let flavour = flavour(Distribution::Debian, Arch::Arm64);
        assert_eq!(newest(names, &flavour), Some("linux-image-6.12.107+deb13-cloud-arm64"));
    }

    #[test]
    fn series_know_their_version() {
        let since = |version| -> Vec<_> {
            SERIES.iter().filter(|series| series.is_since(version)).map(|series| series.name).collect()
        };
        assert_eq!(since([6, 18]), ["7.0", "newest"]);
        assert_eq!(since([6, 14]), ["6.14", "6.17", "7.0", "newest"]);
    }
}
