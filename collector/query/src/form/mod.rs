//! The forms of answers: JSON as our own API, Jaeger, Zipkin and Tempo have it.

pub mod jaeger;
pub mod own;
pub mod tempo;
pub mod zipkin;
