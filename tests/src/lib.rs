//! Comes in: real programs on loopback, and the real daemon as root. Goes out: the spans it printed. Refuses: sleeping in
//! the hope that something has happened; everything is waited for, with a deadline.
//!
//! The tests themselves are in `e2e/`; they are ignored unless asked for (`cargo xtask test`).
#![forbid(unsafe_code)]

pub mod agent;
pub mod brokers;
pub mod causality;
pub mod collector;
pub mod databases;
pub mod kernel;
pub mod load;
pub mod metrics;
pub mod network;
pub mod php;
pub mod program;
pub mod servers;
pub mod span;
pub mod visitors;
pub mod wait;
