//! PHP-FPM behind nginx: a web server that makes no answer itself, and the processes that it asks over FastCGI.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    program::Program,
    servers::{free_address, program_file},
    wait,
};

/// nginx that asks PHP-FPM over TCP for what is under `/tcp/`, and over a UNIX socket for what is under `/unix/`.
pub struct Php {
    _programs: [Program; 2],
    _folder: TempDir,
    /// Where nginx listens.
    pub address: SocketAddr,
}

impl Php {
    /// Runs a program of `programs/` for each request; it is told of `backend`, an address.
    pub fn start(program: &str, backend: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for PHP")?;
        // nginx's worker, another user when started by root, must get to the socket.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let (address, inner) = (free_address()?, free_address()?);
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).with_context(|| format!("write {name}")).map(|()| path)
        };
        let socket = folder.path().join("fpm.sock");
        let pools = file("fpm.conf", &pools(inner, &socket))?;
        let script = program_file(program);
        let sites = file("nginx.conf", &sites(address, inner, &socket, &script, backend))?;
        let mut fpm = Command::new(fpm()?);
        fpm.args(["--nodaemonize", "--allow-to-run-as-root", "--no-php-ini", "--prefix"]);
        let fpm = Program::start(fpm.arg(folder.path()).arg("--fpm-config").arg(pools))?;
        wait::until("PHP-FPM to listen", || {
            TcpStream::connect(inner).ok().zip(UnixStream::connect(&socket).ok())
        })?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(folder.path()).arg("-c").arg(sites).args(["-e", "error.log"]);
        let nginx = Program::start(&mut nginx)?;
        wait::until("nginx to listen", || TcpStream::connect(address).ok())?;
        Ok(Self { _programs: [nginx, fpm], _folder: folder, address })
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// PHP-FPM's program. Debian's name has the version in it.
pub fn fpm() -> Result<PathBuf> {
    let programs = fs::read_dir("/usr/sbin").context("list the installed programs")?;
    let found = programs.filter_map(Result::ok).map(|entry| entry.path());
    let is_fpm =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("php-fpm"));
    found.filter(is_fpm).max().context("no PHP-FPM on this host: apt-get install php-fpm")
}

fn pools(address: SocketAddr, socket: &Path) -> String {
    let pool = |name: &str, listen: &str| {
        format!("[{name}]\nuser = root\ngroup = root\nlisten = {listen}\npm = static\npm.max_children = 2\n")
    };
    format!(
        "[global]\nerror_log = fpm.log\ndaemonize = no\n{}{}listen.mode = 0666\n",
        pool("tcp", &address.to_string()),
        pool("unix", &socket.display().to_string())
    )
}

fn sites(address: SocketAddr, inner: SocketAddr, socket: &Path, script: &Path, backend: &str) -> String {
    let (socket, script) = (socket.display(), script.display());
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         upstream kept {{ server {inner}; keepalive 1; }}\n\
         server {{ listen {address};\n\
         fastcgi_param SCRIPT_FILENAME {script}; fastcgi_param BACKEND {backend};\n\
         fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;\n\
         fastcgi_param QUERY_STRING $query_string; fastcgi_param REMOTE_ADDR $remote_addr;\n\
         location /tcp/ {{ fastcgi_pass kept; fastcgi_keep_conn on; }}\n\
         location /unix/ {{ fastcgi_pass unix:{socket}; }} }} }}\n"
    )
}
