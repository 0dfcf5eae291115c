//! Zipkin's spans (zipkin-api, zipkin2-api.yaml): JSON version 2 in, spans out, by OpenTelemetry's "OpenTelemetry to
//! Zipkin Transformation" read backwards; the receiver.

mod decode;
mod http;

pub use decode::decode_v2;
pub use http::router;
