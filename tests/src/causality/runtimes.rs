//! The programs under test: name in, commands out. Refuses: modified servers. Each serves the same patterns; what a proxy
//! or a protocol cannot do is left out.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{proxies, run::sibling};
use crate::{program, servers::packaged_python};

/// What a request makes the program do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pattern {
    /// First part of the path.
    pub name: &'static str,
    /// How long a request lasts, in mean service times of the backend: half of the calls are answered from a cache.
    pub lasts: f64,
    /// Requests written at once on one connection.
    pub batch: u32,
}

/// One call, or none.
const SYNC: Pattern = Pattern { name: "sync", lasts: 0.5, batch: 1 };
/// Up to three calls, one after the other.
const SEQUENTIAL: Pattern = Pattern { name: "sequential", lasts: 1.5, batch: 1 };
/// Up to three calls at once. The longest of so many exponential times lasts 1, 3/2, 11/6 means.
const PARALLEL: Pattern = Pattern { name: "parallel", lasts: 1.17, batch: 1 };
/// The same, with a thread made for each call.
const THREADS: Pattern = Pattern { name: "threads", ..PARALLEL };
/// A call that fails every third time, made up to three times.
const RETRY: Pattern = Pattern { name: "retry", lasts: 0.72, batch: 1 };
/// The call is made after the answer.
const FORGET: Pattern = Pattern { name: "forget", lasts: 0.5, batch: 1 };
/// Several requests at once on a connection, each with one call or none.
const PIPELINING: Pattern = Pattern { name: "pipelining", lasts: 0.5, batch: 3 };
/// Each request is passed on.
const PROXY: Pattern = Pattern { name: "sync", lasts: 1.0, batch: 1 };
/// The same, several at once.
const PROXY_PIPELINING: Pattern = Pattern { name: "pipelining", lasts: 2.0, batch: 3 };

const ALL: &[Pattern] = &[SYNC, SEQUENTIAL, PARALLEL, RETRY, FORGET, PIPELINING];
const WITH_THREADS: &[Pattern] = &[SYNC, SEQUENTIAL, PARALLEL, THREADS, RETRY, FORGET, PIPELINING];
const NO_PIPELINING: &[Pattern] = &[SYNC, SEQUENTIAL, PARALLEL, RETRY, FORGET];
const PROXIES: &[Pattern] = &[PROXY, PROXY_PIPELINING];

/// A runtime with its program.
pub struct Runtime {
    /// As on the command line and in the table.
    pub name: &'static str,
    /// What it can do.
    pub patterns: &'static [Pattern],
    /// Requests that it can answer at once, where that is bounded; more wait in its queue.
    pub workers: Option<u32>,
    /// Background jobs at work: one a process.
    pub jobs: u32,
    /// How to start it.
    pub commands: fn(&Place) -> Result<Vec<Command>>,
    /// The access log that is its truth, within [`Place::scratch`], for a proxy.
    pub log: Option<&'static str>,
}

/// Where a program runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where it is to listen.
    pub listen: SocketAddr,
    /// A folder of its own, for configuration files and logs.
    pub scratch: PathBuf,
    /// The environment: `CAUSALITY_*`.
    pub variables: Vec<(&'static str, OsString)>,
}

/// Workers of servers with processes, and of those with a pool of threads.
const WORKERS: u32 = 16;

/// A program without bounds and with a background job.
const fn free(
    name: &'static str,
    patterns: &'static [Pattern],
    commands: fn(&Place) -> Result<Vec<Command>>,
) -> Runtime {
    Runtime { name, patterns, workers: None, jobs: 1, commands, log: None }
}

/// Every runtime.
pub const RUNTIMES: &[Runtime] = &[
    free("python-threads", WITH_THREADS, |place| Ok(vec![python_program(place, "threads.py")])),
    Runtime { workers: Some(WORKERS), jobs: WORKERS, ..free("gunicorn-sync", NO_PIPELINING, gunicorn_sync) },
    Runtime { workers: Some(WORKERS), ..free("gunicorn-gthread", NO_PIPELINING, gunicorn_gthread) },
    Runtime { jobs: 0, log: Some("access.log"), ..free("nginx", PROXIES, nginx) },
    Runtime { jobs: 0, log: Some("access.log"), ..free("haproxy", PROXIES, haproxy) },
    free("node", ALL, |place| Ok(vec![node(place, "close")])),
    free("node-agent", ALL, |place| Ok(vec![node(place, "keep-alive")])),
    free("aiohttp", ALL, |place| Ok(vec![python_program(place, "aiohttp_server.py")])),
    free("uvicorn", ALL, |place| Ok(vec![python_program(place, "asgi.py")])),
    free("gevent", ALL, |place| Ok(vec![python_program(place, "gevent_server.py")])),
    free("go", ALL, |place| go(place, "pooled")),
    free("go-inline", ALL, |place| go(place, "inline")),
    free("tokio-current", ALL, |place| tokio(place, "current-thread", "pooled")),
    free("tokio-multi", ALL, |place| tokio(place, "multi-thread", "pooled")),
    free("tokio-current-inline", ALL, |place| tokio(place, "current-thread", "inline")),
    free("tokio-multi-inline", ALL, |place| tokio(place, "multi-thread", "inline")),
    free("java-pool", ALL, |place| java(place, "pool")),
    free("java-virtual", ALL, |place| java(place, "virtual")),
    Runtime { workers: Some(WORKERS), ..free("puma", NO_PIPELINING, puma) },
];

/// The runtime of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Runtime> {
    RUNTIMES.iter().find(|runtime| runtime.name == name)
}

