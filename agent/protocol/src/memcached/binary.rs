//! The binary protocol (memcached, `doc/protocol-binary.txt`): a header of 24 bytes, extras, key, value. Comes in:
//! bytes. Goes out: commands and answers, and how many bytes of a value follow. Refuses: headers that contradict
//! themselves.

use super::{
    Parsed,
    command::{self, Answer, Command, End, Failure, Tag},
};
use crate::{cursor::Cursor, pipeline::Joined};

/// First byte of a request.
pub(super) const REQUEST: u8 = 0x80;
/// First byte of a response.
pub(super) const RESPONSE: u8 = 0x81;

/// Longest key, bytes.
const MAX_KEY: usize = 250;

/// Largest body, bytes: values are at most 1 GiB (`-I`).
const MAX_BODY: u64 = (1 << 30) + 4096;

const STATS: u8 = 0x10;

struct Header {
    opcode: u8,
    extras: usize,
    key: usize,
    status: u16,
    body: u64,
    opaque: u32,
}

fn header(cursor: &mut Cursor<'_>) -> Option<Header> {
    let _magic = cursor.u8()?;
    let opcode = cursor.u8()?;
    let key = cursor.u16_be()?.into();
    let extras = cursor.u8()?.into();
    let kind = cursor.u8()?;
    // Of a request: the bucket.
    let status = cursor.u16_be()?;
    let body = cursor.u32_be()?.into();
    let opaque = cursor.u32_be()?;
    let _version = cursor.u64_be()?;
    let header = Header { opcode, extras, key, status, body, opaque };
    (kind == 0 && key <= MAX_KEY && body <= MAX_BODY && (extras + key) as u64 <= body).then_some(header)
}

/// Bytes of a header.
const HEADER: usize = 24;

/// A request: header, extras and key; the value follows. With `cut` it is told without the key that is not there.
pub(super) fn request(bytes: &[u8], cut: bool, max_text: usize) -> Parsed<Command> {
    let mut cursor = Cursor::new(bytes);
    if bytes.len() < HEADER {
        return Parsed::Partial;
    }
    let Some(header) = header(&mut cursor) else { return Parsed::Invalid };
    let Some((name, _)) = operation(header.opcode).filter(|(_, extras)| extras.contains(&header.extras))
    else {
        return Parsed::Invalid;
    };
    match cursor.take(header.extras).and_then(|_| cursor.take(header.key)) {
        Some(key) => {
            let command = header.command(name, key, max_text);
            Parsed::Done(command, cursor.place(), header.value())
        }
        None if cut => Parsed::Cut(header.command(name, &[], max_text)),
        None => Parsed::Partial,
    }
}

impl Header {
    /// Bytes behind the key.
    fn value(&self) -> u64 {
        self.body - (self.extras + self.key) as u64
    }

    fn tag(&self) -> Tag {
        Tag { opcode: self.opcode, opaque: self.opaque }
    }

    fn command(&self, name: &'static str, key: &[u8], max_text: usize) -> Command {
        let keys = std::iter::once(key).filter(|key| !key.is_empty());
        let shows_value = self.value() > 0 || matches!(name.trim_end_matches('q'), "incr" | "decr");
        Command {
            name: name.into(),
            text: command::text(name, keys, shows_value, max_text),
            silent: matches!(name, "quit" | "quitq"),
            quiet: name.ends_with('q'),
            end: End::Same(self.tag()),
            joined: Joined::default(),
            error: None,
        }
    }
}

/// A response's header; extras, key and value follow.
pub(super) fn answer(bytes: &[u8]) -> Parsed<Answer> {
    let mut cursor = Cursor::new(bytes);
    if bytes.len() < HEADER {
        return Parsed::Partial;
    }
    let Some(header) = header(&mut cursor).filter(|header| operation(header.opcode).is_some()) else {
        return Parsed::Invalid;
    };
    // Statistics come one a response, and end with an empty one.
    let last = header.opcode != STATS || header.key == 0;
    let error = failure(header.status);
    let answer = Answer { last, mark: false, tag: Some(header.tag()), error };
    Parsed::Done(answer, cursor.place(), header.body)
}

/// Name of an operation, and how many bytes its extras may have.
fn operation(opcode: u8) -> Option<(&'static str, &'static [usize])> {
    Some(match opcode {
        0x00 => ("get", &[0]),
        0x01 => ("set", &[8]),
        0x02 => ("add", &[8]),
        0x03 => ("replace", &[8]),
        0x04 => ("delete", &[0]),
        0x05 => ("incr", &[20]),
        0x06 => ("decr", &[20]),
        0x07 => ("quit", &[0]),
        0x08 => ("flush", &[0, 4]),
        0x09 => ("getq", &[0]),
        0x0a => ("noop", &[0]),
        0x0b => ("version", &[0]),
        0x0c => ("getk", &[0]),
        0x0d => ("getkq", &[0]),
        0x0e => ("append", &[0]),
        0x0f => ("prepend", &[0]),
        STATS => ("stat", &[0]),
        0x11 => ("setq", &[8]),
        0x12 => ("addq", &[8]),
        0x13 => ("replaceq", &[8]),
        0x14 => ("deleteq", &[0]),
        0x15 => ("incrq", &[20]),
        0x16 => ("decrq", &[20]),
        0x17 => ("quitq", &[0]),
        0x18 => ("flushq", &[0, 4]),
        0x19 => ("appendq", &[0]),
        0x1a => ("prependq", &[0]),
        0x1b => ("verbosity", &[4]),
        0x1c => ("touch", &[4]),
        0x1d => ("gat", &[4]),
        0x1e => ("gatq", &[4]),
        0x20 => ("sasl_list_mechs", &[0]),
        0x21 => ("sasl_auth", &[0]),
        0x22 => ("sasl_step", &[0]),
        0x23 => ("gatk", &[4]),
        0x24 => ("gatkq", &[4]),
        _ => return None,
    })
}

/// Statuses that are failures. That there is no such key, or already one, is an answer.
fn failure(status: u16) -> Option<Failure> {
    let words = match status {
        0x03 => "value too large",
        0x04 => "invalid arguments",
        0x06 => "incr or decr of a value that is no number",
        0x20 => "authentication error",
        0x81 => "unknown command",
        0x82 => "out of memory",
        0x83 => "not supported",
        0x84 => "internal error",
        0x85 => "busy",
        0x86 => "temporary failure",
        _ => return None,
    };
    Some(Failure(format!("0x{status:04x}").into(), Some(words.to_owned())))
}
