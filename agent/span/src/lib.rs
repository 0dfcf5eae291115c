//! Comes in: [`Exchange`](wirespan_protocol::exchange::Exchange)s. Goes out: [`Span`](span::Span)s in OpenTelemetry
//! semantic conventions, already redacted, and the causal evidence that came with them. Refuses: letting a secret
//! through.
#![forbid(unsafe_code)]

pub mod resource;
pub mod span;
