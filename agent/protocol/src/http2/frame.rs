//! Comes in: bytes at which a frame begins (RFC 9113 section 4.1). Goes out: its header, and whether it can be one.
//! Refuses: lengths and streams that the type does not allow.

use crate::cursor::Cursor;

/// What a client sends first (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of a frame's header, bytes.
pub(super) const HEADER: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
/// RFC 9218 section 7.1.
const PRIORITY_UPDATE: u8 = 16;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 0x20;

/// Longest frame of a connection that is yet to be recognised: gRPC's C core allows 4 MiB of data.
const LIKELY_DATA: u32 = 4 << 20;
/// The same for other frames, which nobody sends longer than the default allows (RFC 9113 section 6.5.2).
const LIKELY_OTHER: u32 = 16 << 10;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of what follows the header, bytes; 24 bits.
    pub(super) length: u32,
    pub(super) kind: u8,
    flags: u8,
    reserved: bool,
    /// 0: the connection.
    pub(super) stream: u32,
}

impl Header {
    /// Reads the header at the front of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (length, kind, flags) = (cursor.u24_be()?, cursor.u8()?, cursor.u8()?);
        let stream = cursor.u32_be()?;
        Some(Self { length, kind, flags, reserved: stream >> 31 == 1, stream: stream & (u32::MAX >> 1) })
    }

    /// Length of the whole frame, bytes.
    pub(super) const fn whole(&self) -> u64 {
        HEADER as u64 + self.length as u64
    }

    /// Is it the stream's last frame of this direction?
    pub(super) const fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// Is the header block complete with it?
    pub(super) const fn ends_block(&self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// Does a byte with the length of the padding come first?
    pub(super) const fn padded(&self) -> bool {
        matches!(self.kind, DATA | HEADERS | PUSH_PROMISE) && self.flags & PADDED != 0
    }

    /// Bytes between that and the header block: a priority, or the stream that is promised.
    pub(super) const fn before_block(&self) -> usize {
        match self.kind {
            HEADERS if self.flags & WITH_PRIORITY != 0 => 5,
            PUSH_PROMISE => 4,
            _ => 0,
        }
    }

    /// Can there be such a frame? What a reader has to ignore (undefined flags, unknown types) does not count.
    pub(super) const fn lawful(&self) -> bool {
        let needed = self.before_block() + if self.padded() { 1 } else { 0 };
        match self.kind {
            DATA | HEADERS | CONTINUATION => self.stream != 0 && self.length as usize >= needed,
            PUSH_PROMISE => self.stream != 0 && self.length as usize >= needed,
            PRIORITY => self.stream != 0 && self.length == 5,
            RST_STREAM => self.stream != 0 && self.length == 4,
            SETTINGS => self.stream == 0 && self.length.is_multiple_of(6),
            PING => self.stream == 0 && self.length == 8,
            GOAWAY => self.stream == 0 && self.length >= 8,
            WINDOW_UPDATE => self.length == 4,
            _ => true,
        }
    }

    /// Is it a frame as programs send them? Decides over bytes of an unknown protocol, where every bit counts.
    pub(super) const fn likely(&self) -> bool {
        let flags = match self.kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | WITH_PRIORITY,
            SETTINGS | PING => 1,
            PUSH_PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            PRIORITY | RST_STREAM | GOAWAY | WINDOW_UPDATE | PRIORITY_UPDATE => 0,
            _ => return false,
        };
        let longest = if self.kind == DATA { LIKELY_DATA } else { LIKELY_OTHER };
        self.lawful() && !self.reserved && self.flags & !flags == 0 && self.length <= longest
    }
}

/// What begins here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A client's preface.
    Preface,
    /// Frames, as far as can be seen.
    Frames,
    /// Possibly one of both; more bytes would tell.
    Partial,
    /// Neither.
    Nothing,
}

/// Looks at the begin of a call.
pub(super) fn shape(bytes: &[u8]) -> Shape {
    match bytes.get(..PREFACE.len()) {
        Some(front) if front == PREFACE => return Shape::Preface,
        None if PREFACE.starts_with(bytes) => return Shape::Partial,
        _ => {}
    }
    let mut rest = bytes;
    let mut number = 0;
    while let Some(header) = Header::read(rest) {
        if !header.likely() {
            return Shape::Nothing;
        }
        number += 1;
        rest = rest.get(header.whole() as usize..).unwrap_or_default();
    }
    match number {
        0 if begins_header(rest) => Shape::Partial,
        0 => Shape::Nothing,
        _ => Shape::Frames,
    }
}

