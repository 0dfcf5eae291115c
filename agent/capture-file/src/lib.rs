//! Comes in: a pcap or pcapng file, unpacked. Goes out: the [`Event`](wirespan_proto::event::Event)s that the sockets
//! at the ends of its connections would have made. Refuses: other files and link types it does not know; guessing
//! what was not captured.
//!
//! # One vantage point, two ends
//!
//! A packet capture is one look at a connection, taken somewhere between its ends. This crate tells it as one end
//! would have seen it; [`Ends`] says which. By default it is the server's: one exchange, one span, of the service
//! that answered. With [`Ends::Both`], both ends are told, and their times are the same: what the network between
//! them cost cannot be known from one capture.
//!
//! * The times are those of the capture. An end's own are earlier or later by the way from there to here.
//! * Who connected is known from the `SYN`. Without it (the capture began later) the lower port is the server's.
//! * A stream is put in order as TCP does it: retransmitted bytes once, early ones when the hole before them fills.
//!   A hole whose bytes the peer acknowledged was not captured, and is not waited for.
//! * There are no processes in a capture. Each address (a server's with its port) stands for one, and no two
//!   connections share a task, so that nothing is linked on the strength of it.
//!
//! Formats: pcap and pcapng as in draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; link types as in
//! <https://www.tcpdump.org/linktypes.html>.
#![forbid(unsafe_code)]

mod capture;
mod conversation;
mod cursor;
mod endpoints;
mod flows;
mod fragments;
mod ip;
mod link;
mod packets;
mod pcap;
mod pcapng;
mod stream;
mod transport;

pub use capture::{Capture, Counters, Ends, Observation};
pub use packets::{Error, Finish, is_capture};
