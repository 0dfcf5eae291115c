//! OTLP over gRPC: `opentelemetry.proto.collector.trace.v1.TraceService/Export`.

use std::{sync::Arc, time::Duration};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tonic::{
    Request, Response, Status, codec::CompressionEncoding, metadata::MetadataMap, service::Routes,
    transport::Server,
};

use super::{BadRequest, protobuf};
use crate::{Intake, Port};

/// Says whether a sender with this `authorization` may send.
pub type Authorize = Arc<dyn Fn(Option<&str>) -> bool + Send + Sync>;

/// Calls that one connection may have open.
const STREAMS: u32 = 128;

struct Export {
    intake: Intake,
    authorize: Authorize,
}

/// Receives until `stop`.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    port: Port,
    intake: Intake,
    authorize: Authorize,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let most = 4 * intake.limits().body;
    let service = TraceServiceServer::new(Export { intake, authorize })
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(most);
    serve_routes(port, Routes::new(service), stop).await
}

/// Serves gRPC until `stop`.
pub(crate) async fn serve_routes(
    port: Port,
    routes: Routes,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .add_routes(routes)
        .serve_with_incoming_shutdown(port.connections(), stop)
        .await
}

impl Export {
    fn admits(&self, metadata: &MetadataMap) -> bool {
        (self.authorize)(metadata.get("authorization").and_then(|value| value.to_str().ok()))
    }
}

#[tonic::async_trait]
impl TraceService for Export {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if !self.admits(request.metadata()) {
            return Err(Status::unauthenticated(
                "the token is missing or wrong: send `authorization: Bearer TOKEN`",
            ));
        }
        let request = request.into_inner();
        let taken = self
            .intake
            .take(move |limits| Ok::<_, BadRequest>(protobuf::batch(request, limits)))
            .await
            .map_err(|error| status(&error))?;
        let partial_success = (!taken.said.is_empty()).then_some(ExportTracePartialSuccess {
            rejected_spans: taken.refused as i64,
            error_message: taken.said,
        });
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

/// OTLP's senders try again after `UNAVAILABLE`, and not after most others.
fn status(error: &BadRequest) -> Status {
    match error {
        BadRequest::Malformed(said) => Status::invalid_argument(said),
        BadRequest::Store(trouble) => Status::unavailable(trouble.to_string()),
    }
}
