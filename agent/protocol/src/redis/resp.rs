//! Comes in: bytes of either direction. Goes out: one element of RESP2 or RESP3 at a time, values by their length.
//! Refuses: recursion (who reads counts what is left), lengths with a sign or more than 18 digits, streamed strings and
//! aggregates, which no server sends.
//!
//! Layout: Redis serialization protocol specification (RESP2, RESP3).

use crate::{
    attributes::{decimal, is_number},
    cursor::Cursor,
};

/// Longest line, bytes: types of one line hold a number, a status or an error.
const MAX_LINE: usize = 8 << 10;

/// An element, the elements of an aggregate not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// A type that ends with its line (`+ - : _ , # (`, and the null of RESP2), and its text.
    Line(u8, &'a [u8]),
    /// A string of that many bytes (`$ ! =`); they and a line end follow.
    Text(u8, u64),
    /// An aggregate (`* ~ % > |`) of that many elements: twice the pairs of a map.
    Many(u8, u64),
}

/// What stands at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read<'a> {
    /// An element; its line has that many bytes.
    Element(Element<'a>, usize),
    /// More bytes would tell.
    Partial,
    /// Nothing of RESP.
    Invalid,
}

/// What scanning a message came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// It is complete behind so many bytes.
    Done(usize),
    /// So many bytes belong to it, some of which are not there yet.
    Pass(u64),
    /// So many bytes belong to it; the next ones are incomplete.
    Partial(usize),
    /// It is none.
    Invalid,
}

/// The element at the front.
pub(super) fn element(bytes: &[u8]) -> Read<'_> {
    let Some(kind) = bytes.first().copied() else { return Read::Partial };
    if !matches!(
        kind,
        b'+' | b'-'
            | b':'
            | b'_'
            | b','
            | b'#'
            | b'('
            | b'$'
            | b'!'
            | b'='
            | b'*'
            | b'~'
            | b'%'
            | b'>'
            | b'|'
    ) {
        return Read::Invalid;
    }
    let mut cursor = Cursor::new(bytes.get(..MAX_LINE).unwrap_or(bytes));
    match cursor.until(b'\n') {
        None if bytes.len() < MAX_LINE => Read::Partial,
        None => Read::Invalid,
        Some(line) => match line.strip_suffix(b"\r").and_then(|line| typed(kind, line.get(1..)?)) {
            Some(element) => Read::Element(element, cursor.place()),
            None => Read::Invalid,
        },
    }
}

fn typed(kind: u8, text: &[u8]) -> Option<Element<'_>> {
    let length = || decimal(text);
    let signed = || is_number(text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text));
    match kind {
        b'+' | b'-' => Some(Element::Line(kind, text)),
        b':' => signed().then_some(Element::Line(kind, text)),
        b'#' => matches!(text, b"t" | b"f").then_some(Element::Line(kind, text)),
        b'_' => text.is_empty().then_some(Element::Line(kind, text)),
        b',' | b'(' => (!text.is_empty()).then_some(Element::Line(kind, text)),
        b'$' | b'*' if text == b"-1" => Some(Element::Line(b'_', b"")),
        b'$' | b'!' | b'=' => length().map(|length| Element::Text(kind, length)),
        b'%' | b'|' => length().map(|pairs| Element::Many(kind, 2 * pairs)),
        _ => length().map(|number| Element::Many(kind, number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read() {
        let is = |bytes: &'static [u8], element| {
            let line = memchr::memchr(b'\n', bytes).expect("a line") + 1;
            assert_eq!(super::element(bytes), Read::Element(element, line));
        };
        is(b"+OK\r\n$", Element::Line(b'+', b"OK"));
        is(b"-ERR no\r\n", Element::Line(b'-', b"ERR no"));
        is(b":-12\r\n", Element::Line(b':', b"-12"));
        is(b":-9223372036854775808\r\n", Element::Line(b':', b"-9223372036854775808"));
        is(b"$5\r\nhello\r\n", Element::Text(b'$', 5));
        is(b"$-1\r\n", Element::Line(b'_', b""));
        is(b"*2\r\n", Element::Many(b'*', 2));
        is(b"*-1\r\n", Element::Line(b'_', b""));
        is(b"_\r\n", Element::Line(b'_', b""));
        is(b",1.5e3\r\n", Element::Line(b',', b"1.5e3"));
        is(b"#t\r\n", Element::Line(b'#', b"t"));
        is(b"(34928\r\n", Element::Line(b'(', b"34928"));
        is(b"!9\r\nERR wrong\r\n", Element::Text(b'!', 9));
        is(b"=7\r\ntxt:abc\r\n", Element::Text(b'=', 7));
        is(b"~3\r\n", Element::Many(b'~', 3));
        is(b"%3\r\n", Element::Many(b'%', 6));
        is(b">2\r\n", Element::Many(b'>', 2));
        is(b"|1\r\n", Element::Many(b'|', 2));
    }

    #[test]
    fn half_a_line_waits_and_nonsense_does_not() {
        for partial in [&b""[..], b"$", b"$12", b"$12\r", b"+anything"] {
            assert_eq!(element(partial), Read::Partial);
        }
        for wrong in
            [&b"GET\r\n"[..], b"$x\r\n", b"$-2\r\n", b":\r\n", b"#x\r\n", b"*?\r\n", b"$5\n", b"\r\n"]
        {
            assert_eq!(element(wrong), Read::Invalid, "{wrong:?}");
        }
        assert_eq!(element(b"$9999999999999999999\r\n"), Read::Invalid);
        assert_eq!(element(&[b'+'; MAX_LINE]), Read::Invalid);
    }
}
