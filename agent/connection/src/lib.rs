//! Comes in: [`Event`](wirespan_proto::event::Event)s in the order of time. Goes out: per connection, two byte
//! streams addressed by stream offset, with gaps marked. Never guesses across a gap; memory is bounded per
//! connection and in total.
#![forbid(unsafe_code)]

pub mod facts;
pub mod stream;

pub use wirespan_proto::event;
