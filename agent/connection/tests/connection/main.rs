//! The connection stage as its users see it: events in, streams out.

mod events;
mod properties;
mod streams;
mod table;
