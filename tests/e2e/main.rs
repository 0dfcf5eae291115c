//! End-to-end: the real daemon, real programs, real sockets. Needs root and the BPF tools, so all of it is ignored unless
//! asked for: `cargo xtask test`.

mod amqp;
mod asyncio;
mod budget;
mod causality;
mod connections;
mod dns;
mod fastcgi;
mod faults;
mod grpc;
mod hosts;
mod http1;
mod http2;
mod kafka;
mod lifecycle;
mod load;
mod memcached;
mod mongodb;
mod mysql;
mod observe;
mod openapi;
mod otlp;
mod page;
mod postgresql;
mod redis;
mod senders;
mod shop;
mod silence;
mod trace_command;
mod websocket;
