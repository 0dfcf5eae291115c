//! What this process costs. Comes in: `/proc/self`, proc(5). Goes out: CPU time and memory. Refuses: nothing; what cannot
//! be read is zero.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// `USER_HZ`, the ticks of a second in `/proc/PID/stat`: 100 on x86-64 and arm64, whatever the kernel's own clock.
const TICKS: f64 = 100.0;

/// What the daemon took from the host so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    /// CPU time of all threads, user and system.
    pub(super) cpu: Duration,
    /// Memory in RAM, bytes.
    pub(super) memory: u64,
}

/// Of this process, now.
#[must_use]
pub(super) fn cost() -> Cost {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    Cost {
        cpu: cpu(&read("/proc/self/stat")).unwrap_or_default(),
        memory: memory(&read("/proc/self/status")).unwrap_or_default(),
    }
}

/// When this process started, seconds since the UNIX epoch; by the clocks as they stand now.
#[must_use]
pub(super) fn started() -> f64 {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let ticks = fields(&read("/proc/self/stat")).and_then(|fields| fields.get(19)?.parse().ok());
    let since_boot = ticks.unwrap_or(0_f64) / TICKS;
    let uptime = read("/proc/uptime").split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    now - uptime + since_boot
}

/// The fields of `/proc/PID/stat` from the third on: the second, the name, may hold anything.
fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace().collect())
}

/// `utime` and `stime`, fields 14 and 15, in clock ticks.
fn cpu(stat: &str) -> Option<Duration> {
    let fields = fields(stat)?;
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Duration::from_secs_f64((number(11)? + number(12)?) as f64 / TICKS))
}

/// `VmRSS`, in KiB whatever the size of a page.
fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_hold_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 4242 1 1 1\n";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
        assert_eq!((cpu(""), cpu("7 (a) S 1")), (None, None));
    }

    #[test]
    fn this_process_costs_something() {
        assert!(cost().memory > 0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..3600.0).contains(&(now - started())), "started in the last hour, not in the future");
        assert_eq!(memory("VmSize:\t 9 kB\nVmRSS:\t     100 kB\n"), Some(102_400));
    }
}
