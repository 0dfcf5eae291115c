//! A process id in; what the process has used out, as `/proc` tells it.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// CPU time of all living threads, to the nanosecond (first field of `/proc/PID/task/TID/schedstat`).
pub(super) fn cpu_time(process: u32) -> Result<Duration> {
    let folder = format!("/proc/{process}/task");
    let threads = fs::read_dir(&folder).with_context(|| format!("list {folder}: has the process ended?"))?;
    let times = threads.filter_map(|thread| {
        // A thread that ends meanwhile takes its count with it.
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Ok(Duration::from_nanos(times.sum()))
}

/// Resident memory, bytes (`VmRSS` of `/proc/PID/status`).
pub(super) fn resident(process: u32) -> Result<u64> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).with_context(|| format!("read {file}: has the process ended?"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .with_context(|| format!("no VmRSS in {file}"))?;
    let kibibytes: u64 =
        line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmRSS: {line}"))?;
    Ok(kibibytes * 1024)
}

/// Kernel memory of the BPF maps that a process has open, bytes (`memlock` of `/proc/PID/fdinfo/FD`).
pub(super) fn maps(process: u32) -> Result<u64> {
    let folder = format!("/proc/{process}/fd");
    let files = fs::read_dir(&folder).with_context(|| format!("list {folder}: has the process ended?"))?;
    let sizes = files.filter_map(|file| {
        let path = file.ok()?.path();
        (fs::read_link(&path).ok()?.as_os_str() == "anon_inode:bpf-map").then_some(())?;
        let about = fs::read_to_string(path.to_str()?.replace("/fd/", "/fdinfo/")).ok()?;
        let size = about.lines().find_map(|line| line.strip_prefix("memlock:"))?;
        let id = about.lines().find_map(|line| line.strip_prefix("map_id:"))?;
        Some((id.trim().to_owned(), size.trim().parse::<u64>().ok()?))
    });
    // A map may be open more than once.
    Ok(sizes.collect::<BTreeMap<_, _>>().values().sum())
}

/// A server listens before it has made its worker.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// The only child of a process, waited for.
pub(super) fn only_child(process: u32) -> Result<u32> {
    let file = format!("/proc/{process}/task/{process}/children");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(&file).with_context(|| format!("read {file}"))?;
        if text.trim().is_empty() && Instant::now() < deadline {
            thread::sleep(PAUSE);
            continue;
        }
        return text
            .trim()
            .parse()
            .with_context(|| format!("one child expected in {file}, found `{}`", text.trim()));
    }
}
