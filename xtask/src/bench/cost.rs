//! `cargo xtask bench`: what wirespan costs the programs that it traces. Each workload runs in turns alone,
//! beside a program that only wakes, with wirespan's programs attached and every event filtered out (the floor), with capture alone, and with
//! the whole daemon, so that a machine that changes its mind meanwhile does so for all. Refuses: single runs.

mod loads;
mod process;
mod report;
pub(super) mod soak;
mod start;
mod workloads;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{ChildStderr, Command, Stdio},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use self::{
    loads::Load,
    workloads::{Target, WORKLOADS, Workload},
};
use crate::{
    build, child,
    child::Running,
    place,
    setup::{self, Purpose},
    step::{note, step},
};

#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Only this workload; may be repeated.
    #[arg(long, value_parser = WORKLOADS.iter().map(|workload| workload.name).collect::<Vec<_>>())]
    workload: Vec<String>,
    /// Rounds; in each every condition has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of load per turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// What the whole daemon may take, percent of all processors' time; 0: no bound. As it is installed: 20.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    cpu_percent: u8,
    /// Print one JSON object per workload instead of a table.
    #[arg(long)]
    json: bool,
}

/// How the programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Alone.
    Without,
    /// Beside a program that only wakes, as often as a daemon that has much to read: what any neighbour costs on this host.
    Waking,
    /// Kernel programs attached; the filter leaves everything out.
    Filtered,
    /// Events are captured and read, and thrown away.
    Capture,
    /// The daemon as it is installed, budget off or as asked for, all protocols on; its spans, as JSON, go to /dev/null.
    Whole,
}

impl Condition {
    const ALL: [Self; 5] = [Self::Without, Self::Waking, Self::Filtered, Self::Capture, Self::Whole];

    /// What runs beside the workload.
    fn command(self, binaries: &Binaries, cpu_percent: u8) -> Option<Command> {
        let percent = cpu_percent.to_string();
        let agent = |arguments: &[&str]| {
            let mut command = agent(&binaries.wirespan);
            command.args(["--metrics", "off", "--cpu-percent", &percent]).args(arguments);
            command
        };
        match self {
            Self::Without => None,
            Self::Waking => Some(Command::new(&binaries.waking)),
            // Nobody listens on port 1 of a host that measures.
            Self::Filtered => Some(agent(&["--include-port", "1"])),
            Self::Capture => Some(Command::new(&binaries.capture)),
            Self::Whole => Some(agent(&[])),
        }
    }
}

/// What is measured.
struct Binaries {
    wirespan: PathBuf,
    /// Wakes, and does nothing else.
    waking: PathBuf,
    /// The kernel side and its reader alone.
    capture: PathBuf,
}

impl Binaries {
    fn build() -> Result<Self> {
        let wirespan = build::wirespan("release")?;
        let cargo = |arguments: &[&str]| {
            child::run(
                Command::new("cargo").current_dir(place::root()).args(["build", "--release"]).args(arguments),
            )
        };
        step("build capture alone, and the loads", || {
            cargo(&["--package", "wirespan-kernel", "--example", "capture"])?;
            cargo(&["--package", "wirespan-tests", "--bins"])
        })?;
        let built = |name: &str| place::target().join("release").join(name);
        Ok(Self { wirespan, waking: built("waking"), capture: built("examples/capture") })
    }
}

/// `wirespan agent`; its spans are JSON.
fn agent(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["agent", "--output", "json"]);
    command
}

/// One turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    load: Load,
    /// CPU time of the traced program, µs per operation; NaN where it is not measured.
    program_cpu: f64,
    /// CPU time of the daemon, µs per operation; NaN without it.
    daemon_cpu: f64,
    /// Resident memory of the daemon at the end, MiB; NaN without it.
    daemon_memory: f64,
    /// Spans shown, of those made, 0 to 1 (above 1: other programs of the host made some); NaN without the daemon.
    captured: f64,
}

