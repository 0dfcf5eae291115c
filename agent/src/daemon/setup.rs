//! From the configuration to the settings of every stage. Nothing is decided here that the configuration does not say.

use std::{fs, path::Path};

use anyhow::Context;
use wirespan_export::otlp;
use wirespan_kernel::{Choice, Plan};

use super::Scope;
use crate::{
    config::{Config, choice, value::Ports},
    filter::Filter,
    pipeline::{self, Pipeline},
    process::{HostFacts, Processes, Sources},
};

/// Generations of children that `trace -p` looks for at its start; later ones are seen as they are born.
const GENERATIONS: usize = 16;

/// The stages for the live kernel: this host's processes, ids that nobody can foretell.
pub(super) fn pipeline(config: &Config) -> anyhow::Result<Pipeline> {
    let sources = Sources::default();
    let host = HostFacts::read(&sources.proc_root, &sources.root);
    let processes = Processes::new(sources, host, &config.service.names, config.limits.processes as usize);
    let mut keys = [[0; 16]; 2];
    for key in &mut keys {
        getrandom::fill(key).context("the system gives no random numbers")?;
    }
    Ok(Pipeline::new(stages(config, keys, std::process::id())?, processes))
}

/// The settings of every stage. The first of the `keys` makes the ids that both ends of a connection agree on, the
/// second all others.
pub(crate) fn stages(
    config: &Config,
    keys: [[u8; 16]; 2],
    own_pid: u32,
) -> anyhow::Result<pipeline::Settings> {
    Ok(pipeline::Settings {
        connections: connections(config),
        protocol: protocol(config),
        spans: wirespan_span::Spans::new(&spans(config))?,
        traces: traces(config, keys),
        filter: Filter::new(&config.filter).context("the filters cannot be used together")?,
        own_pid,
    })
}

fn connections(config: &Config) -> wirespan_connection::limits::Limits {
    wirespan_connection::limits::Limits {
        max_connections: config.limits.connections as usize,
        stream_bytes: config.limits.stream_bytes.0 as usize,
        total_bytes: config.limits.total_stream_bytes.0 as usize,
        ..Default::default()
    }
}

fn protocol(config: &Config) -> wirespan_protocol::settings::Settings {
    let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
    wirespan_protocol::settings::Settings {
        request_timeout_ns: config.limits.request_timeout.as_nanos() as u64,
        max_pending: config.limits.pending_exchanges as usize,
        max_query: config.limits.query_bytes.0 as usize,
        max_statements: config.limits.prepared_statements as usize,
        max_statement_bytes: config.limits.prepared_statement_bytes.0 as usize,
        max_pipeline: config.limits.pipeline_exchanges as usize,
        capture_request_headers: lower(&config.http.capture_request_headers),
        capture_response_headers: lower(&config.http.capture_response_headers),
        ..Default::default()
    }
}

pub(super) fn spans(config: &Config) -> wirespan_span::settings::Settings {
    let mut settings = wirespan_span::settings::Settings::default();
    if !config.redaction.defaults {
        settings.secret_parameters.clear();
        settings.secret_headers.clear();
    }
    settings.secret_parameters.extend(config.redaction.query_keys.iter().cloned());
    settings.secret_headers.extend(config.redaction.headers.iter().cloned());
    settings
}

fn traces(config: &Config, [key, seed]: [[u8; 16]; 2]) -> wirespan_trace::settings::Settings {
    let mut settings = wirespan_trace::settings::Settings::new(key, seed);
    settings.wait_ns = config.limits.trace_wait.as_nanos() as u64;
    settings.max_spans = config.limits.open_spans as usize;
    settings.max_trace_spans = config.limits.trace_spans as usize;
    settings
}

pub(super) fn kernel(config: &Config, scope: &Scope) -> wirespan_kernel::Settings {
    wirespan_kernel::Settings {
        choice: match config.capture.plan {
            choice::Plan::Auto => Choice::Auto,
            choice::Plan::Sock => Choice::Only(Plan::Sock),
            choice::Plan::Syscall => Choice::Only(Plan::Syscall),
            choice::Plan::Older => Choice::Only(Plan::Older),
        },
        head_bytes: config.capture.head_bytes.0 as u32,
        filter: super::process_filter(config, scope),
        include_ports: ports(&config.filter.include_ports),
        exclude_ports: ports(&config.filter.exclude_ports),
    }
}

fn ports(ranges: &[Ports]) -> Vec<u16> {
    ranges.iter().flat_map(|range| range.first..=range.last).collect()
}

/// Is every process captured?
pub(super) fn takes_all(config: &Config) -> bool {
    Filter::new(&config.filter).is_ok_and(|filter| filter.takes_all())
}

/// The exporter's settings; `None` where no endpoint is named anywhere.
pub(crate) fn otlp(config: &Config) -> anyhow::Result<Option<otlp::Settings>> {
    let mut settings = otlp::Settings::default();
    let named = otlp::environment::apply(&mut settings, |name| std::env::var(name).ok())?;
    let given = &config.otlp;
    if let Some(endpoint) = &given.endpoint {
        settings.endpoint = Some(otlp::Endpoint::Base(endpoint.clone()));
    } else if !named {
        return Ok(None);
    }
    if let Some(protocol) = given.protocol {
        settings.protocol = Some(match protocol {
            choice::Protocol::Grpc => otlp::Protocol::Grpc,
            choice::Protocol::HttpProtobuf => otlp::Protocol::HttpProtobuf,
        });
    }
    if !given.headers.is_empty() {
        settings.headers = otlp::Headers(given.headers.clone());
    }
    if let Some(timeout) = given.timeout {
        settings.timeout = timeout;
    }
    if let Some(compression) = given.compression {
        settings.compression = match compression {
            choice::Compression::None => otlp::Compression::None,
            choice::Compression::Gzip => otlp::Compression::Gzip,
        };
    }
    certificates(config, &mut settings);
    settings.limits.queue_spans = config.limits.queue_spans as _;
    settings.limits.batch_spans = config.limits.batch_spans as _;
    settings.limits.batch_delay = config.limits.batch_wait;
    Ok(Some(settings))
}

fn certificates(config: &Config, settings: &mut otlp::Settings) {
    let given = &config.otlp;
    for (file, slot) in [
        (&given.ca_file, &mut settings.tls.ca),
        (&given.client_certificate_file, &mut settings.tls.client_certificate),
        (&given.client_key_file, &mut settings.tls.client_key),
    ] {
        if file.is_some() {
            slot.clone_from(file);
        }
    }
}

/// A process and its children, and theirs, as they stand now.
pub(super) fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut from = 0;
    for _ in 0..GENERATIONS {
        let newest = family.get(from..).unwrap_or_default().to_vec();
        from = family.len();
        family.extend(newest.iter().flat_map(|pid| children(*pid)));
        if family.len() == from {
            break;
        }
    }
    family
}

/// `/proc/PID/task/TID/children`, `CONFIG_PROC_CHILDREN`; where it is missing, only the process itself is known.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"));
    let lists = tasks.into_iter().flatten().flatten().map(|task| task.path().join("children"));
    lists
        .filter_map(|list| fs::read_to_string(list).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_found_through_its_parents() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is there");
        let family = family(std::process::id());
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(family.contains(&child.id()), "{family:?}");
    }
}
