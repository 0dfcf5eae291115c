//! Child processes. Each leads a process group of its own, is known by its id, and is stopped with its whole group when
//! its guard goes, when xtask fails, and on Ctrl-C.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{self, Child, Command, ExitStatus, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// How long a group has to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGINT, SIGTERM and SIGHUP stop every child first, then xtask (status 128 + signal).
pub(crate) fn stop_all_on_signal() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listen for signals")?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let running = groups().clone();
            running.iter().for_each(|group| stop_group(*group));
            process::exit(128 + signal);
        }
    });
    Ok(())
}

/// TERM, then, for what has not ended after the grace period, KILL. The group's leader must be waited for by somebody.
fn stop_group(group: Pid) {
    let deadline = Instant::now() + GRACE;
    let mut alive = kill_process_group(group, Signal::TERM).is_ok();
    while alive && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        alive = test_kill_process_group(group).is_ok();
    }
    if alive {
        // Failing means that it ended between the two calls.
        let _ended = kill_process_group(group, Signal::KILL);
    }
}

/// A running child; dropping it stops its group.
pub(crate) struct Running {
    child: Child,
    group: Pid,
    name: String,
}

impl Running {
    /// Starts `command` as the leader of a new process group, without a standard input.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = words(command);
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start `{name}` (is it installed? `cargo xtask setup`)"))?;
        let group = Pid::from_child(&child);
        groups().push(group);
        Ok(Self { child, group, name })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, once, if it was started with a pipe.
    pub(crate) fn stdout(&mut self) -> Result<process::ChildStdout> {
        self.child.stdout.take().with_context(|| format!("`{}` has no piped output", self.name))
    }

    /// Its standard error, once, if it was started with a pipe.
    pub(crate) fn stderr(&mut self) -> Result<process::ChildStderr> {
        self.child.stderr.take().with_context(|| format!("`{}` has no piped errors", self.name))
    }

    /// Its status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("ask how `{}` is", self.name))
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().with_context(|| format!("wait for `{}`", self.name))
    }

    /// Waits for its end, gathering what it says to piped outputs.
    fn output(&mut self) -> Result<Output> {
        let stderr = self.child.stderr.take().map(|pipe| thread::spawn(move || io::read_to_string(pipe)));
        let stdout = self.child.stdout.take().map(io::read_to_string).transpose()?.unwrap_or_default();
        let stderr = match stderr.map(thread::JoinHandle::join) {
            Some(Ok(text)) => text?,
            _ => String::new(),
        };
        Ok(Output { status: self.wait()?, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Reaping the leader lets the group vanish; a leader that ignores TERM is killed with its group.
        if let Ok(None) = self.child.try_wait() {
            let _gone = kill_process_group(self.group, Signal::TERM);
            let deadline = Instant::now() + GRACE;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
        }
        let _gone = kill_process_group(self.group, Signal::KILL);
        let _reaped = self.child.wait();
        groups().retain(|group| *group != self.group);
    }
}

/// Runs to the end with our own outputs; an exit status other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = words(command);
    let status = Running::start(command)?.wait()?;
    succeed(&name, status)
}

/// Runs to the end in silence; if it fails, what it said is shown.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    let name = words(command);
    let output = gather(command)?;
    if !output.status.success() {
        let mut screen = io::stderr().lock();
        screen.write_all(&output.stdout)?;
        screen.write_all(&output.stderr)?;
    }
    succeed(&name, output.status)
}

/// What it prints; an exit status other than 0 is an error that carries what it said.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let name = words(command);
    let output = gather(command)?;
    if !output.status.success() {
        bail!("`{name}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` printed something that is not text"))
}

fn gather(command: &mut Command) -> Result<Output> {
    Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?.output()
}

fn succeed(name: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, word| line + " " + &word.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn reads_what_a_child_prints() -> Result<()> {
        assert_eq!(read(&mut shell("echo hello"))?, "hello\n");
        Ok(())
    }

    #[test]
    fn a_failure_carries_the_childs_own_words() {
        let error = read(&mut shell("echo no space left >&2; exit 3")).expect_err("it exits with 3");
        assert!(error.to_string().contains("no space left"), "{error}");
    }

    #[test]
    fn dropping_the_guard_ends_grandchildren_too() -> Result<()> {
        let mut running = Running::start(shell("sleep 1000 & echo $!; wait").stdout(Stdio::piped()))?;
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(running.stdout()?), &mut line)?;
        let grandchild = format!("/proc/{}", line.trim());
        assert!(std::path::Path::new(&grandchild).exists());

        let group = running.group;
        drop(running);

        let deadline = Instant::now() + GRACE;
        while test_kill_process_group(group).is_ok() && Instant::now() < deadline {
            thread::yield_now();
        }
        assert!(test_kill_process_group(group).is_err(), "{grandchild} outlived its guard");
        Ok(())
    }
}
