//! Comes in: the bytes of a message head, whole or cut. Goes out: its end, its first line, its fields. Refuses:
//! fields of which a part is missing.

use std::borrow::Cow;

use crate::cursor::Cursor;

/// Length of the head with the empty line that ends it, looking from byte `from` on. Lines end with CRLF or LF
/// (RFC 9112 section 2.2).
pub(crate) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    memchr::memchr_iter(b'\n', rest).find_map(|place| match rest.get(place + 1..)? {
        [b'\n', ..] => Some(from + place + 2),
        [b'\r', b'\n', ..] => Some(from + place + 3),
        _ => None,
    })
}

/// The fields of a head, in order: name as it came, value without white space around it.
pub(crate) struct Fields<'a> {
    cursor: Cursor<'a>,
}

/// First line and fields. Of a cut head the last line is left out where it is not complete.
pub(super) fn split(head: &[u8]) -> (&[u8], Fields<'_>) {
    let mut cursor = Cursor::new(head);
    let first = cursor.line();
    match first {
        Some(first) => (first, Fields { cursor }),
        None => (head, Fields { cursor: Cursor::new(&[]) }),
    }
}

/// The fields of a head that has no first line of its own (RFC 3875 section 6.2).
pub(crate) const fn fields(head: &[u8]) -> Fields<'_> {
    Fields { cursor: Cursor::new(head) }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.cursor.line().filter(|line| !line.is_empty())?;
            let mut value = Cow::Borrowed(line);
            while matches!(self.cursor.peek(), Some(b' ' | b'\t')) {
                // obs-fold (RFC 9112 section 5.2): one space stands for the fold.
                let folded = self.cursor.line()?.trim_ascii();
                let value = value.to_mut();
                value.push(b' ');
                value.extend_from_slice(folded);
            }
            if let Some(field) = field(line, value) {
                return Some(field);
            }
        }
    }
}

/// Name and value of a line, which may go on in `unfolded`.
fn field<'a>(line: &'a [u8], unfolded: Cow<'a, [u8]>) -> Option<(&'a [u8], Cow<'a, [u8]>)> {
    let colon = memchr::memchr(b':', line)?;
    let name = line.get(..colon)?;
    let value = match unfolded {
        Cow::Borrowed(line) => Cow::Borrowed(line.get(colon + 1..)?.trim_ascii()),
        Cow::Owned(line) => Cow::Owned(line.get(colon + 1..)?.trim_ascii().to_vec()),
    };
    (!name.is_empty()).then_some((name.trim_ascii_end(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(head: &str) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        split(head.as_bytes()).1.map(|(name, value)| (text(name), text(&value))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_end_is_an_empty_line() {
        assert_eq!(end(b"GET / HTTP/1.1\r\n\r\nbody", 0), Some(18));
        assert_eq!(end(b"GET / HTTP/1.1\n\nbody", 0), Some(16));
        assert_eq!(end(b"GET / HTTP/1.1\r\na: b\n\r\n", 0), Some(23));
        assert_eq!(end(b"GET / HTTP/1.1\r\n\r", 0), None);
        assert_eq!(end(b"", 9), None);
    }

    #[test]
    fn fields_lose_their_white_space() {
        assert_eq!(fields("x\r\nA:b\r\nC :\t d e \r\n\r\nno: more\r\n"), pairs(&[("A", "b"), ("C", "d e")]));
    }

    #[test]
    fn folded_lines_are_joined() {
        assert_eq!(fields("x\nA: b\n  c\n\td\nE: f\n\n"), pairs(&[("A", "b c d"), ("E", "f")]));
    }

    #[test]
    fn half_a_field_is_none() {
        assert_eq!(fields("x\r\nA: b\r\nContent-Length: 12"), pairs(&[("A", "b")]));
        assert_eq!(fields("x\r\nA: b\r\n fol"), pairs(&[]));
        assert_eq!(fields("x\r\nnonsense\r\n: void\r\nA: b\r\n\r\n"), pairs(&[("A", "b")]));
    }
}
