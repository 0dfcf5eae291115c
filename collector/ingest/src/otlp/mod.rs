//! OTLP (opentelemetry-proto 1.x): protobuf and JSON to spans and back; the receivers on gRPC and HTTP.

mod encode;
mod grpc;
mod http;
mod json;
mod protobuf;

pub use encode::{encode_json, encode_protobuf};
pub(crate) use grpc::serve_routes;
pub use grpc::{Authorize, serve as serve_grpc};
pub use http::router;
pub use json::decode_json;
pub(crate) use json::read_json;
pub use protobuf::decode_protobuf;

use wirespan_store::StoreError;

/// Why a whole request is refused.
#[derive(Debug, thiserror::Error)]
pub enum BadRequest {
    /// It cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
