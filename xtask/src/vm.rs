//! `cargo xtask vm`: boots stock kernels of Debian and Ubuntu in software emulation with an initramfs of busybox, wirespan, a program that
//! talks and a check script (`tests/vm/init`), and reads the verdict from the console. Needs no KVM, no network inside, no
//! root.

mod initramfs;
mod kernel;
mod libraries;
mod machine;
mod package;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use self::{
    kernel::Series,
    machine::{Console, MARK, Machine},
    package::{Distribution, Source},
};
use crate::{
    arch::Arch,
    build, place, setup,
    step::{note, step},
};

/// An emulated machine is about four times slower than this one, of another processor ten times; a boot with the whole check
/// takes about a minute, or up to five.
const LONGEST: Duration = Duration::from_secs(600);
/// Boots of one kernel. The emulator itself, on a busy machine, now and then crashes the kernel that it runs before wirespan
/// is even started; a crash is told each time, and a check that fails is never tried again.
const BOOTS: u32 = 3;
/// Every feature that QEMU emulates.
const MAX: &str = "max";
/// QEMU 7.2 now and then spoils the memory of a kernel whose allocator relies on `cmpxchg16b`; without the instruction it
/// takes a lock instead. Since Linux 6.18 there is another allocator, and BPF gets no memory where the instruction is missing.
const NO_CX16: &str = "max,cx16=off";
const NEEDS_CX16: [u64; 2] = [6, 18];
/// With signatures of pointers that cost little to emulate.
const LIGHT_PAUTH: &str = "max,pauth-impdef=on";
/// The Debian release that busybox is taken from for another processor.
const BUSYBOX_RELEASE: &str = "bookworm";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Kernel series; without it, all of them one after the other.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(kernel::SERIES.map(|series| series.name)))]
    kernel: Option<String>,
    /// The emulated processor; without it, this machine's.
    #[arg(long)]
    arch: Option<Arch>,
    /// A wirespan binary for that processor; without it, one is built (release).
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Show the whole console.
    #[arg(long)]
    console: bool,
}

/// What is checked, and with what.
struct Check<'a> {
    arch: Arch,
    binary: &'a Path,
    console: bool,
}

/// `cargo xtask vm`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let arch = arguments.arch.map_or_else(Arch::host, Ok)?;
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => {
            setup::prepare(setup::Purpose::Build)?;
            build::wirespan_for(arch, "release")?
        }
    };
    let wanted = |series: &&Series| match arguments.kernel.as_deref() {
        Some(name) => name == series.name,
        None => series.is_for(arch),
    };
    let check = Check { arch, binary: &binary, console: arguments.console };
    kernel::SERIES.iter().filter(wanted).try_for_each(|series| check.on(series))
}

/// The check on some kernels, or on every one, with the release binary that the stages before have built.
pub(crate) fn stock_kernels(every: bool) -> Result<()> {
    let arch = Arch::host()?;
    let wanted = |series: &&Series| (every || series.always) && series.is_for(arch);
    let check = Check { arch, binary: &place::binary("release"), console: false };
    kernel::SERIES.iter().filter(wanted).try_for_each(|series| check.on(series))
}

impl Check<'_> {
    fn on(&self, series: &Series) -> Result<()> {
        let machine = self.machine(series)?;
        step(&format!("check on Linux {}, {}", series.name, self.arch.debian()), || {
            for again in 1..BOOTS {
                match machine.boot(LONGEST, self.console)? {
                    Console { said, crashed: true } if said.len() <= 1 => {
                        note(&format!(
                            "the emulated machine crashed before the check, boot {again} of {BOOTS}"
                        ));
                    }
                    console => return conclude(&console.said),
                }
            }
            conclude(&machine.boot(LONGEST, self.console)?.said)
        })
    }

    fn machine(&self, series: &Series) -> Result<Machine> {
        let arch = self.arch;
        if !series.is_for(arch) {
            bail!("Linux {} is checked on x86-64 only", series.name);
        }
        setup::packages(&[Machine::package(arch)])?;
        let talk = build::test_program(arch, "kernel_talk")?;
        let folder = place::out("vm")?.join(arch.debian());
        let busybox = busybox(arch, &folder)?;
        let kernel = kernel::image(series, arch, &folder)?;
        let initramfs = folder.join("initramfs.cpio");
        let init = place::root().join("tests/vm/init");
        let programs = [self.binary, &talk];
        initramfs::write(
            &initramfs,
            &initramfs::Content { arch, busybox: &busybox, init: &init, programs: &programs },
        )?;
        Ok(Machine { arch, cpu: cpu(arch, series), kernel, initramfs })
    }
}

fn cpu(arch: Arch, series: &Series) -> &'static str {
    match arch {
        Arch::X86_64 if series.is_since(NEEDS_CX16) => MAX,
        Arch::X86_64 => NO_CX16,
        Arch::Arm64 => LIGHT_PAUTH,
    }
}

/// The host's, or for another processor one that is unpacked under `folder`.
fn busybox(arch: Arch, folder: &Path) -> Result<PathBuf> {
    if !arch.is_foreign() {
        setup::packages(&["busybox-static"])?;
        return place::program("busybox").context("busybox is not installed");
    }
    let folder = folder.join("busybox");
    let program = folder.join("root/bin/busybox");
    if !program.is_file() {
        step(&format!("fetch busybox for {}", arch.debian()), || {
            Source::open(&folder, Distribution::Debian, BUSYBOX_RELEASE, arch)?.unpack("busybox-static")
        })?;
    }
    Ok(program)
}

fn conclude(said: &[String]) -> Result<()> {
    let verdict = said.last().and_then(|line| line.strip_prefix(MARK)).unwrap_or("nothing");
    if verdict != "PASS" {
        bail!("the check said: {verdict} (`--console` shows the whole boot)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(console: &str) -> Result<()> {
        conclude(&machine::read_console(console.as_bytes(), false)?.said)
    }

    #[test]
    fn only_the_scripts_last_word_counts() {
        assert!(verdict("[ 0.1] boot\r\nvm: Linux 6.1\r\nvm: PASS\r\n[ 9.9] reboot: Power down\r\n").is_ok());
        assert!(verdict("vm: Linux 6.1\r\nvm: FAIL: 19 of 20 server spans\r\n").is_err());
        assert!(verdict("Kernel panic - not syncing: PASS\r\n").is_err());
        assert!(verdict("").is_err());
    }
}
