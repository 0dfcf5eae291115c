//! The processors that wirespan runs on: what each is called by Rust, by Debian, by the GNU tools and by QEMU.

use anyhow::{Result, bail};

/// A processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// `x86_64`, which Debian calls amd64.
    #[value(name = "x86-64")]
    X86_64,
    /// `aarch64`.
    Arm64,
}

impl Arch {
    /// This machine's.
    pub(crate) fn host() -> Result<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" => Ok(Self::Arm64),
            other => bail!("wirespan knows the registers of x86-64 and arm64, and this machine is {other}"),
        }
    }

    /// Is it another than this machine's?
    pub(crate) fn is_foreign(self) -> bool {
        !Self::host().is_ok_and(|host| host == self)
    }

    /// Rust's target.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// What Debian's packages call it.
    pub(crate) const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// What names of cross tools begin with, and the folder below `/usr` with the libraries that they link to.
    pub(crate) const fn gnu(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }
}
