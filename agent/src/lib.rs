//! The daemon: reads the command line and the configuration, finds out who the processes are, decides which of them
//! are captured, and drives the stages. Comes in: arguments, files, the host. Goes out: spans, by way of the stages.
#![forbid(unsafe_code)]

pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
pub mod filter;
pub mod observe;
pub mod pipeline;
pub mod process;
pub mod replay;
mod runtime;
