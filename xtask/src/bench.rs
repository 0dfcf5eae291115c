//! `cargo xtask bench`: what wirespan costs a traced program. nginx on one core, wrk on another, alternately without and
//! with the daemon, so that a machine that changes its mind meanwhile does so for both. Refuses: single runs.

mod causality;
mod load;
mod pipeline;
mod process;
mod store;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    build,
    child::Running,
    setup::{self, Purpose},
    step::{note, step},
};
use load::{Load, Nginx};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    /// Pairs of runs, one without and one with the daemon.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Seconds of load per run.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What can be measured besides the cost.
#[derive(clap::Subcommand)]
enum Other {
    /// Measure how many links between spans are right: real programs in their runtimes, against the truth.
    Causality(causality::Arguments),
    /// Measure how fast a recording goes through the pipeline, on one core, without root.
    Pipeline(pipeline::Arguments),
    /// Measure what the collector's store costs.
    Store(store::Arguments),
}

/// One run.
struct Run {
    load: Load,
    /// CPU time of nginx's worker, µs per request.
    server_cpu: f64,
    /// CPU time of the daemon, µs per request; 0 without it.
    daemon_cpu: f64,
    /// Resident memory of the daemon at the end of the run, bytes; 0 without it.
    daemon_memory: u64,
}

/// Medians over runs of one sort.
struct Summary {
    throughput: f64,
    p50: f64,
    p99: f64,
    server_cpu: f64,
    daemon_cpu: f64,
    daemon_memory: f64,
}

/// `cargo xtask bench`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Other::Store(arguments)) = &arguments.other {
        return store::run(arguments);
    }
    if let Some(Other::Pipeline(arguments)) = &arguments.other {
        return pipeline::run(arguments);
    }
    setup::require_root("cargo xtask bench")?;
    if let Some(Other::Causality(arguments)) = &arguments.other {
        return causality::run(arguments);
    }
    setup::prepare(Purpose::Test)?;
    let binary = build::wirespan("release")?;
    let nginx = Nginx::start()?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 1..=arguments.pairs {
        step(&format!("pair {pair} of {}", arguments.pairs), || {
            without.push(measure(&nginx, arguments.seconds, None)?);
            let mut daemon = daemon(&binary)?;
            with.push(measure(&nginx, arguments.seconds, Some(daemon.id()))?);
            if let Some(status) = daemon.ended()? {
                bail!("the daemon ended under load ({status}); its own words are above");
            }
            Ok(())
        })?;
    }
    report(&Summary::of(&without), &Summary::of(&with), arguments.json);
    Ok(())
}

/// Starts the daemon and waits until it captures. Its spans go to /dev/null.
fn daemon(binary: &Path) -> Result<Running> {
    let mut command = Command::new(binary);
    command.args(["agent", "--output", "json"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = Running::start(&mut command)?;
    let mut lines = BufReader::new(daemon.stderr()?).lines();
    while let Some(line) = lines.next().transpose().context("read what the daemon says")? {
        if line.contains("capturing") {
            // Somebody has to read on, or the daemon blocks when the pipe is full.
            thread::spawn(move || lines.map_while(Result::ok).for_each(|line| note(&line)));
            return Ok(daemon);
        }
        note(&line);
    }
    bail!("the daemon ended before it captured; its own words are above")
}

fn measure(nginx: &Nginx, seconds: u64, daemon: Option<u32>) -> Result<Run> {
    let server_before = process::cpu_time(nginx.worker)?;
    let daemon_before = daemon.map(process::cpu_time).transpose()?.unwrap_or_default();
    let load = nginx.load(seconds)?;
    let server = process::cpu_time(nginx.worker)?.saturating_sub(server_before);
    let daemon_after = daemon.map(process::cpu_time).transpose()?.unwrap_or_default();
    let each = |time: std::time::Duration| time.as_secs_f64() * 1e6 / load.requests.max(1.0);
    Ok(Run {
        server_cpu: each(server),
        daemon_cpu: each(daemon_after.saturating_sub(daemon_before)),
        daemon_memory: daemon.map(process::resident).transpose()?.unwrap_or_default(),
        load,
    })
}

impl Summary {
    fn of(runs: &[Run]) -> Self {
        let median = |field: fn(&Run) -> f64| median(runs.iter().map(field).collect());
        Self {
            throughput: median(|run| run.load.throughput),
            p50: median(|run| run.load.p50),
            p99: median(|run| run.load.p99),
            server_cpu: median(|run| run.server_cpu),
            daemon_cpu: median(|run| run.daemon_cpu),
            daemon_memory: median(|run| run.daemon_memory as f64),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "requests_per_second": self.throughput,
            "p50_us": self.p50,
            "p99_us": self.p99,
            "server_cpu_us_per_request": self.server_cpu,
            "daemon_cpu_us_per_request": self.daemon_cpu,
            "daemon_resident_bytes": self.daemon_memory,
        })
    }
}

/// The middle one; of an even number, the upper of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn report(without: &Summary, with: &Summary, as_json: bool) {
    let throughput = with.throughput / without.throughput;
    let cost = with.server_cpu / without.server_cpu - 1.0;
    if as_json {
        let (without, with) = (without.json(), with.json());
        let report = json!({"without": without, "with": with, "throughput_ratio": throughput, "server_cpu_more": cost});
        println!("{report}");
        return;
    }
    println!("{:<28}{:>12}{:>12}{:>10}", "medians", "without", "with", "change");
    row("requests/s", without.throughput, with.throughput);
    row("p50, µs", without.p50, with.p50);
    row("p99, µs", without.p99, with.p99);
    row("nginx CPU, µs/request", without.server_cpu, with.server_cpu);
    println!("{:<28}{:>24.2}", "daemon CPU, µs/request", with.daemon_cpu);
    println!("{:<28}{:>24.1}", "daemon memory, MiB", with.daemon_memory / f64::from(1 << 20));
}

fn row(name: &str, without: f64, with: f64) {
    println!("{name:<28}{without:>12.2}{with:>12.2}{:>+9.1}%", (with / without - 1.0) * 100.0);
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn one_wild_run_does_not_move_the_median() {
        assert_eq!(median(vec![3.0, 1e9, 1.0, 2.0, 2.5]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
