//! The traced program of the bench, an nginx that says hello, and what wrk reports about it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::process;
use crate::{
    child::{self, Running},
    place,
};

/// One core for the server, another for the load: their costs do not mix.
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// A running nginx with one worker.
pub(super) struct Nginx {
    /// Process id of the worker, which does all the work.
    pub(super) worker: u32,
    port: u16,
    _master: Running,
}

/// What wrk counted.
#[derive(Debug, PartialEq)]
pub(super) struct Load {
    /// Requests answered.
    pub(super) requests: f64,
    /// Requests a second.
    pub(super) throughput: f64,
    /// Median latency, µs.
    pub(super) p50: f64,
    /// 99th percentile of the latency, µs.
    pub(super) p99: f64,
}

impl Nginx {
    pub(super) fn start() -> Result<Self> {
        let folder = place::out("bench")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration(port)).with_context(|| format!("write {}", file.display()))?;
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", SERVER_CORE, "nginx", "-p"]).arg(&folder).arg("-c").arg(&file);
        let mut master = Running::start(command.args(["-e", "error.log"]))?;
        wait_for(port, &mut master)?;
        Ok(Self { worker: process::only_child(master.id())?, port, _master: master })
    }

    /// As many requests as it can serve for so many seconds.
    pub(super) fn load(&self, seconds: u64) -> Result<Load> {
        let text = child::read(
            Command::new("taskset")
                .args(["--cpu-list", LOAD_CORE, "wrk", "--latency", "--threads", "1", "--connections", "32"])
                .args(["--duration", &format!("{seconds}s"), &format!("http://127.0.0.1:{}/", self.port)]),
        )?;
        Load::parse(&text).with_context(|| format!("wrk printed something unexpected:\n{text}"))
    }
}

fn configuration(port: u16) -> String {
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000000;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 hello; }} }} }}\n"
    )
}

fn wait_for(port: u16, server: &mut Running) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if server.ended()?.is_some() || Instant::now() > deadline {
            bail!("nginx did not start; see out/bench/error.log");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Load {
    fn parse(text: &str) -> Option<Self> {
        let after =
            |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
        let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "))?.0;
        Some(Self {
            requests: requests.parse().ok()?,
            throughput: after("Requests/sec:")?.parse().ok()?,
            p50: microseconds(after("50%")?)?,
            p99: microseconds(after("99%")?)?,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn wrks_report_is_read() {
        let text = "Running 5s test @ http://127.0.0.1:8080/\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
                    Latency   142.25us   64.68us   3.84ms   96.56%\n  Latency Distribution\n     50%  133.00us\n     \
                    75%  150.00us\n     90%  172.00us\n     99%    1.35ms\n  1085466 requests in 5.10s, 162.52MB read\n\
                    Requests/sec: 212856.37\nTransfer/sec:     31.87MB\n";
        let expected = Load { requests: 1_085_466.0, throughput: 212_856.37, p50: 133.0, p99: 1350.0 };
        assert_eq!(Load::parse(text), Some(expected));
        assert_eq!(Load::parse("unable to connect to 127.0.0.1:8080 Connection refused\n"), None);
    }
}
