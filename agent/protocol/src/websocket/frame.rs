//! Comes in: bytes at which a frame begins (RFC 6455 section 5.2). Goes out: what its header says. Refuses: headers that
//! the standard does not allow.

use crate::cursor::Cursor;

const CLOSE: u8 = 8;
const PONG: u8 = 10;
/// Longest header, bytes.
pub(super) const MAX_HEADER: usize = 14;

/// A frame's header, and the code of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of header and payload together, bytes.
    pub(super) whole: u64,
    /// Payload, bytes.
    pub(super) length: u64,
    /// The message is complete with it.
    pub(super) last: bool,
    /// Opcodes from 8 on.
    pub(super) control: bool,
    /// The session ends.
    pub(super) closes: bool,
    /// Status of a close frame (section 7.4), where it has one.
    pub(super) code: Option<u16>,
}

/// What begins here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A frame.
    Frame(Header),
    /// Possibly one; more bytes would tell.
    Partial,
    /// None.
    Nothing,
}

/// Looks at the front of `bytes`. `masked`: as a client's frames are, and no others (section 5.1).
pub(super) fn start(bytes: &[u8], masked: bool) -> Start {
    let mut cursor = Cursor::new(bytes);
    let Some([first, second]) = cursor.array() else { return Start::Partial };
    let (last, opcode, control) = (first & 0x80 != 0, first & 0xf, first & 8 != 0);
    // Of the three bits for extensions one is in use: compression (RFC 7692).
    let lawful =
        first & 0x30 == 0 && matches!(opcode, 0..=2 | CLOSE..=PONG) && (second & 0x80 != 0) == masked;
    if !lawful || (control && (!last || second & 0x7f > 125)) {
        return Start::Nothing;
    }
    let length = match second & 0x7f {
        126 => cursor.u16_be().map(u64::from),
        127 => cursor.u64_be(),
        short => Some(short.into()),
    };
    let Some(length) = length else { return Start::Partial };
    let least = match second & 0x7f {
        126 => 126,
        127 => 1 << 16,
        _ => 0,
    };
    if length < least || length > MAX_LENGTH {
        return Start::Nothing;
    }
    let mask = if masked { cursor.array::<4>() } else { Some([0; 4]) };
    let place = cursor.place() as u64;
    let (closes, wants) = (opcode == CLOSE, opcode == CLOSE && length >= 2);
    let code = cursor.array::<2>().filter(|_| wants);
    match (mask, code) {
        (Some(_), None) if wants => Start::Partial,
        (Some([a, b, ..]), code) => {
            let code = code.map(|[high, low]| u16::from_be_bytes([high ^ a, low ^ b]));
            Start::Frame(Header { whole: place + length, length, last, control, closes, code })
        }
        (None, _) => Start::Partial,
    }
}

/// Longer payloads (1 TiB) are none: 63 bits are allowed, which nobody sends.
const MAX_LENGTH: u64 = 1 << 40;

/// Do frames begin here, as far as can be seen?
pub(super) fn plausible(bytes: &[u8], masked: bool) -> bool {
    let mut rest = bytes;
    let mut number = 0;
    loop {
        match start(rest, masked) {
            Start::Frame(header) => {
                let behind = usize::try_from(header.whole).ok().and_then(|whole| rest.get(whole..));
                rest = behind.unwrap_or_default();
                number += 1;
            }
            Start::Partial => return number > 0,
            Start::Nothing => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: &[u8], masked: bool) -> Header {
        match start(bytes, masked) {
            Start::Frame(header) => header,
            other => panic!("{other:?}"),
        }
    }

    /// RFC 6455 section 5.7.
    #[test]
    fn frames_of_the_standard() {
        let hello = header(b"\x81\x05Hello", false);
        assert_eq!((hello.whole, hello.length, hello.last, hello.control), (7, 5, true, false));
        let masked = header(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", true);
        assert_eq!((masked.whole, masked.length), (11, 5));
        assert!(!header(b"\x01\x03Hel", false).last);
        assert_eq!(header(b"\x82\x7e\x01\x00", false).whole, 260);
        assert_eq!(header(b"\x82\x7f\0\0\0\0\0\x01\0\0", false).length, 65_536);
        assert!(header(b"\x89\x05Hello", false).control);
    }

    #[test]
    fn close_codes() {
        assert_eq!(header(b"\x88\x02\x03\xe8", false).code, Some(1000));
        assert_eq!(header(b"\x88\x82\x01\x02\x03\x04\x02\xeb", true).code, Some(1001));
        assert_eq!(header(b"\x88\0", false).code, None);
        assert_eq!(start(b"\x88\x02\x03", false), Start::Partial);
    }

    #[test]
    fn what_is_no_frame() {
        for wrong in [
            &b"\x83\0"[..],
            b"\x91\0",
            b"\x08\0",
            b"\x89\x7e\0\x7e",
            b"\x81\x85",
            b"\x82\x7e\0\x05",
            b"GET / HTTP",
        ] {
            assert_eq!(start(wrong, false), Start::Nothing, "{}", wrong.escape_ascii());
        }
        assert!(plausible(b"\x81\x01a\x82\x01b", false) && !plausible(b"\x81\x01a\xff\0", false));
    }
}
