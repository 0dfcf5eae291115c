//! End-to-end: the real daemon, real programs, real sockets. Needs root and the BPF tools, so all of it is ignored unless
//! asked for: `cargo xtask test`.

mod causality;
mod connections;
mod dns;
mod hosts;
mod http1;
mod http2;
mod lifecycle;
mod load;
mod memcached;
mod mysql;
mod observe;
mod otlp;
mod postgresql;
mod redis;
mod shop;
mod silence;
mod trace_command;
mod websocket;
