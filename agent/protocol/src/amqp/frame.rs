//! Comes in: bytes at which a frame begins (AMQP 0-9-1 specification section 4.2.3). Goes out: its header, and whether
//! it can be one. Refuses: types, channels and methods that the protocol does not have.

use super::method::{self, By};
use crate::cursor::Cursor;

/// What a client sends first (section 4.2.2), and a server that wants another version.
pub(super) const PREFACE: &[u8] = b"AMQP";
/// Length of that, bytes: the name, then protocol and version.
pub(super) const PREFACE_LENGTH: usize = 8;

/// Length of a frame's header, bytes.
pub(super) const HEADER: usize = 7;
/// The byte behind the payload.
const END: u8 = 0xce;

pub(super) const METHOD: u8 = 1;
pub(super) const CONTENT: u8 = 2;
pub(super) const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// Longest payload that is believed. Brokers negotiate 128 KiB unless told otherwise.
const MAX_PAYLOAD: u32 = 128 << 20;
/// Longest method or content header that is believed: names are at most 255 bytes long, tables rarely longer.
const MAX_HEAD: u32 = 1 << 20;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) channel: u16,
    /// Of the payload, bytes.
    pub(super) size: u32,
}

impl Header {
    /// Reads the header at the front of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        Some(Self { kind: cursor.u8()?, channel: cursor.u16_be()?, size: cursor.u32_be()? })
    }

    /// Length of the whole frame, its end included, bytes.
    pub(super) const fn whole(&self) -> u64 {
        HEADER as u64 + self.size as u64 + 1
    }

    /// Can there be such a frame?
    pub(super) const fn lawful(&self) -> bool {
        match self.kind {
            METHOD => self.size >= 4 && self.size <= MAX_HEAD,
            CONTENT => self.channel != 0 && self.size >= 14 && self.size <= MAX_HEAD,
            BODY => self.channel != 0 && self.size <= MAX_PAYLOAD,
            HEARTBEAT => self.channel == 0 && self.size == 0,
            _ => false,
        }
    }

    /// Does the frame's end stand where it belongs? `None` where that byte is not there.
    pub(super) fn ends(&self, bytes: &[u8]) -> Option<bool> {
        let place = usize::try_from(self.whole() - 1).ok()?;
        bytes.get(place).map(|byte| *byte == END)
    }

    /// The payload, as far as it is there.
    pub(super) fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let behind = bytes.get(HEADER..).unwrap_or_default();
        behind.get(..self.size as usize).unwrap_or(behind)
    }
}

/// What begins here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A client's first bytes.
    Preface,
    /// A frame, and who may have written it, where its method tells.
    Frame(Option<By>),
    /// Possibly one of both; more bytes would tell.
    Partial,
    /// Neither.
    Nothing,
}

/// Looks at the begin of a call.
pub(super) fn shape(bytes: &[u8]) -> Shape {
    if bytes.is_empty() {
        return Shape::Nothing;
    }
    if let Some(version) = bytes.strip_prefix(PREFACE) {
        return preface(version);
    }
    match Header::read(bytes) {
        Some(header) if header.lawful() => framed(&header, bytes),
        None if PREFACE.starts_with(bytes) || begins_header(bytes) => Shape::Partial,
        _ => Shape::Nothing,
    }
}

/// What a preface says behind the name: 0-9-1, or 0-9 and 0-8, whose frames are the same. AMQP 1.0 is another protocol.
fn preface(version: &[u8]) -> Shape {
    match version {
        [0, 0, 9, 1, ..] | [1, 1, ..] => Shape::Preface,
        [] | [0] | [0, 0] | [0, 0, 9] | [1] => Shape::Partial,
        _ => Shape::Nothing,
    }
}

fn begins_header(bytes: &[u8]) -> bool {
    matches!(bytes, [METHOD | CONTENT | BODY, ..] | [HEARTBEAT] | [HEARTBEAT, 0, ..])
}

/// A frame is believed by its end, and a method by its numbers.
fn framed(header: &Header, bytes: &[u8]) -> Shape {
    let spoken =
        method::numbers(header.payload(bytes)).map(|numbers| method::find(numbers).map(|spec| spec.by));
    match (header.kind, spoken, header.ends(bytes)) {
        (_, _, Some(false)) | (METHOD, Some(None), _) => Shape::Nothing,
        (METHOD, Some(by), Some(true)) => Shape::Frame(by),
        (METHOD, ..) | (_, _, None) => Shape::Partial,
        _ => Shape::Frame(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_what_only_looks_like_them() {
        let preface = b"AMQP\0\0\x09\x01";
        assert_eq!(shape(preface), Shape::Preface);
        for end in 1..preface.len() {
            assert_eq!(preface.get(..end).map(shape), Some(Shape::Partial), "{end}");
        }
        assert_eq!(shape(b"\x08\0\0\0\0\0\0\xce"), Shape::Frame(None));
        let ok = b"\x01\0\x01\0\0\0\x04\0\x14\0\x29\xce";
        assert_eq!(shape(ok), Shape::Frame(Some(By::Either)));
        assert_eq!(shape(b"\x01\0\x01\0\0\0\x04\0\x3c\0\x48\xce"), Shape::Frame(Some(By::Broker)));
        for end in 1..ok.len() {
            assert_eq!(ok.get(..end).map(shape), Some(Shape::Partial), "{end}");
        }
        for wrong in [
            &b"GET / HTTP/1.1"[..],
            b"AMQP\0\x01\0\0",
            b"AMQP\x03\x01\0\0",
            b"\x01\0\x01\0\0\0\x04\0\x14\0\x29!",
            b"\x01\0\x01\0\0\0\x04\0\x15\0\x29",
        ] {
            assert_eq!(shape(wrong), Shape::Nothing, "{}", wrong.escape_ascii());
        }
    }
}
