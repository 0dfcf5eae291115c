//! Carries one encoded request to the endpoint. Comes in: bytes of an `ExportTraceServiceRequest`. Goes out: what
//! the server made of it, by the rules of the OTLP specification. Retries are not made here.

mod client;
mod grpc;
mod http;
mod tls;

use std::{error::Error, fmt::Write as _, time::Duration};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;

use super::settings::{Protocol, Settings, SettingsError};

/// The server took the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Spans it turned down all the same.
    pub(super) rejected: u64,
    /// Why, or a warning; usually empty.
    pub(super) message: String,
}

/// The server did not take the request, or could not be reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// May go well later.
    Transient {
        /// The pause that the server asked for.
        after: Option<Duration>,
        /// What happened.
        message: String,
    },
    /// Will fail again.
    Permanent(String),
}

/// One of the two protocols.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    Grpc(grpc::Grpc),
    Http(http::Http),
}

impl Transport {
    /// Reads the certificates; connects with the first request.
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let destination = settings.destination()?;
        Ok(match destination.protocol {
            Protocol::Grpc => Self::Grpc(grpc::Grpc::new(destination, settings)?),
            Protocol::HttpProtobuf => Self::Http(http::Http::new(destination, settings)?),
        })
    }

    /// The body as it is sent, for all tries of a request (gRPC compresses by itself, message by message).
    pub(super) fn body(&self, request: Vec<u8>) -> Bytes {
        match self {
            Self::Grpc(_) => request.into(),
            Self::Http(http) => http.body(request),
        }
    }

    /// Sends it once. May take for ever: the caller bounds the time.
    pub(super) async fn send(&self, body: Bytes) -> Result<Accepted, Failure> {
        match self {
            Self::Grpc(grpc) => grpc.send(body).await,
            Self::Http(http) => http.send(body).await,
        }
    }
}

fn accepted(response: ExportTraceServiceResponse) -> Accepted {
    let partial = response.partial_success.unwrap_or_default();
    Accepted {
        rejected: u64::try_from(partial.rejected_spans).unwrap_or_default(),
        message: partial.error_message,
    }
}

/// An error with its causes: the outermost alone ("client error") tells nobody anything.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _infallible = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
