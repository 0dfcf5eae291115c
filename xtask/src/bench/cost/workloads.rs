//! What the cost is measured on: a program that is traced, and a load for it. One line of [`WORKLOADS`] each.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    loads::{self, Load, SERVER_CORE},
    process,
};
use crate::{
    child::{self, Running},
    place, setup,
};

/// Addresses of the server of short connections: a closed connection's ports stay taken for a minute.
const ADDRESSES: u8 = 64;
/// Requests a second of the paced load.
const PACE: u32 = 4_000;
/// Connections a second of the short ones.
const SHORT: u32 = 10_000;
/// Connections that are open at once where there are many.
const MANY: u32 = 10_000;
/// Size of the download, MiB.
const DOWNLOAD_MIB: u64 = 1 << 10;
/// Calls of one byte a second of the program without a socket, about.
const CALLS: u64 = 2_000_000;

/// One line of the table.
pub(super) struct Workload {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// What one operation is.
    pub(super) unit: &'static str,
    /// Spans that one operation makes, both ends counted.
    pub(super) spans: f64,
    start: fn() -> Result<Target>,
    load: fn(&Target, u64) -> Result<Load>,
}

/// A traced program that runs.
pub(super) struct Target {
    /// Process id of the one that does the work; `None` where it does not outlive the load.
    pub(super) process: Option<u32>,
    /// Where it listens, on the loopback.
    pub(super) port: u16,
    _program: Option<Running>,
}

impl Workload {
    pub(super) fn start(&self) -> Result<Target> {
        (self.start)().with_context(|| format!("start {}", self.name))
    }

    /// Loads the target for about so many seconds.
    pub(super) fn load(&self, target: &Target, seconds: u64) -> Result<Load> {
        (self.load)(target, seconds).with_context(|| format!("load {}", self.name))
    }
}

/// All of them.
pub(super) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "nginx",
        unit: "request",
        spans: 2.0,
        start: nginx,
        load: |target, seconds| loads::wrk(target.port, 32, seconds),
    },
    Workload {
        name: "nginx-paced",
        unit: "request",
        spans: 2.0,
        start: nginx,
        load: |target, seconds| loads::paced(&[format!("127.0.0.1:{}", target.port)], PACE, seconds, &[]),
    },
    Workload {
        name: "connections",
        unit: "request",
        spans: 2.0,
        start: nginx,
        load: |target, seconds| {
            // As many as there are, so that all are open for most of the time.
            let rate = MANY.div_ceil(u32::try_from(seconds)?.div_ceil(2));
            loads::paced(&target.addresses(), rate, seconds, &["--connections", &MANY.to_string()])
        },
    },
    Workload {
        name: "short-connections",
        unit: "request",
        spans: 2.0,
        start: nginx,
        load: |target, seconds| loads::paced(&target.addresses(), SHORT, seconds, &["--fresh"]),
    },
    Workload {
        name: "download",
        unit: "MiB",
        spans: 2.0 / DOWNLOAD_MIB as f64,
        start: nginx,
        load: |target, _| download(target.port),
    },
    Workload {
        name: "python",
        unit: "request",
        spans: 2.0,
        start: python,
        load: |target, seconds| loads::wrk(target.port, 4, seconds),
    },
    Workload {
        name: "node",
        unit: "request",
        spans: 2.0,
        start: node,
        load: |target, seconds| loads::wrk(target.port, 32, seconds),
    },
    Workload {
        name: "redis",
        unit: "command",
        spans: 2.0,
        start: redis,
        load: |target, seconds| loads::redis(target.port, 1, seconds * 80_000),
    },
    Workload {
        name: "redis-pipelined",
        unit: "command",
        spans: 2.0,
        start: redis,
        load: |target, seconds| loads::redis(target.port, 16, seconds * 400_000),
    },
    Workload {
        name: "no-socket",
        unit: "call",
        spans: 0.0,
        start: || Ok(Target { process: None, port: 0, _program: None }),
        load: |_, seconds| no_socket(seconds),
    },
    Workload {
        name: "idle",
        unit: "second",
        spans: 0.0,
        start: || Ok(Target { process: None, port: 0, _program: None }),
        load: |_, seconds| {
            thread::sleep(Duration::from_secs(seconds));
            Ok(Load { operations: seconds as f64, throughput: 1.0, p50: f64::NAN, p99: f64::NAN })
        },
    },
];

