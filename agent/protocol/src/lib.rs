//! Comes in: the two byte streams of a connection. Goes out: [`Exchange`](exchange::Exchange)s, request paired with
//! response by the protocol's own rule. Refuses: I/O, clocks, panics, allocation sized by the wire, guesses.
#![forbid(unsafe_code)]

pub mod exchange;

pub use wirespan_connection::{event, facts, stream};
