//! What wirespan says about itself. Comes in: what every stage counted, what the kernel allows, spans to be counted by
//! route. Goes out: the pages /metrics and /healthz, the findings of `doctor`, the table of `top`, words to systemd.
//! Refuses: slowing the capture thread, which only leaves a copy of its counters here a few times a second.

pub mod board;
pub mod checkup;
pub mod health;
mod latency;
pub mod metric;
pub mod page;
mod process;
pub mod routes;
mod samples;
pub mod screen;
pub mod server;
pub mod shares;
pub mod systemd;
pub mod watch;

pub use samples::page as metrics;
