//! The programs under test: name in, commands out. Refuses: modified servers. Each serves the same patterns; what a proxy
//! or a protocol cannot do is left out.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

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
/// Several requests at once on a connection, each with one call or none, answered one after the other: they wait for 0, 1
/// and 2 others.
const PIPELINING: Pattern = Pattern { name: "pipelining", lasts: 1.0, batch: 3 };
/// Each request is passed on.
const PROXY: Pattern = Pattern { name: "sync", lasts: 1.0, batch: 1 };
/// The same, several at once.
const PROXY_PIPELINING: Pattern = Pattern { name: "pipelining", lasts: 2.0, batch: 3 };

const ALL: &[Pattern] = &[SYNC, SEQUENTIAL, PARALLEL, RETRY, FORGET, PIPELINING];
const WITH_THREADS: &[Pattern] = &[SYNC, SEQUENTIAL, PARALLEL, THREADS, RETRY, FORGET, PIPELINING];
const NO_PIPELINING: &[Pattern] = &[SYNC, SEQUENTIAL, PARALLEL, RETRY, FORGET];
const THREADS_NO_PIPELINING: &[Pattern] = &[SYNC, SEQUENTIAL, PARALLEL, THREADS, RETRY, FORGET];
const PROXIES: &[Pattern] = &[PROXY, PROXY_PIPELINING];

/// A runtime with its program.
pub struct Runtime {
    /// As on the command line and in the table.
    pub name: &'static str,
    /// What it can do.
    pub patterns: &'static [Pattern],
    /// What answers requests.
    pub workers: Workers,
    /// Has it a background job, one a process?
    pub job: bool,
    /// How to start it.
    pub commands: fn(&Place) -> Result<Vec<Command>>,
    /// The access log that is its truth, within [`Place::scratch`], for a proxy.
    pub log: Option<&'static str>,
    /// Is there a proxy of its own before it? Then it listens on [`Place::inner`].
    pub proxied: bool,
}

/// What answers requests, and the most of them that a machine can be asked to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many requests at once as come.
    Unbounded,
    /// Threads of one process: a request each.
    Threads(u32),
    /// Processes: a request each.
    Processes(u32),
}

impl Workers {
    /// How many are to be started for so many requests at once; `None` without a bound. More requests wait in a queue.
    #[must_use]
    pub fn wanted(self, in_flight: u32) -> Option<u32> {
        let (Self::Threads(most) | Self::Processes(most)) = self else { return None };
        Some(((f64::from(in_flight) / BUSY).ceil() as u32).clamp(FEWEST, most))
    }
}

/// Where a program runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where it is to listen.
    pub listen: SocketAddr,
    /// Where what is behind its own proxy is to listen.
    pub inner: SocketAddr,
    /// A folder of its own, for configuration files and logs.
    pub scratch: PathBuf,
    /// The environment: `CAUSALITY_*`.
    pub variables: Vec<(&'static str, OsString)>,
    /// Processes or threads to start, where their number is bounded.
    pub workers: u32,
}

/// Share of the workers that a load keeps busy where their number is bounded; more would only wait.
pub const BUSY: f64 = 0.6;
/// The fewest workers.
const FEWEST: u32 = 16;
/// Most processes: each takes some 15 MB.
const PROCESSES: Workers = Workers::Processes(192);
/// Most threads of a pool.
const THREADS_OF_A_POOL: Workers = Workers::Threads(2048);

/// A program without bounds and with a background job.
const fn free(
    name: &'static str,
    patterns: &'static [Pattern],
    commands: fn(&Place) -> Result<Vec<Command>>,
) -> Runtime {
    Runtime { name, patterns, workers: Workers::Unbounded, job: true, commands, log: None, proxied: false }
}

