//! Comes in: spans and causal evidence, as [`Activity`](wirespan_span::span::Activity). Goes out:
//! [`Trace`](trace::Trace)s; every link has a method and a confidence. Refuses: inventing a parent.
#![forbid(unsafe_code)]

pub mod trace;

pub use wirespan_span::{resource, span};
