//! Comes in: the bytes of a message head, whole or cut. Goes out: its end, its first line, its fields. Refuses:
//! fields of which a part is missing.

use std::borrow::Cow;

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
    /// What is not read yet.
    rest: &'a [u8],
    /// Was the empty line read that ends them?
    whole: bool,
}

/// First line and fields. Of a cut head the last line is left out where it is not complete.
pub(super) fn split(head: &[u8]) -> (&[u8], Fields<'_>) {
    line(head).map_or((head, fields(&[])), |(first, rest)| (first, fields(rest)))
}

/// The fields of a head that has no first line of its own (RFC 3875 section 6.2).
pub(crate) const fn fields(head: &[u8]) -> Fields<'_> {
    Fields { rest: head, whole: false }
}

impl<'a> Fields<'a> {
    /// Was the end of the head found?
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// What stands behind the head, where its end was found.
    pub(super) const fn behind(&self) -> Option<&'a [u8]> {
        if self.whole { Some(self.rest) } else { None }
    }

    /// A value that goes on in the next lines: obs-fold (RFC 9112 section 5.2). One space stands for each fold.
    #[cold]
    fn unfold(&mut self, value: &[u8]) -> Option<Cow<'a, [u8]>> {
        let mut whole = value.trim_ascii_start().to_vec();
        while self.goes_on() {
            let (folded, rest) = line(self.rest)?;
            self.rest = rest;
            whole.push(b' ');
            whole.extend_from_slice(folded.trim_ascii());
        }
        Some(Cow::Owned(whole.trim_ascii().to_vec()))
    }

    const fn goes_on(&self) -> bool {
        matches!(self.rest, [b' ' | b'\t', ..])
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Cow<'a, [u8]>);

    // A fifth of what a field costs is the call.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, rest) = line(self.rest).filter(|_| !self.whole)?;
            (self.rest, self.whole) = (rest, line.is_empty());
            if self.whole {
                return None;
            }
            // Names are short: a loop finds their end sooner than a call that looks at many bytes at once.
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = colon.and_then(|colon| line.split_at_checked(colon)).unwrap_or_default();
            let value = value.get(1..).unwrap_or_default();
            let value = if self.goes_on() { self.unfold(value)? } else { Cow::Borrowed(trimmed(value)) };
            if !name.is_empty() {
                return Some((name.trim_ascii_end(), value));
            }
        }
    }
}

/// A value without white space around it: as a rule one space stands before it.
fn trimmed(value: &[u8]) -> &[u8] {
    match value {
        [b' ', rest @ ..] if matches!(rest, [first, .., last] if *first > b' ' && *last > b' ') => rest,
        _ => value.trim_ascii(),
    }
}

/// The first line, without its LF or CRLF, and what stands behind it. `None` where it is not complete.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr::memchr(b'\n', bytes)?)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()))
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
