//! Debian packages: what is missing is installed, unattended, and no service that a package brings is started.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

/// `invoke-rc.d` and `deb-systemd-invoke` ask this program before they start a service; 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs those of `packages` that are missing.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        note(&format!("packages: {} there", packages.len()));
        return Ok(());
    }
    if place::program("apt-get").is_none() {
        return stand_in(&missing);
    }
    if !place::is_root() {
        bail!("missing packages; as root: apt-get install {}", missing.join(" "));
    }
    step(&format!("install {}", missing.join(" ")), || fetch(&missing))
}

/// Without apt: programs of the same names on PATH will do.
fn stand_in(missing: &[&str]) -> Result<()> {
    let absent: Vec<_> = missing.iter().filter(|name| place::program(program_of(name)).is_none()).collect();
    if absent.is_empty() {
        return Ok(());
    }
    bail!(
        "this host has no apt; install with its own package manager what these Debian packages hold: {absent:?}"
    )
}

/// The program a package is installed for, where their names differ.
fn program_of(package: &str) -> &str {
    match package {
        "nginx-light" => "nginx",
        "iproute2" => "ip",
        "redis-tools" => "redis-cli",
        "libmemcached-tools" => "memccat",
        "dnsmasq-base" => "dnsmasq",
        "bind9-dnsutils" => "dig",
        "busybox-static" => "busybox",
        "qemu-system-x86" => "qemu-system-x86_64",
        "postgresql" => "psql",
        "mariadb-server" => "mariadbd",
        "default-jre-headless" => "java",
        "maven" => "mvn",
        // Libraries: without them Python says so itself.
        "python3-psycopg" | "python3-redis" => "python3",
        other => other,
    }
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let known = installed(packages);
    packages.iter().copied().filter(|package| !known.iter().any(|line| line == package)).collect()
}

/// Those of `packages` that dpkg has installed. One call, 10 ms; its status is 1 when it does not know some of them.
fn installed(packages: &[&str]) -> Vec<String> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(packages)
        .stderr(Stdio::null())
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .map(str::to_owned)
        .collect()
}

fn fetch(packages: &[&str]) -> Result<()> {
    let _policy = NoServices::begin()?;
    let mut install = apt_get();
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    // Lists may be absent (a fresh container) or old (a version that is gone from the mirror): refresh them first.
    child::quiet(apt_get().args(["update", "--quiet"]))?;
    child::quiet(&mut install)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300"]);
    command
}

/// While it lives, packages do not start the services they bring. A policy of the host's own stays as it is.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        let ours = !Path::new(POLICY).exists();
        if ours {
            fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("write {POLICY}"))?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            note(&format!(
                "could not remove {POLICY}: remove it by hand, or no service will start on this host"
            ));
        }
    }
}