impl Place {
    /// A program in this place.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let file = fs::File::create(self.scratch.join("words.log"));
        let words = file.map_or_else(|_| Stdio::null(), Stdio::from);
        command.envs(self.variables.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
        command
    }

    /// Puts a file into the scratch folder.
    fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.scratch.join(name);
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

/// `tests/causality/`.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("causality")
}

fn python_program(place: &Place, name: &str) -> Command {
    let mut command = place.command(packaged_python());
    command.arg(programs().join("python").join(name));
    command
}

fn gunicorn(place: &Place, arguments: [&str; 6]) -> Vec<Command> {
    let mut command = place.command(packaged_python());
    command.current_dir(programs().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-m", "gunicorn", "--config", "gunicorn_conf.py"]).args(arguments).arg("wsgi:application");
    vec![command]
}

fn gunicorn_sync(place: &Place) -> Result<Vec<Command>> {
    Ok(gunicorn(place, ["--worker-class", "sync", "--workers", &WORKERS.to_string(), "--threads", "1"]))
}

fn gunicorn_gthread(place: &Place) -> Result<Vec<Command>> {
    Ok(gunicorn(place, ["--worker-class", "gthread", "--workers", "1", "--threads", &WORKERS.to_string()]))
}

fn node(place: &Place, connections: &str) -> Command {
    let mut command = place.command("node");
    command.arg(programs().join("node/server.js")).arg(connections);
    command
}

/// Built as Go builds by default, with its symbols. `client`: whether calls go through the transport's own goroutines.
fn go(place: &Place, client: &str) -> Result<Vec<Command>> {
    let binary = place.scratch.join("go-server");
    program::run(Command::new("go").current_dir(programs().join("go")).args(["build", "-o"]).arg(&binary))?;
    let mut command = place.command(binary);
    command.arg(client);
    Ok(vec![command])
}

fn tokio(place: &Place, flavour: &str, client: &str) -> Result<Vec<Command>> {
    let mut command = place.command(sibling("causality_tokio")?);
    command.args([flavour, client]);
    Ok(vec![command])
}

/// Runs the source: the JDK compiles it in memory.
fn java(place: &Place, threads: &str) -> Result<Vec<Command>> {
    let mut command = place.command(jdk(threads == "virtual")?);
    command.arg("-XX:+UseSerialGC").arg(programs().join("java/Server.java")).arg(threads);
    Ok(vec![command])
}

/// Virtual threads came with Java 21: any newer JDK among those installed. Else the one on PATH.
fn jdk(newer: bool) -> Result<PathBuf> {
    if !newer {
        return Ok("java".into());
    }
    let folders = fs::read_dir("/usr/lib/jvm").context("list the installed JDKs")?;
    let of = |path: PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let version =
            name.split(|character: char| !character.is_ascii_digit()).find(|digits| !digits.is_empty());
        let version: u32 = version?.parse().ok()?;
        (version >= 21).then(|| path.join("bin/java")).filter(|java| java.is_file())
    };
    let found = folders.filter_map(Result::ok).find_map(|entry| of(entry.path()));
    found.context("no JDK of version 21 or later under /usr/lib/jvm")
}

fn puma(place: &Place) -> Result<Vec<Command>> {
    let mut command = place.command("puma");
    let (threads, bind) = (format!("{WORKERS}:{WORKERS}"), format!("tcp://{}", place.listen));
    command.args(["--no-config", "--environment", "production", "--threads", &threads, "--bind", &bind]);
    command.arg(programs().join("ruby/config.ru"));
    Ok(vec![command])
}

/// The backend's address.
fn backend(place: &Place) -> Result<String> {
    let found = place.variables.iter().find(|(name, _)| *name == "CAUSALITY_BACKEND");
    Ok(found.context("no CAUSALITY_BACKEND")?.1.to_string_lossy().into_owned())
}

fn nginx(place: &Place) -> Result<Vec<Command>> {
    let (listen, backend) = (place.listen, backend(place)?);
    let file = place.write(
        "nginx.conf",
        &format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
             events {{ worker_connections 8192; }}\n\
             http {{ log_format truth '{}'; access_log access.log truth; keepalive_requests 1000000;\n\
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n\
             scgi_temp_path scgi;\n\
             upstream backend {{ server {backend}; keepalive 64; keepalive_requests 1000000; }}\n\
             server {{ listen {listen} backlog=4096; location / {{ proxy_pass http://backend; proxy_hide_header X-Seen;\n\
             proxy_http_version 1.1; proxy_set_header Connection ''; }} }} }}\n",
            proxies::NGINX
        ),
    )?;
    let mut command = place.command("nginx");
    command.arg("-p").arg(&place.scratch).arg("-c").arg(file).args(["-e", "error.log"]);
    Ok(vec![command])
}

fn haproxy(place: &Place) -> Result<Vec<Command>> {
    let (listen, backend) = (place.listen, backend(place)?);
    let file = place.write(
        "haproxy.cfg",
        &format!(
            "global\n  maxconn 8192\n  nbthread 1\n  log stdout format raw local0\n\
             defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  option dontlognull\n\
             frontend front\n  bind {listen} backlog 4096\n  log global\n  log-format \"{}\"\n  default_backend back\n\
             backend back\n  http-reuse always\n  server one {backend}\n",
            proxies::HAPROXY
        ),
    )?;
    let log = place.write("access.log", "")?;
    let mut command = place.command("haproxy");
    command.arg("-db").arg("-f").arg(file).stdout(fs::File::create(log).context("make the log")?);
    Ok(vec![command])
}
