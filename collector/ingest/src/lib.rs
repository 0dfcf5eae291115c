//! Comes in: OTLP and Zipkin, from the network, and files of OTLP's JSON and Jaeger's. Goes out: the store's spans, acknowledged when the store has them.
//! Refuses: spans without valid ids or times, one by one, the rest of the batch is kept; bodies and parts beyond their
//! bounds. The only part of the collector that knows protobuf.

#![forbid(unsafe_code)]

mod batch;
mod body;
mod file;
mod intake;
mod jaeger;
mod limits;
pub mod otlp;
pub mod zipkin;

pub use batch::{Batch, Cause};
pub use file::decode_file;
pub use intake::{Intake, Refusals, Taken};
pub use limits::Limits;
