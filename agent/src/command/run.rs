//! `wirespan run`: the whole host, for somebody who looks on: agent, collector and page in one process.

mod figures;

use std::{process::ExitCode, sync::Arc};

use wirespan_collector::Running;
use wirespan_export::terminal::Output;

use super::{collecting, host};
use crate::{
    cli::Run,
    config::{self, Config, choice, value::Ports},
    observe,
};

/// Captures until it is told to stop.
///
/// # Errors
/// An unusable configuration, or a kernel that does not let us.
pub fn run(args: &Run) -> anyhow::Result<ExitCode> {
    let mut loaded = config::load(&args.flags)?;
    let collector = embedded(&mut loaded.config);
    let code = host::capture(&loaded.config, Output::Tree, |watch| {
        if let Some(collector) = &collector {
            let watch = Arc::clone(watch);
            collector.tell(move || figures::figures(&observe::metrics(&watch)));
        }
    })?;
    drop(collector);
    Ok(code)
}

/// The collector, and the agent set up to send to it: through the loopback, which capture leaves out as it does every
/// connection of this process.
fn embedded(config: &mut Config) -> Option<Running> {
    let elsewhere =
        config.otlp.endpoint.is_some() || std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
    if elsewhere || !config.collector.embedded {
        return None;
    }
    // Another collector may have its ports: no reason not to show on the terminal what happens.
    let running = match collecting::start(config, true) {
        Ok(running) => running,
        Err(error) => {
            eprintln!("wirespan: {error:#}; going on without a collector");
            return None;
        }
    };
    collecting::say(&running);
    // Whoever looks at the page from this host would find the page's own questions among the traces.
    let port = running.addresses.page.port();
    config.filter.exclude_ports.push(Ports { first: port, last: port });
    let (address, protocol) = match (running.addresses.otlp_grpc, running.addresses.otlp_http) {
        (Some(grpc), _) => (grpc, choice::Protocol::Grpc),
        (None, Some(http)) => (http, choice::Protocol::HttpProtobuf),
        (None, None) => {
            eprintln!(
                "wirespan: this collector has no free port for OTLP: spans are shown on the terminal only"
            );
            return Some(running);
        }
    };
    let scheme = if config.collector.tls_certificate_file.is_some() { "https" } else { "http" };
    config.otlp.endpoint = Some(format!("{scheme}://{address}"));
    config.otlp.protocol = Some(protocol);
    if let Some(token) = &config.collector.ingest_token {
        config.otlp.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    // The terminal shows traces as it did without a collector.
    if config.output.format == choice::Output::Auto {
        config.output.format = choice::Output::Tree;
    }
    Some(running)
}
