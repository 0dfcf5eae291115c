//! Real programs as children: their first words tell where they listen, their guard stops them by their id.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// How long a program has to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

/// A running program. Dropping it ends it.
pub struct Program {
    child: Child,
    name: String,
    words: Option<BufReader<ChildStdout>>,
    /// Its standard error.
    log: Option<File>,
}

impl Program {
    /// Starts `command` without an input; what it prints is for [`line`](Self::line). Its errors are told at its end, by
    /// the test that started it: those of a test that passes are not shown.
    pub fn start(command: &mut Command) -> Result<Self> {
        let log = tempfile::tempfile().context("make a file for a program's errors")?;
        command.stderr(log.try_clone().context("share a program's errors")?);
        let mut program = Self::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        program.log = Some(log);
        Ok(program)
    }

    /// Starts `command` with the outputs it has.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("start {name}: is it installed?"))?;
        let words = child.stdout.take().map(BufReader::new);
        Ok(Self { child, name, words, log: None })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn take_words(&mut self) -> Result<BufReader<ChildStdout>> {
        self.words.take().with_context(|| format!("the output of {} is taken", self.name))
    }

    /// The next line it prints.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let words = self.words.as_mut().with_context(|| format!("the output of {} is taken", self.name))?;
        words.read_line(&mut line).with_context(|| format!("listen to {}", self.name))?;
        if line.is_empty() {
            bail!("{} ended without a word", self.name);
        }
        Ok(line.trim_end().to_owned())
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let (child, name) = (&mut self.child, &self.name);
        wait::until(&format!("the end of {name}"), || child.try_wait().transpose())?
            .with_context(|| format!("wait for {name}"))
    }
}

impl Program {
    fn tell(&mut self) {
        let mut said = String::new();
        if let Some(log) = &mut self.log
            && log.rewind().is_ok()
            && log.read_to_string(&mut said).is_ok()
            && !said.is_empty()
        {
            eprintln!("{} said:\n{said}", self.name);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let asked = matches!(self.child.try_wait(), Ok(None)) && self.signal(Signal::TERM).is_ok();
        let deadline = Instant::now() + GRACE;
        while asked && matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Both fail only for a program that has ended, which is what they are for.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        self.tell();
    }
}

/// Runs `command` to its end; a status other than 0 is an error with its words.
pub fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("run {name}: is it installed?"))?;
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed something that is not text"))
}
