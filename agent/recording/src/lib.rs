//! Comes in: [`Event`](wirespan_proto::event::Event)s and what the host said about its processes. Goes out: a file,
//! and the same again from that file, on any machine, by any later version. Refuses: a file of a newer format, and
//! lengths that a file claims beyond what a record may have.
//!
//! # The file
//!
//! A series of gzip members (RFC 1952), so that `zcat` reads it and a file that was cut is good up to its last whole
//! member, and mostly beyond. Unpacked, all numbers little-endian:
//!
//! ```text
//! header   magic "WIRESPAN" (8)  version u16  length of what follows u16  identity (16)
//! record   kind u16  length u32  payload
//! record   …
//! ```
//!
//! Records stand in the order of time. A payload is its fields in the order of the code in this crate, with nothing
//! between them. What makes old files replay for ever:
//!
//! * A reader steps over kinds that it does not know, by their length, and over bytes behind the last field it knows.
//! * A field is never taken out, moved or given another meaning. A new one is put last, and reads as its default
//!   where a file ends before it.
//! * A number that stands for a choice (transport, change, …) keeps its meaning. A record with one that is not known
//!   is stepped over as a whole.
//! * The version in the header counts what cannot be done so. It has never been needed: it is 1.
#![forbid(unsafe_code)]

mod event;
mod fact;
mod field;
mod reader;
mod record;
mod writer;

pub use fact::{End, Fact, Process, Start};
pub use reader::{Error, Finish, Next, Reader, is_recording, unpacked};
pub use record::Record;
pub use writer::{Chunk, header, pack};

/// The format that this crate writes, and the newest that it reads.
pub const VERSION: u16 = 1;

/// First bytes of an unpacked recording.
pub const MAGIC: [u8; 8] = *b"WIRESPAN";

/// Longest payload of a record that is read, bytes. The longest that is written is an exec event or a command line,
/// some hundred KiB.
pub const MAX_PAYLOAD: usize = 1 << 20;
