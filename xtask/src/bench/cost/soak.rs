//! `cargo xtask bench soak`: does the daemon's memory stay where it is? A light load of every kind, for long: connections
//! that are kept and short ones, Redis, a Python service, processes that come and go. Every half minute a line; then the
//! line through the points behind the warm-up, and an error where it rises.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Daemon, agent, process, workloads};
use crate::{
    arch::Arch,
    build, child,
    child::Running,
    setup::{self, Purpose},
    step::step,
};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(30);
/// What is told and does not count: tables fill up, those of processes last.
const WARM_UP_MINUTES: f64 = 10.0;
/// What the memory may rise in the time that counts, MiB: an allocator's fits and starts.
const RISE: f64 = 2.0;
/// Processes that each make one request; with the shell between them some 20 a second.
const VISITORS: &str = "n=0; while curl --silent --noproxy '*' --output /dev/null \"$0/item-$n\"; \
                        do n=$((n + 1)); sleep 0.04; done";
/// What is asked of `/metrics`, besides the memory that the kernel tells.
const GAUGES: [&str; 3] =
    ["wirespan_connections", "wirespan_queue_spans{queue=\"assembly\"}", "wirespan_stream_held_bytes"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long, warm-up included.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(20..))]
    minutes: u64,
    /// A built wirespan binary; without it, one is built (release).
    #[arg(long)]
    binary: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::prepare(Purpose::Test)?;
    let binary = arguments.binary.clone().map_or_else(|| build::wirespan("release"), Ok)?;
    let load = build::test_program(Arch::host()?, "paced")?;
    let points = step("soak", || soaked(arguments.minutes, &binary, &load))?;
    let rise = rise(&points).context("too short a time behind the warm-up")?;
    println!(
        "memory after {WARM_UP_MINUTES} minutes: {rise:+.2} MiB until the end, by the line through all points"
    );
    ensure!(rise < RISE, "the daemon's memory grows: {rise:.1} MiB, where {RISE} are noise");
    Ok(())
}

/// Minutes, and the memory then, MiB.
type Point = (f64, f64);

fn soaked(minutes: u64, binary: &Path, load: &Path) -> Result<Vec<Point>> {
    let [nginx, python, redis] = [workloads::nginx()?, workloads::python()?, workloads::redis()?];
    let metrics = format!("127.0.0.1:{}", workloads::free_port()?);
    // What else goes on at this host does not count.
    let ports = [&nginx, &python, &redis].map(|target| target.port.to_string());
    let ports = ports.iter().flat_map(|port| ["--include-port", port]);
    let mut command = agent(binary);
    command.args(["--metrics", &metrics, "--cpu-percent", "0"]).args(ports);
    let daemon = Daemon::start(command, Stdio::null())?;
    let paced = |port: u16, rate: &str, fresh: Option<&str>| {
        let mut command = Command::new(load);
        let seconds = (minutes * 60).to_string();
        command.args([&format!("127.0.0.1:{port}"), "--rate", rate, "--seconds", &seconds]).args(fresh);
        Running::start(command.stdout(Stdio::null()))
    };
    let mut commands = Command::new("redis-cli");
    commands.args(["-p", &redis.port.to_string(), "-r", "-1", "-i", "0.01", "INCR", "counter"]);
    let mut visitors = Command::new("sh");
    visitors.args(["-c", VISITORS, &format!("http://127.0.0.1:{}", python.port)]);
    let _load = [
        paced(nginx.port, "120", None)?,
        paced(nginx.port, "120", Some("--fresh"))?,
        paced(python.port, "20", Some("--fresh"))?,
        Running::start(commands.stdout(Stdio::null()))?,
        Running::start(&mut visitors)?,
    ];
    let points = watched(&daemon, minutes, &metrics)?;
    daemon.stop()?;
    Ok(points)
}

/// Looks at the daemon until the time is over.
fn watched(daemon: &Daemon, minutes: u64, metrics: &str) -> Result<Vec<Point>> {
    println!("{:>8}{:>8}{:>10}  {}", "minute", "MiB", "maps, KiB", GAUGES.join("  "));
    let (begun, id) = (Instant::now(), daemon.running.id());
    let mut points = Vec::new();
    while begun.elapsed().as_secs() < minutes * 60 {
        thread::sleep(PERIOD);
        let minute = begun.elapsed().as_secs_f64() / 60.0;
        let memory = process::resident(id)? as f64 / f64::from(1 << 20);
        let page = child::read(Command::new("curl").args([
            "--silent",
            "--fail",
            "--noproxy",
            "*",
            &format!("http://{metrics}/metrics"),
        ]))?;
        let gauges = GAUGES.map(|name| gauge(&page, name).unwrap_or("-"));
        println!("{minute:>8.1}{memory:>8.1}{:>10}  {}", process::maps(id)? >> 10, gauges.join("  "));
        points.push((minute, memory));
    }
    Ok(points)
}

/// Prometheus' text format: a name, a space, a number.
fn gauge<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

/// What the line of least squares through the points behind the warm-up rises from the first of them to the last, MiB.
fn rise(points: &[Point]) -> Option<f64> {
    let points: Vec<_> = points.iter().filter(|(minute, _)| *minute >= WARM_UP_MINUTES).collect();
    let count = points.len() as f64;
    let mean = |of: fn(&Point) -> f64| points.iter().map(|point| of(point)).sum::<f64>() / count;
    let (minute, memory) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - minute) * (point.1 - memory)).sum();
    let spread: f64 = points.iter().map(|point| (point.0 - minute).powi(2)).sum();
    let lasted = points.last()?.0 - points.first()?.0;
    (spread > 0.0).then(|| both / spread * lasted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warm_up_does_not_count_and_one_wild_point_says_little() {
        let points: Vec<_> = (0..40).map(|half| (f64::from(half), f64::from(half.min(10)) + 30.0)).collect();
        assert_eq!(rise(&points), Some(0.0));
        let mut wild = points.clone();
        wild[25].1 += 5.0;
        assert!(rise(&wild).is_some_and(|rise| rise.abs() < 0.5));
        let leak: Vec<_> = points.iter().map(|(minute, _)| (*minute, 30.0 + minute / 10.0)).collect();
        assert!(rise(&leak).is_some_and(|rise| (rise - 2.9).abs() < 1e-9));
        assert_eq!(rise(&points[..10]), None);
    }

    #[test]
    fn gauges_are_found_by_their_whole_name() {
        let page = "# HELP a b\nwirespan_connections 12\nwirespan_connection_changes_total{change=\"x\"} 3\n";
        assert_eq!(gauge(page, "wirespan_connections"), Some("12"));
        assert_eq!(gauge(page, "wirespan_connection"), None);
    }
}
