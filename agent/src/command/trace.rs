//! `wirespan trace`: one command or some processes, as strace shows system calls.

use std::{
    fs, io,
    io::{IsTerminal, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context;
use tokio::sync::oneshot;
use wirespan_export::terminal::Output;

use super::display;
use crate::{
    cli::Trace,
    config,
    daemon::{Daemon, Scope},
};

/// How often it is looked whether the processes of `-p` are still there.
const LOOK: Duration = Duration::from_millis(200);

/// Captures one command, or running processes until they end.
///
/// # Errors
/// An unusable configuration, a kernel that does not let us, a command that cannot be started.
pub fn run(args: &Trace) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.flags)?.config;
    let scope = if args.command.is_empty() { Scope::Processes(alive(&args.pid)?) } else { Scope::Children };
    let output = display::output(config.output.format).unwrap_or(Output::Line);
    let (to, terminal): (Box<dyn Write + Send>, bool) = match &args.file {
        Some(path) => (Box::new(create(path)?), false),
        None => (Box::new(io::stderr()), io::stderr().is_terminal()),
    };
    let shown = display::on(to, output, display::color(&config, terminal));
    let mut daemon = Daemon::start(&config, &scope, Some(shown))?;
    let code = if args.command.is_empty() {
        watch(&mut daemon, &args.pid)?;
        ExitCode::SUCCESS
    } else {
        command(&mut daemon, args)?
    };
    let summary = daemon.stop();
    if summary.missed() {
        eprintln!("wirespan: {summary}");
    }
    Ok(code)
}

fn create(path: &Path) -> anyhow::Result<fs::File> {
    fs::File::create(path).with_context(|| format!("cannot write spans to {}", path.display()))
}

fn alive(pids: &[u32]) -> anyhow::Result<Vec<u32>> {
    for pid in pids {
        anyhow::ensure!(Path::new("/proc").join(pid.to_string()).exists(), "there is no process {pid}");
    }
    Ok(pids.to_vec())
}

/// Until the processes are gone, or somebody says stop.
fn watch(daemon: &mut Daemon, pids: &[u32]) -> anyhow::Result<()> {
    eprintln!("wirespan: capturing {} (plan {}); Ctrl-C stops", list(pids), daemon.plan);
    let paths: Vec<_> = pids.iter().map(|pid| Path::new("/proc").join(pid.to_string())).collect();
    daemon.run_until(async move {
        while paths.iter().any(|path| path.exists()) {
            tokio::time::sleep(LOOK).await;
        }
    })?;
    Ok(())
}

fn list(pids: &[u32]) -> String {
    let names: Vec<_> = pids.iter().map(u32::to_string).collect();
    format!("{} {}", if pids.len() == 1 { "process" } else { "processes" }, names.join(", "))
}

/// Runs the command to its end. A signal of the terminal reaches it too: it decides, and we outlive it.
fn command(daemon: &mut Daemon, args: &Trace) -> anyhow::Result<ExitCode> {
    let (program, arguments) = args.command.split_first().context("no command was given")?;
    let mut child = Command::new(program)
        .args(arguments)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let pid = child.id();
    let (ended, mut status) = oneshot::channel();
    let waiting = std::thread::spawn(move || {
        let status = child_status(&mut child);
        // The daemon has stopped already: nobody asks any more.
        let _ = ended.send(());
        status
    });
    loop {
        let reason = daemon.run_until(async {
            let _ = (&mut status).await;
        })?;
        if reason == crate::daemon::Reason::Done || !Path::new("/proc").join(pid.to_string()).exists() {
            break;
        }
    }
    let status = waiting.join().map_err(|_| anyhow::anyhow!("the thread that waits for {pid} failed"))??;
    Ok(code(status))
}

fn child_status(child: &mut Child) -> io::Result<ExitStatus> {
    child.wait()
}

/// As a shell reports it: 128 and the signal for a command that a signal ended.
fn code(status: ExitStatus) -> ExitCode {
    let number = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(number).unwrap_or(u8::MAX))
}
