//! OTLP, OpenTelemetry's protocol: batches, retries, bounds. Comes in: traces, through [`Exporter::offer`], which
//! never waits. Goes out: requests over gRPC or HTTP, as the OTLP specification 1.x has them. Refuses: losing a span
//! without counting it.

mod counters;
mod delays;
pub mod environment;
mod exporter;
mod message;
mod notice;
mod queue;
mod retry;
mod settings;
mod transport;
mod wire;

pub use counters::Snapshot;
pub use delays::Delays;
pub use exporter::{Exporter, Intake, Report};
pub use settings::{
    Compression, Destination, Endpoint, Headers, Limits, Protocol, Settings, SettingsError, Tls,
};

#[cfg(test)]
mod tests;
