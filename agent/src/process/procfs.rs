//! Comes in: a pid. Goes out: what `/proc` tells of the process right now. Refuses: reading without bounds, and files
//! that are not plain files: what a traced process can put in our way must not stop the daemon.

use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use wirespan_proto::event::Nanos;
use wirespan_recording::Process as Said;

use super::{
    cgroup::Cgroup,
    environ::{self, Otel},
};

/// Bytes read of a command line: Java's class paths come before the main class and are long.
const MAX_CMDLINE: u64 = 128 << 10;
/// Bytes read of an environment.
const MAX_ENVIRON: u64 = 256 << 10;
/// Bytes read of small files.
const MAX_SMALL: u64 = 64 << 10;

/// Length of the clock tick in `/proc/<pid>/stat`: Linux shows `USER_HZ` = 100 per second on every architecture
/// that wirespan runs on (include/asm-generic/param.h, Linux 6.12).
const TICK: u64 = 10_000_000;

/// A process as it is right now.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// When it started, on the boot-time clock, rounded down to 10 ms.
    pub started: Nanos,
    /// Path of its executable.
    pub executable: Option<String>,
    /// Its arguments, as far as they fit and unless it has overwritten them.
    pub args: Vec<String>,
    /// Its working directory.
    pub cwd: Option<String>,
    /// Its cgroup.
    pub cgroup: Cgroup,
    /// What its environment says to OpenTelemetry.
    pub otel: Otel,
}

impl From<&Said> for Snapshot {
    fn from(said: &Said) -> Self {
        Self {
            started: said.started,
            executable: said.executable.clone(),
            args: split_args(&said.cmdline),
            cwd: said.cwd.clone(),
            cgroup: Cgroup::parse(&said.cgroup),
            otel: Otel::from_environ(&said.environ),
        }
    }
}

/// A `/proc` file system, or a tree that looks like one.
#[derive(Debug)]
pub(super) struct Procfs {
    root: PathBuf,
}

impl Procfs {
    /// Reads below `root`: `/proc` but in tests.
    #[must_use]
    pub(super) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn path(&self, pid: u32, name: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(name)
    }

    /// When the process with this pid started; `None` where there is none.
    #[must_use]
    pub(super) fn started(&self, pid: u32) -> Option<Nanos> {
        start_time(&read(&self.path(pid, "stat"), MAX_SMALL)?)
    }

    /// What is known of the process; `None` where there is none (any more).
    #[must_use]
    pub(super) fn process(&self, pid: u32) -> Option<Said> {
        let bytes = |name, limit| read(&self.path(pid, name), limit).unwrap_or_default();
        let said = Said {
            started: self.started(pid)?,
            executable: self.link(pid, "exe").map(|path| path.trim_end_matches(" (deleted)").to_owned()),
            cmdline: bytes("cmdline", MAX_CMDLINE),
            cwd: self.link(pid, "cwd"),
            cgroup: bytes("cgroup", MAX_SMALL),
            environ: environ::kept(&bytes("environ", MAX_ENVIRON)),
        };
        // Still the same process? Else what was read may be of two.
        (self.started(pid) == Some(said.started)).then_some(said)
    }

    /// The process's cgroup file alone.
    #[must_use]
    pub(super) fn cgroup(&self, pid: u32) -> Option<Vec<u8>> {
        read(&self.path(pid, "cgroup"), MAX_SMALL)
    }

    /// `name` of the nearest `package.json` in `directory` (as the process sees it) or a few levels above.
    #[must_use]
    pub(super) fn package_name(&self, pid: u32, directory: &Path) -> Option<String> {
        let root = self.path(pid, "root");
        directory.ancestors().take(4).find_map(|directory| {
            let directory = directory.strip_prefix("/").ok()?;
            let file = read(&root.join(directory).join("package.json"), MAX_SMALL)?;
            let package: serde_json::Value = serde_json::from_slice(&file).ok()?;
            package.get("name")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
        })
    }

    fn link(&self, pid: u32, name: &str) -> Option<String> {
        fs::read_link(self.path(pid, name)).ok().map(|path| path.to_string_lossy().into_owned())
    }
}

/// Arguments, each ended by NUL; a last one that was cut is still an argument.
#[must_use]
pub(super) fn split_args(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect()
}

/// Field 22 of proc_pid_stat(5). Field 2, the name, may hold anything, so that counting begins behind its `)`.
fn start_time(stat: &[u8]) -> Option<Nanos> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    let ticks: u64 = fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
    Some(Nanos(ticks.saturating_mul(TICK)))
}

/// The first line of a small file, trimmed; `None` where there is nothing.
pub(super) fn read_text(path: &Path) -> Option<String> {
    let bytes = read(path, MAX_SMALL)?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// At most `limit` bytes of a plain file. Opened without waiting and without following a last symbolic link, because
/// some of these files are a traced process's own and may be pipes, devices or ways out.
pub(super) fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut options = OpenOptions::new();
    let file: File = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_survive_odd_names() {
        let tail = "S 1 2 3 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 4711 0 0";
        for name in ["cat", "a) b (c", ") S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"] {
            let stat = format!("12 ({name}) {tail}");
            assert_eq!(start_time(stat.as_bytes()), Some(Nanos(47_110_000_000)), "{name}");
        }
        for bad in ["", "12 (cat", "12 (cat) S 1", "12 (cat) S 1 2 3 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 x"]
        {
            assert_eq!(start_time(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn arguments_end_with_nul_or_are_cut() {
        assert_eq!(split_args(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(split_args(b"a\0b"), ["a", "b"]);
        assert!(split_args(b"").is_empty() && split_args(b"\0").is_empty());
    }

    #[test]
    fn only_plain_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "host\nmore").unwrap();
        std::os::unix::fs::symlink(&file, dir.path().join("link")).unwrap();
        assert_eq!(read_text(&file).as_deref(), Some("host"));
        assert_eq!(read(&file, 3).as_deref(), Some(&b"hos"[..]));
        assert_eq!(read(&dir.path().join("link"), 3), None);
        assert_eq!(read(dir.path(), 3), None);
        assert_eq!(read(Path::new("/dev/zero"), 3), None);
    }
}
