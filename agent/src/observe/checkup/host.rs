//! What the host allows, as `/proc` and `/sys` tell. Comes in: their files, below a root that is `/` but in tests. Goes
//! out: findings. Refuses: guessing; a file that cannot be read gives no finding, or one that says so.

use std::{fs, path::Path};

use super::Finding;

/// Number of the first PID namespace (`PROC_PID_INIT_INO`, `include/linux/proc_ns.h`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Capabilities by number, `linux/capability.h`, and what does not work without.
const NEEDED: [(&str, u32); 2] = [("CAP_PERFMON", 38), ("CAP_BPF", 39)];
const SYS_ADMIN: u32 = 21;
const SYS_PTRACE: u32 = 19;
const SYS_RESOURCE: u32 = 24;

/// Since this version kernel memory of BPF is accounted to the cgroup, and RLIMIT_MEMLOCK is no matter.
const NO_MEMLOCK: (u32, u32) = (5, 11);

/// What the maps take, about, with room for a few dozen CPUs, bytes.
const MAPS: u64 = 64 << 20;

fn read(root: &Path, path: &str) -> Option<String> {
    fs::read_to_string(root.join(path)).ok().map(|text| text.trim().to_owned())
}

/// Which kernel this is.
pub(super) fn version(root: &Path) -> Option<Finding> {
    Some(Finding::well("kernel", format!("Linux {}", read(root, "proc/sys/kernel/osrelease")?)))
}

/// Everything else.
pub(super) fn findings(root: &Path) -> Vec<Finding> {
    let status = read(root, "proc/self/status").unwrap_or_default();
    let privileges = privileges(capabilities(&status));
    [privileges, vec![afterwards()], others(root, capabilities(&status))].concat()
}

fn others(root: &Path, capabilities: u64) -> Vec<Finding> {
    let findings =
        [lockdown(root), memlock(root, capabilities), jit(root), namespace(root), cgroups(root), costs(root)];
    findings.into_iter().flatten().collect()
}

/// `CapEff` of proc(5).
fn capabilities(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or(0)
}

const fn has(capabilities: u64, number: u32) -> bool {
    capabilities >> number & 1 == 1
}

fn privileges(capabilities: u64) -> Vec<Finding> {
    let admin = has(capabilities, SYS_ADMIN);
    let lacking = NEEDED.iter().filter(|(_, number)| !admin && !has(capabilities, *number));
    let lacking: Vec<_> = lacking.map(|(name, _)| *name).collect();
    let mut findings = Vec::new();
    if lacking.is_empty() {
        findings.push(Finding::well("privileges", "may load kernel programs"));
    } else {
        let text = format!("may not load kernel programs: lacks {}", lacking.join(", "));
        findings.push(Finding::broken(
            "privileges",
            text,
            "run as root, or give the binary these capabilities",
        ));
    }
    if !has(capabilities, SYS_PTRACE) {
        let text = "lacks CAP_SYS_PTRACE: programs of other users have no names, only numbers";
        findings.push(Finding::limited("processes", text, "run as root, or give the binary CAP_SYS_PTRACE"));
    }
    findings
}

fn afterwards() -> Finding {
    let kept: Vec<_> = wirespan_kernel::KEPT.iter().map(|(name, _)| *name).collect();
    Finding::well("once attached", format!("`wirespan agent` keeps only {}", kept.join(", ")))
}

/// Reading kernel memory is forbidden from `confidentiality` on; kernel_lockdown(7).
fn lockdown(root: &Path) -> Option<Finding> {
    let text = read(root, "sys/kernel/security/lockdown")?;
    let mode = text.split_once('[')?.1.split(']').next()?.to_owned();
    if mode == "confidentiality" {
        let text = "the kernel is locked down (confidentiality): kernel programs may not read what they need";
        return Some(Finding::broken(
            "lockdown",
            text,
            "boot with lockdown=integrity, which is enough for wirespan",
        ));
    }
    Some(Finding::well("lockdown", format!("{mode}: no hindrance, wirespan writes into no program")))
}

fn memlock(root: &Path, capabilities: u64) -> Option<Finding> {
    let release = read(root, "proc/sys/kernel/osrelease")?;
    if numbers(&release)? >= NO_MEMLOCK {
        return Some(Finding::well(
            "memory lock",
            "no matter: since Linux 5.11 the limit does not hold for BPF",
        ));
    }
    let limits = read(root, "proc/self/limits")?;
    let soft =
        limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?.split_whitespace().next()?;
    let enough = soft.parse::<u64>().map_or(soft == "unlimited", |bytes| bytes >= MAPS);
    if enough || has(capabilities, SYS_RESOURCE) {
        return Some(Finding::well("memory lock", format!("{soft} bytes, and more can be had")));
    }
    let text = format!("only {soft} bytes: this kernel may refuse the maps");
    Some(Finding::limited("memory lock", text, "`ulimit -l unlimited`, or LimitMEMLOCK=infinity in the unit"))
}

