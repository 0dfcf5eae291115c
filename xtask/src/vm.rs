//! `cargo xtask vm`: boots stock Debian kernels in software emulation with an initramfs of busybox, wirespan, a program that
//! talks and a check script (`tests/vm/init`), and reads the verdict from the console. Needs no KVM, no network inside, no
//! root.

mod initramfs;
mod kernel;

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    child::Running,
    place, setup,
    step::{note, step},
};

/// An emulated machine is about four times slower than this one; a boot with the whole check takes about a minute.
const LONGEST: Duration = Duration::from_secs(400);
/// Boots of one kernel. The emulator itself, on a busy machine, now and then crashes the kernel that it runs before wirespan
/// is even started; a crash is told each time, and a check that fails is never tried again.
const BOOTS: u32 = 3;
/// What a kernel says when it crashes.
const CRASHED: &str = "Kernel panic";
/// What every line of the check script begins with.
const MARK: &str = "vm: ";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Kernel series; without it, all of them one after the other.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(kernel::SERIES.map(|series| series.name)))]
    kernel: Option<String>,
    /// A built wirespan binary; without it, one is built (release).
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Show the whole console.
    #[arg(long)]
    console: bool,
}

/// `cargo xtask vm`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => {
            setup::prepare(setup::Purpose::Build)?;
            build::wirespan("release")?
        }
    };
    let wanted =
        |series: &&kernel::Series| arguments.kernel.as_deref().is_none_or(|name| name == series.name);
    kernel::SERIES.iter().filter(wanted).try_for_each(|series| check(series, &binary, arguments.console))
}

/// The check on the kernels of releases, or on every one, with the release binary that the stages before have built.
pub(crate) fn stock_kernels(every: bool) -> Result<()> {
    let wanted = |series: &&kernel::Series| every || series.released;
    let binary = place::binary("release");
    kernel::SERIES.iter().filter(wanted).try_for_each(|series| check(series, &binary, false))
}

fn check(series: &kernel::Series, binary: &Path, console: bool) -> Result<()> {
    setup::packages(&["qemu-system-x86", "busybox-static"])?;
    let talk = build::test_program("kernel_talk")?;
    let folder = place::out("vm")?;
    let kernel = kernel::image(series, &folder)?;
    let initramfs = folder.join("initramfs.cpio");
    initramfs::write(&initramfs, &place::root().join("tests/vm/init"), &[binary, &talk])?;
    step(&format!("check on Linux {}", series.name), || {
        for again in 1..BOOTS {
            match boot(series.cpu, &kernel, &initramfs, console)? {
                Console { said, crashed: true } if said.len() <= 1 => {
                    note(&format!("the emulated machine crashed before the check, boot {again} of {BOOTS}"));
                }
                console => return conclude(&console.said),
            }
        }
        conclude(&boot(series.cpu, &kernel, &initramfs, console)?.said)
    })
}

/// What a machine wrote.
#[derive(Debug, Default)]
struct Console {
    /// The check script's lines.
    said: Vec<String>,
    crashed: bool,
}

fn boot(cpu: &str, kernel: &Path, initramfs: &Path, console: bool) -> Result<Console> {
    let mut machine = Running::start(emulator(cpu, kernel, initramfs).stdout(Stdio::piped()))?;
    let lines = BufReader::new(machine.stdout()?);
    let verdict = thread::spawn(move || read_console(lines, console));
    let deadline = Instant::now() + LONGEST;
    while machine.ended()?.is_none() {
        if Instant::now() > deadline {
            bail!("no verdict within {} s; `--console` shows where it hangs", LONGEST.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
    match verdict.join() {
        Ok(console) => console,
        Err(_) => bail!("the console's reader panicked"),
    }
}

fn emulator(cpu: &str, kernel: &Path, initramfs: &Path) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-accel", "tcg,thread=single", "-cpu", cpu, "-smp", "2", "-m", "1024"])
        .args([
            "-nographic",
            "-no-reboot",
            "-nic",
            "none",
            "-append",
            "console=ttyS0 quiet panic=-1 oops=panic",
        ])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs);
    command
}

/// Every line that the check script wrote, shown as it comes; the whole console if asked for.
fn read_console(console: impl BufRead, whole: bool) -> Result<Console> {
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
        conclude(&read_console(console.as_bytes(), false)?.said)
    }

    #[test]
    fn only_the_scripts_last_word_counts() {
        assert!(verdict("[ 0.1] boot\r\nvm: Linux 6.1\r\nvm: PASS\r\n[ 9.9] reboot: Power down\r\n").is_ok());
        assert!(verdict("vm: Linux 6.1\r\nvm: FAIL: 19 of 20 server spans\r\n").is_err());
        assert!(verdict("Kernel panic - not syncing: PASS\r\n").is_err());
        assert!(verdict("").is_err());
    }

    #[test]
    fn a_crash_is_no_verdict() {
        let console = read_console(&b"vm: Linux 6.1\r\n[ 1.2] Kernel panic - not syncing\r\n"[..], false);
        assert!(console.is_ok_and(|console| console.crashed && console.said == ["vm: Linux 6.1"]));
    }
}
