//! Programs that make load, and what they report.

use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit};

use crate::{child, place};

/// One core for the server, another for the load: their costs do not mix.
pub(super) const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
/// Descriptors that servers and loads may have, where this process may: more than the most connections of any.
const FILES: u64 = 65_536;

/// What a load counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    /// Requests answered, MiB moved or calls made.
    pub(super) operations: f64,
    /// Operations a second.
    pub(super) throughput: f64,
    /// Median latency, µs; NaN where it is not measured.
    pub(super) p50: f64,
    /// 99th percentile of the latency, µs; NaN likewise.
    pub(super) p99: f64,
}

/// For `prlimit`: as many descriptors as this process may give.
pub(super) fn files() -> String {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(FILES);
    format!("--nofile={}", most.min(FILES))
}

/// `command` on the load's core.
pub(super) fn on_load_core(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", LOAD_CORE]).arg(program);
    command
}

/// As many requests as a server can answer, over so many connections.
pub(super) fn wrk(port: u16, connections: u32, seconds: u64) -> Result<Load> {
    let text = child::read(
        on_load_core("wrk")
            .args(["--latency", "--threads", "1", "--connections", &connections.to_string()])
            .args(["--duration", &format!("{seconds}s"), &format!("http://127.0.0.1:{port}/")]),
    )?;
    parse_wrk(&text).with_context(|| format!("wrk printed something unexpected:\n{text}"))
}

/// Requests at a rate, each due at its time.
pub(super) fn paced(addresses: &[String], rate: u32, seconds: u64, more: &[&str]) -> Result<Load> {
    let mut command = on_load_core("prlimit");
    command.args([files().as_str(), "--"]).arg(place::target().join("release/paced")).args(addresses);
    command.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()]).args(more);
    let text = child::read(&mut command)?;
    let report: serde_json::Value = serde_json::from_str(&text).context("read what the load printed")?;
    let number = |name: &str| report[name].as_f64().with_context(|| format!("no `{name}` in {text}"));
    let operations = number("requests")?;
    Ok(Load {
        operations,
        throughput: operations / number("seconds")?,
        p50: number("p50_us")?,
        p99: number("p99_us")?,
    })
}

/// As many GETs as a Redis can answer, `pipeline` at once on each of 16 connections; so many of them.
pub(super) fn redis(port: u16, pipeline: u32, requests: u64) -> Result<Load> {
    let text = child::read(
        on_load_core("redis-benchmark")
            .args(["-p", &port.to_string(), "-c", "16", "-t", "get", "--csv"])
            .args(["-P", &pipeline.to_string(), "-n", &requests.to_string()]),
    )?;
    let load = parse_redis(&text, requests as f64);
    load.with_context(|| format!("redis-benchmark printed something unexpected:\n{text}"))
}

fn parse_wrk(text: &str) -> Option<Load> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "))?.0;
    Some(Load {
        operations: requests.parse().ok()?,
        throughput: after("Requests/sec:")?.parse().ok()?,
        p50: microseconds(after("50%")?)?,
        p99: microseconds(after("99%")?)?,
    })
}

/// wrk's durations: a number and `us`, `ms`, `s` or `m`.
fn microseconds(text: &str) -> Option<f64> {
    let unit = text.find(|character: char| character.is_alphabetic())?;
    let number: f64 = text.get(..unit)?.parse().ok()?;
    let factor = match text.get(unit..)? {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 6e7,
        _ => return None,
    };
    Some(number * factor)
}

/// The columns by their names: `"test","rps","avg_latency_ms",…`.
fn parse_redis(text: &str, operations: f64) -> Option<Load> {
    let mut lines = text.lines().map(|line| line.split(',').map(|cell| cell.trim_matches('"')));
    let (names, values): (Vec<_>, Vec<_>) = (lines.next()?.collect(), lines.next()?.collect());
    let column = |name| {
        let at = names.iter().position(|found| *found == name)?;
        values.get(at)?.parse::<f64>().ok()
    };
    Some(Load {
        operations,
        throughput: column("rps")?,
        p50: column("p50_latency_ms")? * 1e3,
        p99: column("p99_latency_ms")? * 1e3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrks_report_is_read() {
        let text = "Running 5s test @ http://127.0.0.1:8080/\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
                    Latency   142.25us   64.68us   3.84ms   96.56%\n  Latency Distribution\n     50%  133.00us\n     \
                    75%  150.00us\n     90%  172.00us\n     99%    1.35ms\n  1085466 requests in 5.10s, 162.52MB read\n\
                    Requests/sec: 212856.37\nTransfer/sec:     31.87MB\n";
        let expected = Load { operations: 1_085_466.0, throughput: 212_856.37, p50: 133.0, p99: 1350.0 };
        assert_eq!(parse_wrk(text), Some(expected));
        assert_eq!(parse_wrk("unable to connect to 127.0.0.1:8080 Connection refused\n"), None);
    }

    #[test]
    fn redis_benchmarks_report_is_read() {
        let text = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
                    \"p99_latency_ms\",\"max_latency_ms\"\n\
                    \"GET\",\"100000.00\",\"0.093\",\"0.024\",\"0.095\",\"0.119\",\"0.151\",\"0.295\"\n";
        let expected = Load { operations: 5.0, throughput: 100_000.0, p50: 95.0, p99: 151.0 };
        assert_eq!(parse_redis(text, 5.0), Some(expected));
        assert_eq!(parse_redis("Could not connect to Redis at 127.0.0.1:1: Connection refused\n", 5.0), None);
    }
}