/// Could these few bytes become the header of a likely frame, of the connection or of a stream?
fn begins_header(bytes: &[u8]) -> bool {
    let streams = [0, 1];
    streams.iter().any(|last| {
        // What is missing of type and flags is that of empty data.
        let missing = HEADER.saturating_sub(bytes.len());
        let behind = [0, 0, 0, 0, 0, 0, 0, 0, *last];
        let filled = [bytes, behind.get(HEADER - missing..).unwrap_or_default()].concat();
        Header::read(&filled)
            .is_some_and(|header| header.likely() || bytes.len() < 4 && header.length <= LIKELY_DATA)
    })
}

/// Place of the first of the frames that fill the rest of a call to its last byte, and end a stream there. Behind a
/// hole in the call this finds the way again: that the lengths of what are no frames meet the end is a chance of one
/// to billions.
pub(super) fn last_frames(rest: &[u8]) -> Option<usize> {
    let places = 0..rest.len().saturating_sub(HEADER - 1);
    places.into_iter().find(|place| {
        let mut bytes = rest.get(*place..).unwrap_or_default();
        let mut ends = false;
        while let Some(header) = Header::read(bytes) {
            let Some(behind) = bytes.get(header.whole() as usize..).filter(|_| header.likely()) else {
                return false;
            };
            ends |= header.ends_stream() || header.kind == RST_STREAM;
            bytes = behind;
        }
        ends && bytes.is_empty()
    })
}

/// Longest rest of a call that is searched for its last frames, bytes. The kernel's copy of a call's end is shorter.
pub(super) const MAX_REST: usize = 256;

/// Name of an error code, in lower case (RFC 9113 section 7).
pub(super) const fn error_name(code: u32) -> &'static str {
    match code {
        0 => "no_error",
        1 => "protocol_error",
        2 => "internal_error",
        3 => "flow_control_error",
        4 => "settings_timeout",
        5 => "stream_closed",
        6 => "frame_size_error",
        7 => "refused_stream",
        8 => "cancel",
        9 => "compression_error",
        10 => "connect_error",
        11 => "enhance_your_calm",
        12 => "inadequate_security",
        13 => "http_1_1_required",
        _ => "unknown_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS_FRAME: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
    const TRAILERS: &[u8] = b"\0\0\x02\x01\x05\0\0\0\x01\xbf\xbe";

    #[test]
    fn headers_are_read() {
        let header = Header::read(b"\0\x01\x02\x01\x2d\x80\0\0\x05").unwrap();
        assert_eq!((header.length, header.stream, header.whole()), (258, 5, 267));
        assert!(header.ends_stream() && header.ends_block() && header.padded() && header.reserved);
        assert_eq!(header.before_block(), 5);
        assert_eq!(Header::read(b"\0\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn frames_and_what_only_looks_like_them() {
        assert_eq!(shape(PREFACE), Shape::Preface);
        assert_eq!(shape(SETTINGS_FRAME), Shape::Frames);
        assert_eq!(shape(&[SETTINGS_FRAME, TRAILERS].concat()), Shape::Frames);
        assert_eq!(shape(b"PRI * HT"), Shape::Partial);
        for partial in [&b"\0"[..], b"\0\0", b"\0\0\x06\x04", b"\0\0\x08\x06\0\0\0\0", b"\0\0\x01\x01\x04"] {
            assert_eq!(shape(partial), Shape::Partial, "{}", partial.escape_ascii());
        }
        assert_eq!(shape(b"\0\0\0\x08\x04\xd2\x16\x2f"), Shape::Nothing, "PostgreSQL asks for TLS");
        for wrong in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\0\0\0\x1c\0\x03\0\x01\0\0\0\x05\0\x06client",
            b"\0\0\x05\x04\0\0\0\0\0hello",
            b"\0\0\x08\x06\0\0\0\0\x01\0\0\0\0\0\0\0\0",
            b"\0\0\x04\x03\0\0\0\0\0\0\0\0\x08",
            b"\0\0\x04\0\x02\0\0\0\x01abcd",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        ] {
            assert_ne!(shape(wrong), Shape::Frames, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn the_last_frames_of_a_call_are_found_behind_a_hole() {
        let rest = [&b"the end of a body\0\0\x05"[..], TRAILERS].concat();
        assert_eq!(last_frames(&rest), Some(20));
        assert_eq!(last_frames(TRAILERS), Some(0));
        assert_eq!(last_frames(rest.split_last().unwrap().1), None);
        assert_eq!(last_frames(b"\0\0\0\0\0\0\0"), None);
        assert_eq!(last_frames(b"no frames at all, and no end of any"), None);
    }
}
