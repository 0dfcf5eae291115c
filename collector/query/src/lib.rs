//! Comes in: questions, in TraceQL or as parameters. Goes out: answers from the store, and the forms in which tools want
//! them. Refuses: questions that it cannot answer, pointing at the place; work without a bound.

#![forbid(unsafe_code)]

mod ask;
pub mod form;
mod parse;
pub mod sql;
mod summary;
pub mod traceql;

pub use ask::{Answer, Ask, Match, matches, traces};
pub use parse::{BadText, duration, time};
pub use summary::Summary;
