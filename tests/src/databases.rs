//! Real database servers on free loopback ports, with data folders of their own, and what the spans of their clients say.

use std::{
    env,
    ffi::OsString,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    program::{self, Program},
    servers::{free_address, program_file, python},
    span::{Kind, Span},
    wait,
};

/// A server with a database `shop`, in which a table `users` has the rows (1, user1) to (100, user100).
pub struct Database {
    _program: Program,
    _folder: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What fills the database, in SQL that both servers read.
const USERS: &str = "CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(40));
    INSERT INTO users WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 100)
    SELECT n, CONCAT('user', n) FROM numbers;";

impl Database {
    /// PostgreSQL, as its own user: it refuses to run as root.
    pub fn postgresql() -> Result<Self> {
        let (folder, address) = (open_folder()?, free_address()?);
        let (home, port) = (folder.path().join("data"), address.port().to_string());
        own(&home, "postgres")?;
        let tools = postgresql_tools()?;
        let as_user = |tool: &str| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(tools.join(tool));
            command.current_dir(&home).arg("-D").arg(&home);
            command
        };
        program::run(as_user("initdb").args(["-A", "trust", "-U", "postgres", "--no-sync"]))?;
        let mut server = as_user("postgres");
        server.args(["-p", &port, "-h", "127.0.0.1", "-F", "-c", "shared_buffers=16MB", "-c"]);
        let program = Program::start(server.arg(format!("unix_socket_directories={}", home.display())))?;
        let psql = |database: &str, sql: &str| {
            let mut command = psql(address, database);
            program::run(command.args(["-c", sql]))
        };
        wait::until("PostgreSQL to answer", || psql("postgres", "CREATE DATABASE shop").ok())?;
        psql("shop", USERS)?;
        Ok(Self { _program: program, _folder: folder, address })
    }

    /// MariaDB, with a user `alice` who may do anything.
    pub fn mariadb() -> Result<Self> {
        let (folder, address) = (open_folder()?, free_address()?);
        let home = folder.path().join("data");
        own(&home, "mysql")?;
        let path = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let data = path("datadir", &home);
        program::run(Command::new("mariadb-install-db").args([
            "--no-defaults",
            &data,
            "--user=mysql",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]))?;
        let mut server = Command::new("mariadbd");
        server.args(["--no-defaults", &data, "--user=mysql", "--bind-address=127.0.0.1", "--local-infile=1"]);
        server.arg(format!("--port={}", address.port()));
        server.arg(path("socket", &home.join("socket"))).arg(path("pid-file", &home.join("pid")));
        let program = Program::start(&mut server)?;
        let run = |sql: &str| program::run(mariadb(address, "root", "").args(["-e", sql]));
        wait::until("MariaDB to answer", || run("SELECT 1").ok())?;
        run(&format!("CREATE DATABASE shop; USE shop; {USERS}"))?;
        run("CREATE USER alice IDENTIFIED BY 'hush'; GRANT ALL ON *.* TO alice")?;
        Ok(Self { _program: program, _folder: folder, address })
    }
}

impl Database {
    /// mongo-java-server, which speaks MongoDB's protocol, from the folder of its jars that `WIRESPAN_MONGODB` names. It is
    /// empty: its clients make what they want.
    pub fn mongodb() -> Result<Self> {
        let jars = env::var_os("WIRESPAN_MONGODB").context("WIRESPAN_MONGODB names no folder of jars")?;
        let (folder, address) = (open_folder()?, free_address()?);
        let mut server = Command::new("java");
        server.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp"]).arg(PathBuf::from(jars).join("*"));
        server.arg("bsh.Interpreter").arg(program_file("mongodb.bsh")).arg(address.port().to_string());
        let program = Program::start(&mut server)?;
        wait::until("the server to listen", || TcpStream::connect(address).ok())?;
        Ok(Self { _program: program, _folder: folder, address })
    }
}

/// `psql` without a configuration of the user's own.
#[must_use]
pub fn psql(server: SocketAddr, database: &str) -> Command {
    let mut command = Command::new("psql");
    let port = server.port().to_string();
    command.args(["-X", "-q", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", database]);
    command
}

/// `mariadb`, the client, without a configuration of the user's own.
#[must_use]
pub fn mariadb(server: SocketAddr, user: &str, password: &str) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "-h127.0.0.1", &format!("-P{}", server.port()), "-u", user]);
    if !password.is_empty() {
        command.arg(format!("-p{password}"));
    }
    command
}

