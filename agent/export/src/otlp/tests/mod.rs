//! The exporter against a real receiver. Each test: settings, traces and a receiver's answers in; what the receiver
//! got, what the counters say and what the user is told out.

mod certificates;
mod delivery;
mod receiver;
mod trouble;

use std::{net::SocketAddr, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use super::{Exporter, Limits, Protocol, Settings, Snapshot};
use crate::{sample, trace::Trace};

const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];
/// Longer than any test: what is set to it does not happen.
const NEVER: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);

/// A quick exporter: sends at once, retries at once.
fn settings(protocol: Protocol, address: SocketAddr) -> Settings {
    Settings {
        protocol: Some(protocol),
        limits: Limits {
            batch_delay: Duration::from_millis(1),
            retry_first: Duration::from_millis(1),
            retry_longest: Duration::from_millis(20),
            ..Limits::default()
        },
        ..Settings::to(&format!("http://{address}"))
    }
}

/// What the user is told.
struct Said(mpsc::UnboundedReceiver<String>);

impl Said {
    async fn next(&mut self) -> String {
        timeout(PATIENCE, self.0.recv()).await.expect("something is said").unwrap()
    }
}

fn start(settings: &Settings) -> (Exporter, Said) {
    let (sender, said) = mpsc::unbounded_channel();
    let say = move |line: &str| {
        // The test may have heard enough.
        let _ended = sender.send(line.to_owned());
    };
    (Exporter::start(settings, say).unwrap(), Said(said))
}

fn one(id: u8) -> Trace {
    sample::trace(vec![sample::server(id, "GET /")])
}

async fn ended(exporter: Exporter) -> Snapshot {
    let report = exporter.shutdown(PATIENCE).await;
    assert!(report.complete, "{report:?}");
    report.counters
}
