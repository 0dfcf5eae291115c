//! OTLP/gRPC. Comes in: an encoded request. Goes out: `TraceService/Export` as a unary call by tonic; its status,
//! told apart as the OTLP specification ("OTLP/gRPC response", "Failures") has it.

use std::{future::Future, pin::Pin, task};

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, Request, Response, uri::PathAndQuery};
use hyper_util::client::legacy::ResponseFuture;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tonic::{
    Code, Status,
    body::Body,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use tonic_types::StatusExt;
use tower_service::Service;

use super::{
    Accepted, Failure, accepted,
    client::{HyperClient, client, describe, headers},
};
use crate::otlp::settings::{Compression, Destination, Settings, SettingsError};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The client of one endpoint.
#[derive(Clone, Debug)]
pub(in crate::otlp) struct Grpc {
    client: tonic::client::Grpc<Connection>,
}

impl Grpc {
    pub(super) fn new(destination: Destination, settings: &Settings) -> Result<Self, SettingsError> {
        let origin = destination.url.clone();
        let connection =
            Connection { client: client(&destination, settings)?, headers: headers(settings)?, destination };
        let client = tonic::client::Grpc::with_origin(connection, origin);
        let client = client.accept_compressed(CompressionEncoding::Gzip);
        Ok(Self {
            client: match settings.compression {
                Compression::None => client,
                Compression::Gzip => client.send_compressed(CompressionEncoding::Gzip),
            },
        })
    }

    pub(super) async fn send(&self, body: Bytes) -> Result<Accepted, Failure> {
        // A clone shares the connections; a call wants it to itself.
        let mut client = self.client.clone();
        client.ready().await.map_err(failure)?;
        let request = tonic::Request::new(body);
        let response = client.unary(request, PathAndQuery::from_static(EXPORT), Encoded).await;
        response.map(|response| accepted(response.into_inner())).map_err(failure)
    }
}

/// By the table of the OTLP specification. `RESOURCE_EXHAUSTED` is worth a retry only when the server says when:
/// alone it means, for instance, that the message is too large.
fn failure(status: Status) -> Failure {
    use Code::{Aborted, Cancelled, DataLoss, DeadlineExceeded, OutOfRange, ResourceExhausted, Unavailable};
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let message = format!("{} ({:?})", status.message(), status.code());
    let transient = match status.code() {
        Cancelled | DeadlineExceeded | Aborted | OutOfRange | Unavailable | DataLoss => true,
        ResourceExhausted => after.is_some(),
        _ => false,
    };
    if transient { Failure::Transient { after, message } } else { Failure::Permanent(message) }
}

/// The HTTP client as tonic wants it: adds the user's headers, and makes every failure on the way `UNAVAILABLE`.
#[derive(Clone, Debug)]
struct Connection {
    client: HyperClient<Body>,
    headers: HeaderMap,
    destination: Destination,
}

impl Service<Request<Body>> for Connection {
    type Response = Response<hyper::body::Incoming>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Status>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let own = self.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut headers: HeaderMap = own.collect();
        // What tonic set (content type, encodings) must win.
        headers.extend(std::mem::take(request.headers_mut()));
        *request.headers_mut() = headers;
        let response: ResponseFuture = self.client.request(request);
        let destination = self.destination.clone();
        Box::pin(async move {
            response.await.map_err(|error| Status::unavailable(describe(&error, &destination)))
        })
    }
}

/// A codec for a request that is encoded already: a retry sends the same bytes again.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ExportTraceServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let response = ExportTraceServiceResponse::decode(bytes);
        response.map(Some).map_err(|error| Status::internal(format!("the answer is not OTLP: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn only_what_the_specification_names_is_tried_again() {
        for (code, transient) in [
            (Code::Unavailable, true),
            (Code::DeadlineExceeded, true),
            (Code::Aborted, true),
            (Code::OutOfRange, true),
            (Code::DataLoss, true),
            (Code::Cancelled, true),
            (Code::ResourceExhausted, false),
            (Code::InvalidArgument, false),
            (Code::Unauthenticated, false),
            (Code::Unimplemented, false),
            (Code::Internal, false),
        ] {
            let told = matches!(failure(Status::new(code, "no")), Failure::Transient { after: None, .. });
            assert_eq!(told, transient, "{code:?}");
        }
    }

    #[test]
    fn exhausted_with_a_time_is_tried_again_then() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(3)));
        let status = Status::with_error_details(Code::ResourceExhausted, "slow down", details);
        let message = "slow down (ResourceExhausted)".into();
        assert_eq!(failure(status), Failure::Transient { after: Some(Duration::from_secs(3)), message });
    }
}
