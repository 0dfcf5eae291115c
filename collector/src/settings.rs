//! What a collector is to do.

use std::path::PathBuf;

use wirespan_store::Durability;

use crate::Tls;

/// Settings of a collector.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the page, our own API and Jaeger's API listen: `address:port`.
    pub listen: String,
    /// Where OTLP over gRPC is received. None: nowhere.
    pub otlp_grpc: Option<String>,
    /// Where OTLP over HTTP is received.
    pub otlp_http: Option<String>,
    /// Where Zipkin's spans are received, and its API answers.
    pub zipkin: Option<String>,
    /// Where Tempo's API answers.
    pub tempo: Option<String>,
    /// Where Jaeger's gRPC API answers.
    pub jaeger_grpc: Option<String>,
    /// Speak TLS, on every port. None: in clear.
    pub tls: Option<Tls>,
    /// A port of the five above that is taken is left out with a warning, not an error.
    pub lenient: bool,
    /// Listen on addresses that other hosts reach, also in clear. With TLS they may be used without it.
    pub remote: bool,
    /// What readers have to know. None: made up at the start.
    pub token: Option<String>,
    /// What senders have to know. None: everybody who reaches the port may send.
    pub ingest_token: Option<String>,
    /// Where spans are kept.
    pub keep: Keep,
}

impl Settings {
    /// A collector for tests: on the loopback, every port as the system gives it, readers know `token`, senders need none,
    /// the newest 1,000 spans in memory.
    #[must_use]
    pub fn scratch(token: &str) -> Self {
        let any = || Some("127.0.0.1:0".to_owned());
        Self {
            listen: "127.0.0.1:0".to_owned(),
            otlp_grpc: any(),
            otlp_http: any(),
            zipkin: any(),
            tempo: any(),
            jaeger_grpc: any(),
            tls: None,
            lenient: false,
            remote: false,
            token: Some(token.to_owned()),
            ingest_token: None,
            keep: Keep::Memory(1000),
        }
    }
}

/// Where spans are kept.
#[derive(Clone, Debug)]
pub enum Keep {
    /// In memory: so many, the oldest forgotten.
    Memory(usize),
    /// On disk.
    Disk {
        /// The directory.
        directory: PathBuf,
        /// When spans are acknowledged.
        durability: Durability,
        /// The most bytes.
        bytes: u64,
        /// The longest time.
        age: std::time::Duration,
    },
}