impl Target {
    fn addresses(&self) -> Vec<String> {
        (1..=ADDRESSES).map(|host| format!("127.0.0.{host}:{}", self.port)).collect()
    }

    /// A server on its core, once it listens.
    fn server(port: u16, program: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", SERVER_CORE, "prlimit", &loads::files(), "--", program]);
        command.args(arguments).stdout(Stdio::null());
        let mut running = Running::start(&mut command)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if running.ended()?.is_some() || Instant::now() > deadline {
                bail!("{program} did not start to listen; its own words are above");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { process: Some(running.id()), port, _program: Some(running) })
    }
}

pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub(super) fn nginx() -> Result<Target> {
    let (folder, port) = (place::out("bench")?, free_port()?);
    fs::File::create(folder.join("large"))?.set_len(DOWNLOAD_MIB << 20)?;
    let listens: String = (1..=ADDRESSES).map(|host| format!("listen 127.0.0.{host}:{port};")).collect();
    let configuration = format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
         events {{ worker_connections 16384; }}\n\
         http {{ access_log off; sendfile on; keepalive_requests 1000000000;\n\
         server {{ {listens} location = / {{ return 200 hello; }} location / {{ root .; }} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration)?;
    let [prefix, file] = [&folder, &file].map(|path| path.display().to_string());
    let master = Target::server(port, "nginx", &["-p", &prefix, "-c", &file, "-e", "error.log"])?;
    let worker = master.process.map(process::only_child).transpose()?;
    Ok(Target { process: worker, ..master })
}

/// One event loop. (Threads that end take their CPU time out of the figures.)
const PYTHON: &str = "
import sys
from aiohttp import web
async def hello(_): return web.Response(text='hello')
app = web.Application()
app.router.add_get('/', hello)
web.run_app(app, host='127.0.0.1', port=int(sys.argv[1]), print=None, access_log=None)
";

pub(super) fn python() -> Result<Target> {
    let (python, port) = (setup::python()?, free_port()?);
    Target::server(port, &python.display().to_string(), &["-c", PYTHON, &port.to_string()])
}

/// One event loop, from Node's own modules.
const NODE: &str = "
require('http').createServer((_, answer) => answer.end('hello')).listen(Number(process.argv[1]), '127.0.0.1');
";

fn node() -> Result<Target> {
    let port = free_port()?;
    Target::server(port, "node", &["-e", NODE, &port.to_string()])
}

pub(super) fn redis() -> Result<Target> {
    let port = free_port()?;
    let number = port.to_string();
    let arguments = ["--bind", "127.0.0.1", "--port", &number, "--save", "", "--appendonly", "no"];
    Target::server(port, "redis-server", &arguments)
}

fn download(port: u16) -> Result<Load> {
    let url = format!("http://127.0.0.1:{port}/large");
    let mut command = loads::on_load_core("curl");
    command.args(["--silent", "--fail", "--noproxy", "*", "--output", "/dev/null", &url]);
    timed(&mut command, DOWNLOAD_MIB as f64)
}

/// A program that makes system calls and has no socket.
fn no_socket(seconds: u64) -> Result<Load> {
    let calls = CALLS * seconds;
    let mut command = loads::on_load_core("dd");
    command.args(["if=/dev/zero", "of=/dev/null", "bs=1", "status=none", &format!("count={calls}")]);
    timed(&mut command, calls as f64)
}

fn timed(command: &mut Command, operations: f64) -> Result<Load> {
    let start = Instant::now();
    child::quiet(command)?;
    let throughput = operations / start.elapsed().as_secs_f64();
    Ok(Load { operations, throughput, p50: f64::NAN, p99: f64::NAN })
}
