//! OTLP to a real OpenTelemetry collector, over both transports. `WIRESPAN_OTELCOL` names its binary; `cargo xtask test`
//! builds it where Go is there, and leaves these tests out, saying so, where it is not.

use std::{env, fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::{
    agent::{Agent, wirespan},
    program::Program,
    servers::{Nginx, free_address},
    visitors::curl,
    wait,
};

const VISITS: usize = 100;

/// A collector that writes what it receives to a file, one OTLP/JSON object a line.
struct Collector {
    _program: Program,
    folder: tempfile::TempDir,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Collector {
    fn start(binary: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (grpc, http) = (free_address()?, free_address()?);
        let file = folder.path().join("spans");
        let configuration = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{grpc}'}}, http: {{endpoint: '{http}'}}}}}}}}\n\
             exporters: {{file: {{path: '{}', flush_interval: 100ms}}}}\n\
             service: {{telemetry: {{metrics: {{level: none}}}},\n\
             pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}}}\n",
            file.display()
        );
        fs::write(folder.path().join("collector.yaml"), configuration)?;
        let mut command = Command::new(binary);
        command.arg("--config").arg(folder.path().join("collector.yaml"));
        let program = Program::start(&mut command)?;
        wait::until("the collector to listen", || std::net::TcpStream::connect(http).ok())?;
        Ok(Self { _program: program, folder, grpc, http })
    }

    /// Every span it has received.
    fn spans(&self) -> Result<Vec<Value>> {
        let text =
            fs::read_to_string(self.folder.path().join("spans")).context("read the collector's file")?;
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        let arrays = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let resources = lines.iter().flat_map(|line| arrays(line, "resourceSpans"));
        let scopes = resources.flat_map(|resource| arrays(&resource, "scopeSpans"));
        Ok(scopes.flat_map(|scope| arrays(&scope, "spans")).collect())
    }
}

fn has_path(span: &Value, prefix: &str) -> bool {
    let attributes = span["attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
    attributes.iter().any(|attribute| {
        let value = attribute["value"]["stringValue"].as_str().unwrap_or_default();
        matches!(attribute["key"].as_str(), Some("url.path" | "url.full")) && value.contains(prefix)
    })
}

/// Both spans of a hundred requests arrive, each once, and nothing about the export itself.
fn arrives(protocol: &str, endpoint: fn(&Collector) -> SocketAddr) -> Result<()> {
    let binary =
        env::var_os("WIRESPAN_OTELCOL").context("WIRESPAN_OTELCOL names no OpenTelemetry collector")?;
    let (collector, nginx) = (Collector::start(Path::new(&binary))?, Nginx::start()?);
    let mut command = wirespan();
    command.args(["agent", "--output", "json", "--otlp", &format!("http://{}", endpoint(&collector))]);
    let agent = Agent::run(command.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol))?;
    let prefix = format!("/hello/otlp-{}", endpoint(&collector).port());

    for number in 0..VISITS {
        curl(&[&nginx.url(&format!("{prefix}-{number}"))])?;
    }
    agent.until(2 * VISITS, "the spans on standard output", |span| span.path().starts_with(&prefix))?;
    let printed = agent.stop()?;
    let received = || collector.spans().unwrap_or_default();
    let ours =
        |spans: Vec<Value>| spans.into_iter().filter(|span| has_path(span, &prefix)).collect::<Vec<_>>();
    wait::until("the spans at the collector", || (ours(received()).len() >= 2 * VISITS).then_some(()))?;

    let arrived = ours(received());
    ensure!(arrived.len() == 2 * VISITS, "{} spans instead of {}", arrived.len(), 2 * VISITS);
    let ids = |spans: &[Value]| -> std::collections::BTreeSet<String> {
        spans.iter().filter_map(|span| Some(span["spanId"].as_str()?.to_owned())).collect()
    };
    let expected =
        printed.iter().filter(|span| span.path().starts_with(&prefix)).map(|span| span.id.clone()).collect();
    ensure!(ids(&arrived) == expected, "the ids at the collector are not those on standard output");
    let own = endpoint(&collector).port();
    ensure!(!printed.iter().any(|span| span.mentions_port(own) && !span.path().starts_with(&prefix)));
    Ok(())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn over_grpc() -> Result<()> {
    arrives("grpc", |collector| collector.grpc)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn over_http() -> Result<()> {
    arrives("http/protobuf", |collector| collector.http)
}
