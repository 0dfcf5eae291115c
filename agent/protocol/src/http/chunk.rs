//! Comes in: bytes at which a chunk begins (RFC 9112 section 7.1). Goes out: its size. Refuses: what is no size.

use crate::cursor::Cursor;

/// What stands at the begin of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Size of the chunk, and length of the line that tells it.
    Size(u64, usize),
    /// More bytes would tell.
    Partial,
    /// No size.
    Invalid,
}

/// Reads the line with the size. Behind the `first` chunk the end of the one before comes first.
pub(super) fn line(bytes: &[u8], first: bool) -> Line {
    let mut cursor = Cursor::new(bytes);
    if !first && cursor.literal(b"\r\n").or_else(|| cursor.literal(b"\n")).is_none() {
        return if b"\r\n".starts_with(bytes) { Line::Partial } else { Line::Invalid };
    }
    let digits = cursor.rest().iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = cursor.take(digits).and_then(size);
    match (size, cursor.peek()) {
        (_, None) if digits <= MAX_DIGITS => Line::Partial,
        (Some(size), Some(b'\r' | b'\n' | b';' | b' ' | b'\t')) => match cursor.until(b'\n') {
            Some(_) => Line::Size(size, cursor.place()),
            None => Line::Partial,
        },
        _ => Line::Invalid,
    }
}

/// A chunk of more than 2^60 bytes is none.
const MAX_DIGITS: usize = 15;

fn size(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.len() <= MAX_DIGITS)?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_and_without_extensions() {
        assert_eq!(line(b"1a\r\nxx", true), Line::Size(26, 4));
        assert_eq!(line(b"\r\n0;a=\"b\"\r\n\r\n", false), Line::Size(0, 11));
        assert_eq!(line(b"\nF\n", false), Line::Size(15, 3));
    }

    #[test]
    fn parts_wait() {
        for part in [&b""[..], b"1", b"1\r", b"1;ext"] {
            assert_eq!(line(part, true), Line::Partial, "{}", part.escape_ascii());
        }
        for part in [&b""[..], b"\r", b"\r\n", b"\n"] {
            assert_eq!(line(part, false), Line::Partial, "{}", part.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_size() {
        for wrong in [&b"\r\n"[..], b"x\r\n", b"-1\r\n", b"10000000000000000\r\n"] {
            assert_eq!(line(wrong, true), Line::Invalid, "{}", wrong.escape_ascii());
        }
        assert_eq!(line(b"5\r\n", false), Line::Invalid);
    }
}
