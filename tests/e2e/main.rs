//! End-to-end: the real daemon, real programs, real sockets. Needs root and the BPF tools, so all of it is ignored unless
//! asked for: `cargo xtask test`.

mod connections;
mod http1;
mod lifecycle;
mod load;
mod observe;
mod otlp;
mod shop;
mod silence;
mod trace_command;
