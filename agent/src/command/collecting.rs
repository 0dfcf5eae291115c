//! From the configuration to a running collector: what `collector` and `run` have in common.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::bail;
use wirespan_collector::{Addresses, Durability, Keep, Running, Settings, Tls};

use crate::config::{Config, value::Place};

/// Spans that fit into about 300 MiB.
const IN_MEMORY: usize = 250_000;

/// Starts a collector. `lenient`: without the ports that are taken, but for the page's.
pub(super) fn start(config: &Config, lenient: bool) -> anyhow::Result<Running> {
    let of = &config.collector;
    let place = |Place(address): &Place| (address != "off").then(|| address.clone());
    wirespan_collector::start(&Settings {
        listen: of.listen.0.clone(),
        otlp_grpc: place(&of.otlp_grpc),
        otlp_http: place(&of.otlp_http),
        zipkin: place(&of.zipkin),
        tempo: place(&of.tempo),
        jaeger_grpc: place(&of.jaeger_grpc),
        tls: tls(config)?,
        lenient,
        remote: of.remote,
        token: of.token.clone(),
        ingest_token: of.ingest_token.clone(),
        keep: keep(config),
    })
}

/// What would keep a collector from starting, as far as can be told without starting it.
pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    tls(config)?.map_or(Ok(()), |tls| tls.check())
}

fn tls(config: &Config) -> anyhow::Result<Option<Tls>> {
    let of = &config.collector;
    match (of.tls_certificate_file.clone(), of.tls_key_file.clone()) {
        (Some(certificate), Some(key)) => {
            Ok(Some(Tls { certificate, key, client_ca: of.tls_client_ca_file.clone() }))
        }
        (None, None) if of.tls_client_ca_file.is_none() => Ok(None),
        _ => bail!(
            "collector.tls_certificate_file and collector.tls_key_file go together, and clients' certificates need both"
        ),
    }
}

fn keep(config: &Config) -> Keep {
    let of = &config.collector;
    match directory(config) {
        None => Keep::Memory(IN_MEMORY),
        Some(directory) => Keep::Disk {
            directory,
            durability: if of.strict { Durability::Strict } else { Durability::Grouped },
            bytes: of.max_bytes.0,
            age: of.max_age,
        },
    }
}

/// Where spans are kept; none: in memory.
pub(super) fn directory(config: &Config) -> Option<PathBuf> {
    match &config.collector.data {
        Some(path) if path.as_os_str() == "none" => None,
        Some(path) => Some(path.clone()),
        None => Some(usual(env::var_os("HOME").map(PathBuf::from).as_deref())),
    }
}

fn usual(home: Option<&Path>) -> PathBuf {
    let system = Path::new("/var/lib/wirespan");
    match home {
        Some(home) if home.parent() != Some(Path::new("/")) => home.join(".local/share/wirespan"),
        _ => system.to_owned(),
    }
}

/// Says where everything is.
pub(super) fn say(running: &Running) {
    let Addresses { otlp_grpc, otlp_http, zipkin, tempo, jaeger_grpc, .. } = &running.addresses;
    let ports = [
        ("OTLP/gRPC", otlp_grpc),
        ("OTLP/HTTP", otlp_http),
        ("Zipkin", zipkin),
        ("Tempo's API", tempo),
        ("Jaeger's gRPC", jaeger_grpc),
    ];
    let ports = ports.into_iter().filter_map(|(name, place)| Some(format!("{name} {}", (*place)?)));
    eprintln!("wirespan: collecting; {}", ports.collect::<Vec<_>>().join(", "));
    eprintln!("wirespan: open {}", running.page());
}
