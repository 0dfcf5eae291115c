//! Comes in: the two byte streams of a connection. Goes out: [`Exchange`](exchange::Exchange)s, request paired with
//! response by the protocol's own rule. Refuses: I/O, clocks, panics, allocation sized by the wire, guesses.
//!
//! The road within: [`session`] recognises, [`conversation`] drives the two lanes of a connection through a
//! [`protocol::Protocol`], which cuts frames and pairs them. A new protocol is a folder and a line in [`registry`].
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

pub mod address;
pub mod amqp;
mod attributes;
pub mod carrier;
pub mod conversation;
pub mod cursor;
pub mod dns;
pub mod exchange;
pub mod fastcgi;
mod footing;
mod grpc;
pub mod http;
pub mod http2;
pub mod kafka;
pub mod memcached;
pub mod mongodb;
pub mod mysql;
mod pipeline;
pub mod postgresql;
pub mod protocol;
pub mod redis;
pub mod registry;
pub mod session;
pub mod settings;
mod shape;
pub mod sql;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
pub mod websocket;

pub use session::Session;
pub use settings::Settings;
pub use wirespan_connection::{event, facts, stream};
