//! Real servers on free loopback ports (or UNIX sockets), stopped when their value goes.

use std::{
    env,
    ffi::OsString,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{program::Program, wait};

/// The demo's shop without visitors: nginx, then `orders.py`, then `stock.py`.
pub struct Shop {
    _program: Program,
    /// `http://127.0.0.1:PORT`, where nginx listens.
    pub address: String,
}

impl Shop {
    /// Opens the shop.
    pub fn open() -> Result<Self> {
        Self::with(&[])
    }

    /// The same, with PostgreSQL behind `stock.py` and Redis behind `orders.py`.
    pub fn with_databases() -> Result<Self> {
        Self::with(&["--databases"])
    }

    fn with(options: &[&str]) -> Result<Self> {
        let script = here().join("../demo/shop.py");
        let mut program =
            Program::start(Command::new(python()).arg(script).args(["--rate", "0"]).args(options))?;
        let line = program.line()?;
        let address =
            line.strip_prefix("open ").with_context(|| format!("the shop said: {line}"))?.to_owned();
        Ok(Self { _program: program, address })
    }

    /// The URL of an order.
    #[must_use]
    pub fn order(&self, number: usize) -> String {
        format!("{}{}", self.address, order(number))
    }
}

/// The path of an order that succeeds at once, for any number (the shop has orders that fail and that are slow).
#[must_use]
pub fn order(number: usize) -> String {
    format!("/orders/{}", number * 20 + 1)
}

/// `programs/server.py`: a Python server with a few odd routes.
pub struct Server {
    /// The program.
    pub program: Program,
    /// Where it listens: an address and port, or a path.
    pub address: String,
}

impl Server {
    /// Starts it with arguments, for example `["--ipv6"]`.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let script = here().join("programs/server.py");
        let mut program = Program::start(Command::new(python()).arg(script).args(arguments))?;
        let address = program.line()?;
        Ok(Self { program, address })
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its address as a socket address.
    pub fn socket(&self) -> Result<SocketAddr> {
        self.address.parse().with_context(|| format!("`{}` is no socket address", self.address))
    }
}

/// `programs/asgi.py` under hypercorn: HTTP/1, HTTP/2 and WebSocket on one port.
pub struct Hypercorn {
    _program: Program,
    /// Where it listens: an address and port.
    pub address: String,
}

impl Hypercorn {
    /// Starts it with one worker.
    pub fn start() -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(packaged_python());
        command.current_dir(here().join("programs")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.args(["-m", "hypercorn", "asgi:app", "--log-level", "error", "--bind", &address.to_string()]);
        let program = Program::start(&mut command)?;
        wait::until("hypercorn to listen", || TcpStream::connect(address).ok())?;
        Ok(Self { _program: program, address: address.to_string() })
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// An nginx that serves files from a folder, and answers `hello` under `/hello`.
pub struct Nginx {
    _program: Program,
    folder: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Nginx {
    /// Starts it with one worker.
    pub fn start() -> Result<Self> {
        Self::listening("")
    }

    /// The same, speaking HTTP/2.
    pub fn start_http2() -> Result<Self> {
        Self::listening("http2")
    }

    fn listening(how: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for nginx")?;
        // The worker, another user when started by root, must get to the files.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        fs::create_dir(folder.path().join("files"))?;
        let address = free_address()?;
        fs::write(folder.path().join("nginx.conf"), configuration(address, how))
            .context("write nginx.conf")?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
        let program = Program::start(&mut command)?;
        wait::until("nginx to listen", || TcpStream::connect(address).ok())?;
        Ok(Self { _program: program, folder, address })
    }

    /// Puts a file where it is served as `/files/NAME`.
    pub fn file(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.folder.path().join("files").join(name);
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn configuration(address: SocketAddr, how: &str) -> String {
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; keepalive_requests 1000000; root .;\n\
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n\
         scgi_temp_path scgi; default_type text/plain;\n\
         server {{ listen {address} {how}; location /hello {{ return 200 hello; }} location /files/ {{ }} }} }}\n"
    )
}

/// A loopback address with a port that is free now.
pub fn free_address() -> Result<SocketAddr> {
    let probe = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    probe.local_addr().context("ask for the port")
}

/// The system's Python where there is one: version managers put a shell script of the same name on PATH.
#[must_use]
pub fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

/// The Python that has the packages of `programs/requirements.txt`.
#[must_use]
pub fn packaged_python() -> OsString {
    env::var_os("WIRESPAN_PYTHON").unwrap_or_else(|| python().into())
}

/// A program of `programs/node/`, with the packages of `programs/node/package.json`.
#[must_use]
pub fn node(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    if let Some(packages) = env::var_os("WIRESPAN_NODE_MODULES") {
        command.env("NODE_PATH", packages);
    }
    command.arg(program_file("node").join(name)).args(arguments);
    command
}

/// A file of the test programs.
#[must_use]
pub fn program_file(name: &str) -> PathBuf {
    here().join("programs").join(name)
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A server that speaks a protocol of its own on a free loopback port.
pub struct Service {
    _program: Program,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Service {
    /// `redis-server` that keeps nothing.
    pub fn redis() -> Result<Self> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
        Self::listening(&mut command, address)
    }

    /// `redis-server` as a node of a cluster, which it hears on port `bus`; its files in `folder`.
    pub fn redis_cluster(folder: &Path, bus: u16) -> Result<Self> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
        command.args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string(), "--dir"]).arg(folder);
        Self::listening(&mut command, address)
    }

    /// `memcached` without UDP.
    pub fn memcached() -> Result<Self> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = Command::new("memcached");
        command.args(["-l", "127.0.0.1", "-p", &port, "-U", "0", "-u", "nobody"]);
        Self::listening(&mut command, address)
    }

    /// `dnsmasq` that knows nothing but `records` (its options), and asks nobody.
    pub fn dnsmasq(records: &[&str]) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--pid-file",
        ]);
        command.args(["--user=root", "--bind-interfaces", "--listen-address=127.0.0.1"]);
        command.arg(format!("--port={}", address.port())).args(records);
        Self::listening(&mut command, address)
    }

    fn listening(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let program = Program::start(command)?;
        wait::until("the server to listen", || TcpStream::connect(address).ok())?;
        Ok(Self { _program: program, address })
    }

    /// Its port, as text.
    #[must_use]
    pub fn port(&self) -> String {
        self.address.port().to_string()
    }
}

/// Runs `programs/NAME` with Python; its arguments follow.
pub fn script(name: &str, arguments: &[&str]) -> Result<String> {
    let path = here().join("programs").join(name);
    crate::program::run(Command::new(python()).arg(path).args(arguments))
}
