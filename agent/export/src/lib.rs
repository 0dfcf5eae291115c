//! Comes in: [`Trace`](wirespan_trace::trace::Trace)s. Goes out: OTLP, terminal lines, trees, JSON. Refuses: dropping
//! silently, blocking the stages before it.

pub use wirespan_trace::{resource, span, trace};
