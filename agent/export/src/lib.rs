//! Comes in: [`Trace`](wirespan_trace::trace::Trace)s. Goes out: OTLP, terminal lines, trees, JSON. Refuses: dropping
//! silently, blocking the stages before it.
#![forbid(unsafe_code)]

mod convention;
pub mod otlp;
pub mod terminal;
mod written;

#[cfg(test)]
mod sample;

pub use wirespan_trace::{resource, span, trace};
