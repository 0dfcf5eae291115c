//! Spans in; figures about them out, kept as they arrive so that no question joins or scans: rate, errors and durations
//! by service, operation and kind; who calls whom; which services and operations there are.

mod catalogue;
mod edges;
mod figures;
mod red;
mod sketch;

pub use catalogue::{Catalogue, Operation, Service};
pub(crate) use edges::{Calls, EdgeKey, EdgeRows, Handover, merge_edges};
pub use edges::{Edge, EdgeQuery, NodeKind};
pub use figures::Figures;
pub use red::{Red, RedQuery, Series};
pub(crate) use red::{RedRows, SeriesKey, Widths, merge_red};
pub use sketch::Sketch;

/// One minute in nanoseconds: the finest width in which figures are kept.
pub(crate) const MINUTE: u64 = 60_000_000_000;
/// One hour in nanoseconds: the width for long ranges.
pub(crate) const HOUR: u64 = 60 * MINUTE;
