//! What the collector thinks in: spans by OpenTelemetry's data model (opentelemetry-proto, trace/v1), in plain types.

mod id;
pub(crate) mod json;
mod span;
mod value;

pub use id::{BadId, SpanId, TraceId};
pub use span::{Attribute, Dropped, Event, Kind, Link, Resource, Scope, Span, Status, StatusCode, attribute};
pub use value::Value;

/// Text that stays in place while it is short (up to 23 bytes) and is shared when it is cloned.
pub type Text = smol_str::SmolStr;
