//! A release of Debian or Ubuntu and an architecture in, the files of its packages out. Packages come through apt, which checks
//! their signatures, with lists of its own under `out/vm/`, and are unpacked, not installed: the host's apt is left as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{arch::Arch, child};

/// Who packs and signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distribution {
    Debian,
    /// For x86-64; its packages for other processors have another mirror.
    Ubuntu,
}

impl Distribution {
    const fn mirror(self) -> &'static str {
        match self {
            Self::Debian => "http://deb.debian.org/debian",
            Self::Ubuntu => "http://archive.ubuntu.com/ubuntu",
        }
    }

    /// The keys that its lists are signed with. Ubuntu's are a package of Debian, unpacked beside `folder`.
    fn keys(self, folder: &Path, arch: Arch) -> Result<PathBuf> {
        const KEYRINGS: &str = "usr/share/keyrings";
        match self {
            Self::Debian => Ok(Path::new("/").join(KEYRINGS).join("debian-archive-keyring.gpg")),
            Self::Ubuntu => {
                let beside = folder.with_file_name("ubuntu-keys");
                let keys = beside.join("root").join(KEYRINGS).join("ubuntu-archive-keyring.gpg");
                if !keys.is_file() {
                    Source::open(&beside, Self::Debian, "trixie", arch)?.unpack("ubuntu-keyring")?;
                }
                Ok(keys)
            }
        }
    }
}

/// The packages of one release for one architecture.
pub(super) struct Source<'a> {
    folder: &'a Path,
    arch: Arch,
}

impl<'a> Source<'a> {
    /// Fetches the lists of a release into `folder`.
    pub(super) fn open(
        folder: &'a Path,
        distribution: Distribution,
        release: &str,
        arch: Arch,
    ) -> Result<Self> {
        for name in ["lists/partial", "cache/archives/partial", "state"] {
            fs::create_dir_all(folder.join(name))
                .with_context(|| format!("make {}", folder.join(name).display()))?;
        }
        fs::write(folder.join("state/status"), "").context("write an empty package state")?;
        let (keys, mirror) = (distribution.keys(folder, arch)?, distribution.mirror());
        let source = format!("deb [signed-by={}] {mirror} {release} main\n", keys.display());
        fs::write(folder.join("sources.list"), source).context("write the list of sources")?;
        let source = Self { folder, arch };
        child::quiet(source.apt("apt-get").args(["update", "--quiet"]))?;
        Ok(source)
    }

    /// Names of packages that begin with `prefix`, one a line.
    pub(super) fn names(&self, prefix: &str) -> Result<String> {
        child::read(self.apt("apt-cache").args(["pkgnames", prefix]))
    }

    /// Puts the files of a package under `root/`.
    pub(super) fn unpack(&self, package: &str) -> Result<()> {
        child::quiet(self.apt("apt-get").args(["download", package]))?;
        let entries = fs::read_dir(self.folder).with_context(|| format!("list {}", self.folder.display()))?;
        let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
        let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let file = files.find(is_package).context("apt-get download left no package")?;
        child::quiet(Command::new("dpkg-deb").arg("-x").arg(&file).arg(self.folder.join("root")))?;
        fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))
    }

    /// apt with its state, cache and sources under the folder.
    fn apt(&self, program: &str) -> Command {
        let option = |key: &str, name: &str| format!("-o{key}={}", self.folder.join(name).display());
        let arch = self.arch.debian();
        let mut command = Command::new(program);
        command
            .current_dir(self.folder)
            .args([option("Dir::Etc::SourceList", "sources.list"), "-oDir::Etc::SourceParts=-".to_owned()])
            .args([option("Dir::State::Lists", "lists"), option("Dir::State::status", "state/status")])
            // Both: without the list, apt asks for packages of the host's architecture besides.
            .args([format!("-oAPT::Architecture={arch}"), format!("-oAPT::Architectures::={arch}")])
            // Downloads as root would otherwise switch to a user that cannot write here, and warn.
            .args([option("Dir::Cache", "cache"), "-oAPT::Sandbox::User=root".to_owned()]);
        command
    }
}
