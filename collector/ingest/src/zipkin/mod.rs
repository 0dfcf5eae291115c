//! Zipkin's spans (zipkin-api, zipkin2-api.yaml, zipkin.proto, zipkin-api.yaml): JSON of both versions and protobuf in,
//! spans out, by OpenTelemetry's "OpenTelemetry to Zipkin Transformation" read backwards; the receiver.

mod convert;
mod decode;
mod http;
mod protobuf;
mod version_1;

pub use decode::decode_v2;
pub use http::router;
pub use protobuf::decode_protobuf;
pub use version_1::decode_v1;
