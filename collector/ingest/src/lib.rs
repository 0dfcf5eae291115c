//! Comes in: OTLP and Zipkin, from the network, and files of OTLP's JSON and Jaeger's. Goes out: the store's spans, acknowledged when the store has them.
//! Refuses: spans without valid ids or times, one by one, the rest of the batch is kept; bodies and parts beyond their
//! bounds. The only part of the collector that knows protobuf, which is why
//! the edge of Jaeger's gRPC API is here, too.

#![forbid(unsafe_code)]

mod batch;
mod body;
mod ends;
mod file;
mod intake;
pub mod jaeger;
mod jaeger_file;
mod limits;
mod names;
pub mod otlp;
mod port;
pub mod zipkin;

pub use batch::{Batch, Cause};
pub use file::decode_file;
pub use intake::{Intake, Refusals, Taken};
pub use limits::Limits;
pub use port::Port;