/// Every runtime.
pub const RUNTIMES: &[Runtime] = &[
    free("python-threads", WITH_THREADS, |place| Ok(vec![python_program(place, "threads.py")])),
    Runtime { workers: PROCESSES, ..free("gunicorn-sync", THREADS_NO_PIPELINING, gunicorn_sync) },
    Runtime { workers: THREADS_OF_A_POOL, ..free("gunicorn-gthread", WITH_THREADS, gunicorn_gthread) },
    Runtime { job: false, log: Some("access.log"), ..free("nginx", PROXIES, nginx) },
    Runtime { job: false, log: Some("access.log"), ..free("haproxy", PROXIES, haproxy) },
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
    free("java-pool", WITH_THREADS, |place| java(place, "pool")),
    free("java-virtual", ALL, |place| java(place, "virtual")),
    free("netty", ALL, |place| netty(place, "own")),
    free("netty-shared", ALL, |place| netty(place, "shared")),
    Runtime {
        job: false,
        log: Some("access.log"),
        workers: PROCESSES,
        proxied: true,
        ..free("php-fpm", NO_PIPELINING, php_fpm)
    },
    Runtime { workers: THREADS_OF_A_POOL, ..free("puma", ALL, puma) },
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
        let file = fs::OpenOptions::new().create(true).append(true).open(self.scratch.join("words.log"));
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

fn gunicorn(place: &Place, class: &str, processes: u32, threads: u32) -> Vec<Command> {
    let mut command = place.command(packaged_python());
    command.current_dir(programs().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-m", "gunicorn", "--config", "gunicorn_conf.py", "--worker-class", class]);
    command
        .args(["--workers", &processes.to_string(), "--threads", &threads.to_string()])
        .arg("wsgi:application");
    vec![command]
}

fn gunicorn_sync(place: &Place) -> Result<Vec<Command>> {
    Ok(gunicorn(place, "sync", place.workers, 1))
}

fn gunicorn_gthread(place: &Place) -> Result<Vec<Command>> {
    Ok(gunicorn(place, "gthread", 1, place.workers))
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

/// The same with Netty's jars, as Debian's libnetty-java installs them. `connections`: whose loop drives them.
fn netty(place: &Place, connections: &str) -> Result<Vec<Command>> {
    let jars = Path::new("/usr/share/java");
    ensure!(jars.join("netty-all.jar").exists(), "no Netty on this host: apt-get install libnetty-java");
    let mut command = place.command(jdk(false)?);
    command.args(["-XX:+UseSerialGC", "-cp"]).arg(jars.join("*"));
    command.arg(programs().join("java/Netty.java")).arg(connections);
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
    let (threads, bind) = (format!("{0}:{0}", place.workers), format!("tcp://{}", place.listen));
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
    let backend = backend(place)?;
    let upstream =
        format!("upstream backend {{ server {backend}; keepalive 1024; keepalive_requests 1000000; }}");
    let pass = "proxy_pass http://backend; proxy_hide_header X-Seen; proxy_http_version 1.1; \
                proxy_set_header Connection '';";
    Ok(vec![nginx_with(place, &upstream, pass)?])
}

/// An nginx of one worker that does `pass` with each request.
fn nginx_with(place: &Place, upstream: &str, pass: &str) -> Result<Command> {
    let (listen, log) = (place.listen, proxies::NGINX);
    let file = place.write(
        "nginx.conf",
        &format!(
            "daemon off; worker_processes 1; worker_rlimit_nofile 16384; pid nginx.pid; error_log error.log;\n\
             events {{ worker_connections 8192; }}\n\
             http {{ log_format truth '{log}'; access_log access.log truth; keepalive_requests 1000000;\n\
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n\
             scgi_temp_path scgi; {upstream}\n\
             server {{ listen {listen} backlog=4096; location / {{ {pass} }} }} }}\n"
        ),
    )?;
    let mut command = place.command("nginx");
    command.arg("-p").arg(&place.scratch).arg("-c").arg(file).args(["-e", "error.log"]);
    Ok(command)
}

/// nginx in front, which asks PHP-FPM on a connection a request, as both do by default.
fn php_fpm(place: &Place) -> Result<Vec<Command>> {
    let listen = place.inner;
    let file = place.write(
        "fpm.conf",
        &format!(
            "[global]\nerror_log = fpm.log\ndaemonize = no\n\
             [www]\nuser = root\ngroup = root\nlisten = {listen}\nlisten.backlog = 4096\npm = static\n\
             pm.max_children = {}\nclear_env = no\ncatch_workers_output = yes\n",
            place.workers
        ),
    )?;
    let mut fpm = place.command(crate::php::fpm()?);
    fpm.args(["--nodaemonize", "--allow-to-run-as-root", "--no-php-ini", "--define", "extension=ffi"]);
    fpm.args(["--define", "ffi.enable=1", "--prefix"]).arg(&place.scratch).arg("--fpm-config").arg(file);
    let script = place.write("index.php", include_str!("../../causality/php/index.php"))?;
    let pass = format!(
        "fastcgi_pass {listen}; fastcgi_hide_header X-Seen; fastcgi_param SCRIPT_FILENAME {};\n\
         fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;",
        script.display()
    );
    Ok(vec![fpm, nginx_with(place, "", &pass)?])
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