/// A client in Python (with the packages of `programs/requirements.txt`) that has connected, and waits.
pub struct Gated {
    program: Program,
    gate: TcpListener,
}

impl Gated {
    /// Starts the program of this name in `programs/`; returns when it has connected.
    pub fn start(name: &str, server: &Database) -> Result<Self> {
        let packaged: OsString = env::var_os("WIRESPAN_PYTHON").unwrap_or_else(|| python().into());
        let gate = TcpListener::bind("127.0.0.1:0").context("bind the gate")?;
        let ports = [server.address.port(), gate.local_addr()?.port()].map(|port| port.to_string());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name);
        let mut program = Program::start(Command::new(packaged).arg(script).args(ports))?;
        let line = program.line()?;
        ensure!(line == "connected", "{name} said: {line}");
        Ok(Self { program, gate })
    }

    /// Lets it through, and waits for its end.
    pub fn pass(mut self) -> Result<()> {
        drop(self.gate.accept().context("open the gate")?);
        let status = self.program.wait()?;
        ensure!(status.success(), "the client ended with {status}");
        Ok(())
    }
}

/// The newest version's tools: Debian keeps them off PATH.
fn postgresql_tools() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let versions: Vec<_> = versions.filter_map(Result::ok).map(|entry| entry.path().join("bin")).collect();
    versions.into_iter().filter(|tools| tools.join("initdb").exists()).max().context("no initdb")
}

/// A folder that other users may look into.
fn open_folder() -> Result<TempDir> {
    let folder = tempfile::tempdir().context("make a folder for a database")?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Makes a folder that belongs to `user`.
fn own(folder: &Path, user: &str) -> Result<()> {
    program::run(Command::new("install").args(["-d", "-m", "700", "-o", user]).arg(folder)).map(drop)
}

/// What a span says, in a line: its name, what is not as usual, its text.
#[must_use]
pub fn line(span: &Span) -> String {
    let mut line = span.name.clone();
    for (label, value) in [
        ("rows", span.integer("db.response.returned_rows").map(|rows| rows.to_string())),
        ("changed", span.integer("wirespan.affected_rows").map(|rows| rows.to_string())),
        ("error", span.text("error.type").map(str::to_owned)),
        ("in", span.text("db.namespace").map(str::to_owned)),
    ] {
        if let Some(value) = value {
            line = format!("{line}, {label} {value}");
        }
    }
    match span.text("db.query.text") {
        Some(text) => format!("{line}: {text}"),
        None => line,
    }
}

/// The spans of this kind that went to this port, in the order of time.
#[must_use]
pub fn spans_of(spans: &[Span], kind: Kind, port: u16) -> Vec<&Span> {
    let ours = |span: &&Span| span.kind == kind && span.integer("server.port") == Some(port.into());
    let mut found: Vec<_> = spans.iter().filter(ours).collect();
    found.sort_by_key(|span| span.start);
    found
}

/// Both ends show `expected`, each server's span within its client's and its child, and no secret got out.
pub fn both_ends_show(spans: &[Span], system: &str, port: u16, expected: &[&str]) -> Result<()> {
    let (clients, servers) = (spans_of(spans, Kind::Client, port), spans_of(spans, Kind::Server, port));
    for (kind, found) in [("client", &clients), ("server", &servers)] {
        let lines: Vec<_> = found.iter().map(|span| line(span)).collect();
        ensure!(lines == expected, "the {kind} showed {lines:#?}, not {expected:#?}");
    }
    for (client, server) in clients.iter().zip(&servers) {
        ensure!(server.parent.as_ref() == Some(&client.id), "not its child: {client:#?} {server:#?}");
        ensure!(server.is_within(client), "{server:#?} is not within {client:#?}");
        for span in [client, server] {
            ensure!(span.text("db.system.name") == Some(system), "{span:#?}");
            ensure!(!format!("{span:?}").contains("hush"), "a secret got out: {span:#?}");
        }
    }
    Ok(())
}
