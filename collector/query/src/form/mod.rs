//! The forms of answers: JSON as our own API, Jaeger, Zipkin, Tempo and Perfetto have it.

pub mod jaeger;
pub mod outline;
pub mod own;
pub mod perfetto;
pub mod tempo;
pub mod zipkin;
