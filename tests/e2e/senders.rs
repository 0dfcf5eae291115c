//! SDKs that programs really use send to a collector of ours: OpenTelemetry's for Python and JavaScript, and a Zipkin client.

use std::process::Command;

use anyhow::Result;
use wirespan_tests::{
    collector::Collector,
    program,
    servers::{node, packaged_python, program_file},
};

const TRACES: usize = 200;

/// What `programs/senders.py` sends in one way.
fn python(kind: &str, place: fn(&Collector) -> std::net::SocketAddr) -> Result<()> {
    let collector = Collector::start()?;
    let mut command = Command::new(packaged_python());
    command.arg(program_file("senders.py")).args([kind, &place(&collector).to_string(), &TRACES.to_string()]);
    program::run(&mut command)?;
    collector.until_served(TRACES)
}

#[test]
#[ignore = "needs Python's packages: cargo xtask test"]
fn opentelemetry_for_python_over_grpc() -> Result<()> {
    python("grpc", |collector| collector.grpc)
}

#[test]
#[ignore = "needs Python's packages: cargo xtask test"]
fn opentelemetry_for_python_over_http() -> Result<()> {
    python("http", |collector| collector.http)
}

#[test]
#[ignore = "needs Node's packages: cargo xtask test"]
fn opentelemetry_for_javascript_as_json() -> Result<()> {
    let collector = Collector::start()?;
    program::run(&mut node("senders.cjs", &[&collector.http.to_string(), &TRACES.to_string()]))?;
    collector.until_served(TRACES)
}

#[test]
#[ignore = "needs Python's packages: cargo xtask test"]
fn zipkin_as_json_and_as_protobuf() -> Result<()> {
    python("zipkin-json", |collector| collector.zipkin)?;
    python("zipkin-proto", |collector| collector.zipkin)
}

#[test]
#[ignore = "needs Python's packages: cargo xtask test"]
fn zipkin_of_version_1() -> Result<()> {
    python("zipkin-v1", |collector| collector.zipkin)
}
