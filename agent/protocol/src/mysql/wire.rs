//! Comes in: bytes at which a packet may begin. Goes out: its header, and the integers and texts inside (MySQL Internals,
//! "Protocol Basics"; MariaDB, "0 - Packet"). Refuses: nothing; what is not there is `None`.

use crate::cursor::Cursor;

/// Bytes before a packet's payload: three for its length, one for its number.
pub(super) const HEADER: usize = 4;

/// Bytes before the payload where the protocol is compressed: three more for the length before compression.
pub(super) const COMPRESSED_HEADER: usize = 7;

/// A payload of this length goes on in the next packet.
pub(super) const MAX_PAYLOAD: u32 = 0xff_ffff;

/// The begin of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the payload.
    pub(super) length: u32,
    /// Counts the packets of a command and its answer, from 0, modulo 256.
    pub(super) sequence: u8,
}

impl Header {
    /// Bytes of the whole packet.
    pub(super) const fn total(self) -> u64 {
        HEADER as u64 + self.length as u64
    }

    /// Does the payload go on in the next packet?
    pub(super) const fn continues(self) -> bool {
        self.length == MAX_PAYLOAD
    }
}

/// Reads the header. `None` where bytes are missing.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let mut cursor = Cursor::new(bytes);
    Some(Header { length: cursor.u24_le()?, sequence: cursor.u8()? })
}

/// A length-encoded integer; NULL (`0xfb`) and errors (`0xff`) are none.
pub(super) fn integer(cursor: &mut Cursor<'_>) -> Option<u64> {
    match cursor.u8()? {
        small @ 0..=0xfa => Some(small.into()),
        0xfc => cursor.u16_le().map(u64::from),
        0xfd => cursor.u24_le().map(u64::from),
        0xfe => cursor.u64_le(),
        0xfb | 0xff => None,
    }
}

/// A length-encoded text.
pub(super) fn text<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = integer(cursor)?;
    cursor.take(usize::try_from(length).ok()?)
}

/// Longest packet by which the end of a response is found in the last bytes of a call.
const MAX_END: usize = 60;

/// Where in the last bytes of a call the packet begins that ends a response: EOF, OK in its place, or an error.
pub(super) fn response_end(call: &[u8]) -> Option<usize> {
    let least = call.len().checked_sub(HEADER + 5)?;
    (call.len().saturating_sub(MAX_END)..=least).rev().find(|place| {
        let packet = call.get(*place..).unwrap_or_default();
        let fits = header(packet).is_some_and(|header| header.total() == packet.len() as u64);
        fits && ends(packet.get(HEADER..).unwrap_or_default())
    })
}

/// Does a payload behind rows end them? EOF has 5 bytes, OK at least 7.
pub(super) fn ends(payload: &[u8]) -> bool {
    match payload {
        [0xfe, rest @ ..] => rest.len() == 4 || rest.len() >= 6,
        [0xff, _, _, b'#', state @ ..] => {
            state.len() >= 5 && state.iter().take(5).all(u8::is_ascii_alphanumeric)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_four_lengths() {
        for (bytes, expected) in [
            (&[250][..], Some(250)),
            (&[0xfc, 1, 2], Some(0x0201)),
            (&[0xfd, 1, 2, 3], Some(0x03_0201)),
            (&[0xfe, 1, 0, 0, 0, 0, 0, 0, 0], Some(1)),
            (&[0xfb], None),
            (&[0xfc, 1], None),
        ] {
            assert_eq!(integer(&mut Cursor::new(bytes)), expected);
        }
    }

    #[test]
    fn ends_are_found_from_behind() {
        let row = [3, 0, 0, 9, 2, b'a', b'b'];
        let eof = [5, 0, 0, 10, 0xfe, 0, 0, 2, 0];
        let ok = [7, 0, 0, 10, 0xfe, 0, 0, 2, 0, 0, 0];
        assert_eq!(response_end(&[&row[..], &eof].concat()), Some(7));
        assert_eq!(response_end(&[&row[..], &ok].concat()), Some(7));
        assert_eq!(response_end(&row), None);
    }
}
