//! Comes in: [`Event`](wirespan_proto::event::Event)s in the order of time. Goes out: per connection, two byte
//! streams addressed by stream offset, with gaps marked. Never guesses across a gap; memory is bounded per
//! connection and in total.
//!
//! [`Connections`](connections::Connections) takes events and shows the [`Connection`](connection::Connection) each
//! one touched; the next stage reads its two [`Half`](half::Half)s through [`Stream`](stream::Stream).
#![forbid(unsafe_code)]

pub mod connection;
pub mod connections;
pub mod counters;
pub mod facts;
pub mod half;
mod held;
pub mod limits;
mod piece;
mod queue;
mod recent;
mod slots;
mod store;
pub mod stream;

pub use wirespan_proto::event;
