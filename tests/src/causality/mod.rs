//! Comes in: a program in its real runtime under an open-loop load, the spans that the daemon printed of it, and the
//! truth that every party wrote to files of its own. Goes out: how many links are right, by method, and how honest their
//! confidence is. Refuses: ids on the wire.
//!
//! **How the truth is known.** Each party (load generator, program, backend) writes a line for each message: local and
//! peer address, start and end, and for a call which request of the same process caused it. A connection and the place
//! of a message on it name the message on both of its ends and in its spans, so nothing has to be put into the bytes.
//! Proxies write no such file. The backend names the connection it was asked on in its answer (`X-Seen`, per connection
//! and in the answer only, hence of no use for linking a request), and the proxy's own access log joins that with the
//! connection of its client.
//!
//! **How the rig itself is checked.** In echo mode each request has a token of its own, which its calls carry: a link of
//! the truth whose two spans bear different tokens ends the run with an error.
//!
//! **What is counted.** A *link* is a call that a request caused: its right parent is the server span of that request.
//! `wire` links, from a server span to the client span at the other end, are counted apart. A call of a background job
//! has no parent; one that has is *adopted*. A call made after the answer may be an orphan, since a context ends with
//! the answer; a wrong parent is wrong all the same.

pub mod align;
pub mod backend;
pub mod dice;
pub mod join;
pub mod load;
pub mod proxies;
pub mod recorded;
pub mod report;
pub mod run;
pub mod runtimes;
pub mod score;
pub mod truth;
