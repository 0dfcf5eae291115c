//! Comes in: which work is ahead. Goes out: a machine that has what that work needs. Refuses: asking questions, starting
//! a service that a package brings, doing again what is done.

mod apt;
mod bpf;
mod collector;
mod cross;
mod kafka;
mod maven;
mod mongodb;
mod node;
mod python;
mod resolved;

use anyhow::{Result, bail};

use crate::{place, step::note};

pub(crate) use apt::install as packages;
pub(crate) use cross::{prepare as prepare_cross, target};

/// What the programs of the end-to-end tests and of the bench need.
const TEST_PACKAGES: &[&str] = &[
    "nginx-light",
    "wrk",
    "curl",
    "bpftool",
    "python3",
    "python3-venv",
    "python3-psycopg",
    "python3-redis",
    "iproute2",
    "nftables",
    "openssl",
    "ca-certificates",
    "haproxy",
    "puma",
    "postgresql",
    "mariadb-server",
    "redis-server",
    "redis-tools",
    "memcached",
    "libmemcached-tools",
    "dnsmasq-base",
    "bind9-dnsutils",
    "rabbitmq-server",
    "kcat",
    "php-fpm",
];

/// What the demo's shop needs.
const DEMO_PACKAGES: &[&str] =
    &["nginx-light", "python3", "python3-psycopg", "python3-redis", "postgresql", "redis-server"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also build the OpenTelemetry collector that the OTLP tests talk to (needs Go; two minutes).
    #[arg(long)]
    collector: bool,
}

/// What the machine is to be ready for; each includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// `cargo build` with the kernel programs inside.
    Build,
    /// The demo's shop.
    Demo,
    /// Every test.
    Test,
}

/// `cargo xtask setup`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    prepare(Purpose::Test)?;
    if arguments.collector {
        collector()?;
    }
    note("all is there");
    Ok(())
}

/// Installs what `purpose` needs and is missing. Without root or apt, says what is missing and fails if it is needed.
pub(crate) fn prepare(purpose: Purpose) -> Result<()> {
    bpf::prepare()?;
    let wanted = match purpose {
        Purpose::Build => return Ok(()),
        Purpose::Demo => DEMO_PACKAGES,
        Purpose::Test => TEST_PACKAGES,
    };
    packages(wanted)?;
    // Many hosts have it from elsewhere.
    if purpose == Purpose::Test && place::program("npm").is_none() {
        packages(&["nodejs", "npm"])?;
    }
    if purpose == Purpose::Test && place::program("mvn").is_none() {
        packages(&["default-jre-headless", "maven"])?;
    }
    Ok(())
}

/// The collector's binary, built if it is not there.
pub(crate) fn collector() -> Result<std::path::PathBuf> {
    collector::prepare()
}

/// The folder of Kafka's jars, filled if it is not.
pub(crate) fn kafka() -> Result<std::path::PathBuf> {
    kafka::KAFKA.prepare()
}

/// The folder of the jars of a server that speaks MongoDB's protocol, filled if it is not.
pub(crate) fn mongodb() -> Result<std::path::PathBuf> {
    mongodb::MONGODB.prepare()
}

/// systemd-resolved's program, unpacked if it is not there.
pub(crate) fn resolved() -> Result<std::path::PathBuf> {
    resolved::prepare()
}

/// The folder of the npm packages of the test programs, filled if it is not.
pub(crate) fn node() -> Result<std::path::PathBuf> {
    node::prepare()
}

/// A Python interpreter with the packages of the test programs, made if it is not there.
pub(crate) fn python() -> Result<std::path::PathBuf> {
    python::prepare()
}

/// Fails for an ordinary user, in words that help.
pub(crate) fn require_root(task: &str) -> Result<()> {
    if !place::is_root() {
        bail!("{task} needs root (kernel programs are loaded); run it as root, for example with `sudo -E`");
    }
    Ok(())
}