/// Major and minor version.
fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn jit(root: &Path) -> Option<Finding> {
    if read(root, "proc/sys/net/core/bpf_jit_enable")? != "0" {
        return Some(Finding::well("compiler", "kernel programs are compiled"));
    }
    let text = "kernel programs are interpreted, which costs the traced programs several times as much";
    Some(Finding::limited("compiler", text, "sysctl net.core.bpf_jit_enable=1"))
}

fn namespace(root: &Path) -> Option<Finding> {
    let name = fs::read_link(root.join("proc/self/ns/pid")).ok()?;
    if name.as_os_str() == FIRST_PID_NAMESPACE {
        return Some(Finding::well("namespace", "process numbers are the host's"));
    }
    let text = "this is a container with process numbers of its own: the host's programs cannot be named";
    Some(Finding::limited("namespace", text, "run it on the host, or with --pid=host"))
}

/// Container ids are read from either hierarchy.
fn cgroups(root: &Path) -> Option<Finding> {
    let mounts = read(root, "proc/self/mounts")?;
    let kinds: Vec<_> = mounts.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let text = match (kinds.contains(&"cgroup2"), kinds.contains(&"cgroup")) {
        (true, false) => "version 2: containers are recognised",
        (true, true) => "versions 1 and 2: containers are recognised by either",
        (false, true) => "version 1: containers are recognised",
        (false, false) => {
            let text = "no hierarchy is mounted: containers may not be recognised";
            return Some(Finding::limited("cgroups", text, "mount /sys/fs/cgroup here"));
        }
    };
    Some(Finding::well("cgroups", text))
}

fn costs(root: &Path) -> Option<Finding> {
    let measured = read(root, "proc/sys/kernel/bpf_stats_enabled")? == "1";
    let text = if measured {
        "what each kernel program costs is measured, see /metrics"
    } else {
        "what each kernel program costs is not measured; sysctl kernel.bpf_stats_enabled=1 does, for a small price"
    };
    Some(Finding::well("program costs", text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::observe::checkup::Level::{self, Broken, Limited, Well};

    /// A root with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn level(check: impl Fn(&Path) -> Option<Finding>, files: &[(&str, &str)]) -> Option<Level> {
        check(root(files).path()).map(|finding| finding.level)
    }

    #[test]
    fn privileges_are_counted() {
        let levels = |bits: &[u32]| -> Vec<_> {
            let set = bits.iter().fold(0, |set, bit| set | 1_u64 << bit);
            privileges(set).iter().map(|finding| (finding.topic, finding.level)).collect()
        };
        assert_eq!(levels(&[]), [("privileges", Broken), ("processes", Limited)]);
        assert_eq!(levels(&[38, 39]), [("privileges", Well), ("processes", Limited)]);
        assert_eq!(levels(&[21, 19]), [("privileges", Well)]);
        assert_eq!(capabilities("Name:\ta\nCapEff:\t00000000a0000000\n"), 0xa000_0000);
    }

    #[test]
    fn lockdown_has_three_modes() {
        let file = "sys/kernel/security/lockdown";
        assert_eq!(level(lockdown, &[(file, "none [integrity] confidentiality\n")]), Some(Well));
        assert_eq!(level(lockdown, &[(file, "none integrity [confidentiality]\n")]), Some(Broken));
        assert_eq!(level(lockdown, &[]), None);
    }

    #[test]
    fn locked_memory_matters_on_old_kernels() {
        let old = ("proc/sys/kernel/osrelease", "5.10.0-30-amd64\n");
        let limit = |text| ("proc/self/limits", text);
        let low = limit("Max locked memory         65536                65536                bytes\n");
        let none = limit("Max locked memory         unlimited            unlimited            bytes\n");
        assert_eq!(level(|root| memlock(root, 0), &[old, low]), Some(Limited));
        assert_eq!(level(|root| memlock(root, 1 << SYS_RESOURCE), &[old, low]), Some(Well));
        assert_eq!(level(|root| memlock(root, 0), &[old, none]), Some(Well));
        assert_eq!(
            level(|root| memlock(root, 0), &[("proc/sys/kernel/osrelease", "6.1.0"), low]),
            Some(Well)
        );
    }

    #[test]
    fn a_container_is_told_from_the_host() {
        let root = root(&[("proc/self/ns/net", "")]);
        let link = root.path().join("proc/self/ns/pid");
        symlink(FIRST_PID_NAMESPACE, &link).unwrap();
        assert_eq!(namespace(root.path()).map(|finding| finding.level), Some(Well));
        fs::remove_file(&link).unwrap();
        symlink("pid:[4026532500]", &link).unwrap();
        assert_eq!(namespace(root.path()).map(|finding| finding.level), Some(Limited));
    }

    #[test]
    fn hierarchies_and_the_compiler() {
        let mounts = |text| [("proc/self/mounts", text)];
        assert_eq!(level(cgroups, &mounts("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")), Some(Well));
        assert_eq!(level(cgroups, &mounts("proc /proc proc rw 0 0\n")), Some(Limited));
        let file = "proc/sys/net/core/bpf_jit_enable";
        assert_eq!(level(jit, &[(file, "0\n")]), Some(Limited));
        assert_eq!(level(jit, &[(file, "1\n")]), Some(Well));
    }
}
