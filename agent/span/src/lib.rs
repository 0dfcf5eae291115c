//! Comes in: [`Exchange`](wirespan_protocol::exchange::Exchange)s. Goes out: [`Span`](span::Span)s in OpenTelemetry
//! semantic conventions, already redacted, and the causal evidence that came with them. Refuses: letting a secret
//! through.
#![forbid(unsafe_code)]

mod attributes;
mod ends;
mod percent;
pub mod redaction;
pub mod resource;
pub mod route;
pub mod settings;
pub mod span;
mod spans;

pub use spans::{Clock, Processes, Spans};