/// Those of each condition, in the order of [`Condition::ALL`].
type Turns = [Vec<Turn>; Condition::ALL.len()];

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    setup::prepare(Purpose::Test)?;
    let binaries = Binaries::build()?;
    let wanted = |workload: &&Workload| {
        arguments.workload.is_empty() || arguments.workload.iter().any(|name| name == workload.name)
    };
    report::heading(arguments.json);
    for workload in WORKLOADS.iter().filter(wanted) {
        let turns = step(workload.name, || measured(workload, arguments, &binaries))?;
        report::row(workload, &turns, arguments.json);
    }
    if arguments.workload.is_empty() {
        let start = step("start of the daemon", || start::measured(&binaries.wirespan))?;
        report::start(&start, arguments.json);
    }
    Ok(())
}

fn measured(workload: &Workload, arguments: &Arguments, binaries: &Binaries) -> Result<Turns> {
    let target = workload.start()?;
    // Caches fill and interpreters compile before anything counts.
    workload.load(&target, 1)?;
    let mut turns = Turns::default();
    for _ in 0..arguments.rounds {
        for (condition, turns) in Condition::ALL.into_iter().zip(&mut turns) {
            turns.push(turn(workload, &target, arguments, condition, binaries)?);
        }
    }
    Ok(turns)
}

fn turn(
    workload: &Workload,
    target: &Target,
    Arguments { seconds, cpu_percent, .. }: &Arguments,
    condition: Condition,
    binaries: &Binaries,
) -> Result<Turn> {
    let command = condition.command(binaries, *cpu_percent);
    let daemon = command.map(|command| Daemon::start(command, Stdio::null())).transpose()?;
    let cpu = |process: Option<u32>| process.map(process::cpu_time).transpose();
    let id = daemon.as_ref().map(|daemon| daemon.running.id());
    let before = (cpu(target.process)?, cpu(id)?);
    let load = workload.load(target, *seconds)?;
    let after = (cpu(target.process)?, cpu(id)?);
    let each = |before: Option<std::time::Duration>, after: Option<std::time::Duration>| {
        let spent = before.zip(after).map(|(before, after)| after.saturating_sub(before));
        spent.map_or(f64::NAN, |spent| spent.as_secs_f64() * 1e6 / load.operations.max(1.0))
    };
    let memory = id.map(process::resident).transpose()?;
    let spans = match (daemon, condition) {
        (Some(daemon), Condition::Waking | Condition::Capture) => daemon.end().map(|()| None)?,
        (daemon, _) => daemon.map(Daemon::stop).transpose()?,
    };
    let made = load.operations * workload.spans;
    Ok(Turn {
        load,
        program_cpu: each(before.0, after.0),
        daemon_cpu: each(before.1, after.1),
        daemon_memory: memory.map_or(f64::NAN, |bytes| bytes as f64 / f64::from(1 << 20)),
        captured: spans.filter(|_| made > 0.0).map_or(f64::NAN, |spans| spans as f64 / made),
    })
}

/// A running wirespan, or what stands for it.
struct Daemon {
    running: Running,
    words: BufReader<ChildStderr>,
}

impl Daemon {
    /// Starts it and waits until it captures. Its spans go to `spans`.
    fn start(mut command: Command, spans: Stdio) -> Result<Self> {
        let mut running = Running::start(command.stdout(spans).stderr(Stdio::piped()))?;
        let mut words = BufReader::new(running.stderr()?);
        while !line(&mut words)?.contains("capturing") {}
        Ok(Self { running, words })
    }

    /// Ends it, whatever it says.
    fn end(mut self) -> Result<()> {
        self.interrupt()?;
        self.running.wait().map(drop)
    }

    fn interrupt(&self) -> Result<()> {
        let process = Pid::from_raw(self.running.id().cast_signed()).context("a process id")?;
        kill_process(process, Signal::INT).context("stop the daemon: did it end under load?")
    }

    /// Ends it; gives the number of spans that it says it has shown.
    fn stop(mut self) -> Result<u64> {
        self.interrupt()?;
        loop {
            let line = line(&mut self.words)?;
            let count = line.strip_prefix("wirespan: ").and_then(|rest| rest.split_once(" span"));
            if let Some((count, _)) = count {
                return count.parse().with_context(|| format!("read the daemon's summary: {line}"));
            }
            note(&line);
        }
    }
}

fn line(words: &mut BufReader<ChildStderr>) -> Result<String> {
    let mut line = String::new();
    if words.read_line(&mut line).context("read what the daemon says")? == 0 {
        bail!("the daemon ended; its last words are above");
    }
    Ok(line.trim_end().to_owned())
}
