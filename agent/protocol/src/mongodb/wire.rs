//! Comes in: bytes where a message may begin. Goes out: its header, and whether what follows fits (MongoDB wire protocol:
//! a header of four little-endian numbers, then what the opcode says). Refuses: messages longer than servers take.

use std::ops::RangeInclusive;

use super::bson;
use crate::{cursor::Cursor, protocol::Detection};

/// Length of a header, bytes.
pub(super) const HEADER: usize = 16;
/// `maxMessageSizeBytes` of every server.
const MAX_LENGTH: u32 = 48_000_000;
/// Of a message: no content is shorter than OP_COMPRESSED's own numbers.
const LENGTHS: RangeInclusive<u32> = HEADER as u32 + 9..=MAX_LENGTH;
/// Names of databases, collections and commands are shorter.
const MAX_NAME: usize = 256;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    /// OP_REPLY, 1: answers OP_QUERY.
    Reply,
    /// OP_QUERY, 2004: today the first hello alone.
    Query,
    /// OP_COMPRESSED, 2012: any other, compressed.
    Compressed,
    /// OP_MSG, 2013.
    Message,
}

/// The begin of every message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Of the whole message, bytes.
    pub(super) length: u32,
    pub(super) id: u32,
    /// Id of the message that this one answers; 0 where it asks.
    pub(super) answers: u32,
    pub(super) opcode: Opcode,
}

impl Header {
    /// Does a server say this?
    pub(super) const fn is_answer(&self) -> bool {
        self.answers != 0 || matches!(self.opcode, Opcode::Reply)
    }
}

/// The header at the front, where there is one.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let mut cursor = Cursor::new(bytes);
    let length = cursor.u32_le().filter(|length| LENGTHS.contains(length))?;
    let (id, answers) = (cursor.u32_le()?, cursor.u32_le()?);
    Some(Header { length, id, answers, opcode: opcode(cursor.u32_le()?)? })
}

const fn opcode(code: u32) -> Option<Opcode> {
    Some(match code {
        1 => Opcode::Reply,
        2004 => Opcode::Query,
        2012 => Opcode::Compressed,
        2013 => Opcode::Message,
        _ => return None,
    })
}

/// Could a message begin so?
pub(super) fn look(bytes: &[u8]) -> Detection {
    let Some(header) = header(bytes) else {
        let may_be = Cursor::new(bytes).u32_le().is_none_or(|length| LENGTHS.contains(&length));
        return if bytes.len() < HEADER && may_be { Detection::Unsure } else { Detection::NotForUs };
    };
    let mut cursor = Cursor::new(bytes.get(HEADER..).unwrap_or_default());
    let room = header.length - HEADER as u32;
    let fits = match header.opcode {
        Opcode::Message => message(&mut cursor, room),
        Opcode::Query => query(&mut cursor),
        Opcode::Reply => reply(&mut cursor, room),
        Opcode::Compressed => compressed(&mut cursor),
    };
    match fits {
        Some(true) => Detection::Certain,
        Some(false) => Detection::NotForUs,
        None => Detection::Unsure,
    }
}

/// Flags, then a section: a document, or a named run of them. `None` where more bytes would tell.
fn message(cursor: &mut Cursor<'_>, room: u32) -> Option<bool> {
    let (flags, kind, length) = (cursor.u32_le()?, cursor.u8()?, cursor.u32_le()?);
    // checksumPresent and moreToCome; the other low bits are refused by every server, of the high ones exhaustAllowed is used.
    if flags & !0x1_0003 != 0 || kind > 1 || length < bson::LEAST || length > room - bson::LEAST {
        return Some(false);
    }
    if kind == 0 && !bson::is_kind(cursor.u8()?) {
        return Some(false);
    }
    name(cursor)
}

/// OP_QUERY: flags, then the full name of a collection.
fn query(cursor: &mut Cursor<'_>) -> Option<bool> {
    cursor.u32_le()?;
    name(cursor)
}

/// OP_REPLY: flags, cursor, where it starts, number of documents, then those.
fn reply(cursor: &mut Cursor<'_>, room: u32) -> Option<bool> {
    let flags = cursor.u32_le()?;
    cursor.take(12)?;
    let (count, length) = (cursor.u32_le()?, cursor.u32_le()?);
    Some(flags < 16 && count <= room / bson::LEAST && (bson::LEAST..room).contains(&length))
}

/// OP_COMPRESSED: the opcode, the length when it is not compressed, and how it is compressed.
fn compressed(cursor: &mut Cursor<'_>) -> Option<bool> {
    let (original, length, compressor) = (cursor.u32_le()?, cursor.u32_le()?, cursor.u8()?);
    Some(opcode(original).is_some() && length <= MAX_LENGTH && compressor <= 3)
}

/// A name and the byte that ends it.
fn name(cursor: &mut Cursor<'_>) -> Option<bool> {
    let rest = cursor.rest();
    let known = rest.get(..MAX_NAME).unwrap_or(rest);
    match known.iter().position(|byte| !byte.is_ascii_graphic()) {
        Some(end) => Some(end > 0 && known.get(end) == Some(&0)),
        None if known.len() == MAX_NAME => Some(false),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] =
        b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";

    #[test]
    fn a_message_is_known_when_its_first_name_is_there() {
        assert_eq!(HELLO.len(), 0x34);
        for length in 1..32 {
            assert_eq!(HELLO.get(..length).map(look), Some(Detection::Unsure), "{length}");
        }
        assert_eq!(HELLO.get(..32).map(look), Some(Detection::Certain));
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let with = |place: usize, byte: u8| {
            let mut bytes = HELLO.to_vec();
            *bytes.get_mut(place).unwrap() = byte;
            look(&bytes)
        };
        for (place, byte) in [(3, 4), (12, 0xdc), (16, 4), (20, 2), (24, 1), (25, 0x20), (26, b' ')] {
            assert_eq!(with(place, byte), Detection::NotForUs, "{place}");
        }
        assert_eq!(with(8, 9), Detection::Certain, "an answer");
    }
}
