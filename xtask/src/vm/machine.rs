//! An emulated machine: QEMU's words for it, and what it writes to its console.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{arch::Arch, child::Running};

/// What a kernel says when it crashes.
const CRASHED: &str = "Kernel panic";
/// What every line of the check script begins with.
pub(super) const MARK: &str = "vm: ";

/// What is booted.
pub(super) struct Machine {
    pub(super) arch: Arch,
    /// QEMU's name of the processor, and what it lacks.
    pub(super) cpu: &'static str,
    pub(super) kernel: PathBuf,
    pub(super) initramfs: PathBuf,
}

/// What a machine wrote.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// The check script's lines.
    pub(super) said: Vec<String>,
    pub(super) crashed: bool,
}

impl Machine {
    /// The Debian package that has its emulator.
    pub(super) const fn package(arch: Arch) -> &'static str {
        match arch {
            Arch::X86_64 => "qemu-system-x86",
            Arch::Arm64 => "qemu-system-arm",
        }
    }

    /// Runs it until it powers off.
    pub(super) fn boot(&self, longest: Duration, whole_console: bool) -> Result<Console> {
        let mut machine = Running::start(self.emulator().stdout(Stdio::piped()))?;
        let lines = BufReader::new(machine.stdout()?);
        let verdict = thread::spawn(move || read_console(lines, whole_console));
        let deadline = Instant::now() + longest;
        while machine.ended()?.is_none() {
            if Instant::now() > deadline {
                bail!("no verdict within {} s; `--console` shows where it hangs", longest.as_secs());
            }
            thread::sleep(Duration::from_millis(100));
        }
        match verdict.join() {
            Ok(console) => console,
            Err(_) => bail!("the console's reader panicked"),
        }
    }

    fn emulator(&self) -> Command {
        let (program, board, console) = match self.arch {
            Arch::X86_64 => ("qemu-system-x86_64", "pc", "ttyS0"),
            Arch::Arm64 => ("qemu-system-aarch64", "virt", "ttyAMA0"),
        };
        let words = format!("console={console} quiet panic=-1 oops=panic");
        let image = |flag: &'static str, file: &Path| [flag.into(), file.as_os_str().to_owned()];
        let mut command = Command::new(program);
        command
            .args(["-machine", board, "-accel", "tcg,thread=single", "-cpu", self.cpu, "-smp", "2"])
            .args(["-m", "1024", "-nographic", "-no-reboot", "-nic", "none", "-append", &words])
            .args(image("-kernel", &self.kernel))
            .args(image("-initrd", &self.initramfs));
        command
    }
}

/// Every line that the check script wrote, shown as it comes; the whole console if asked for.
pub(super) fn read_console(console: impl BufRead, whole: bool) -> Result<Console> {
    let Console { mut said, mut crashed } = Console::default();
    let mut screen = std::io::stderr();
    for line in console.split(b'\n') {
        let line = line.context("read the console")?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        // The script's words come after the mark; what follows a heading is quoted from wirespan.
        let ours = line.starts_with(MARK);
        crashed |= line.contains(CRASHED);
        if whole || ours || said.iter().any(|earlier: &String| earlier.starts_with("vm: ---")) {
            writeln!(screen, "   {line}").context("show the console")?;
        }
        if ours {
            said.push(line);
        }
    }
    Ok(Console { said, crashed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_no_verdict() {
        let console = read_console(&b"vm: Linux 6.1\r\n[ 1.2] Kernel panic - not syncing\r\n"[..], false);
        assert!(console.is_ok_and(|console| console.crashed && console.said == ["vm: Linux 6.1"]));
    }
}
