//! Comes in: settings. Goes out: a running collector, that receives spans (OTLP, Zipkin), stores them, and answers
//! questions (its own API and page, Jaeger's, Zipkin's and Tempo's APIs). Refuses: to be reached from elsewhere unless
//! that was asked for in so many words, and to answer whoever has no token.

#![forbid(unsafe_code)]

mod api;
mod guard;
mod page;
mod server;
mod settings;
mod tls;

pub use server::{Addresses, Running, start};
pub use settings::{Keep, Settings};
pub use tls::Tls;
pub use wirespan_store::Durability;
