//! Comes in: the bytes of a message head, whole or cut. Goes out: its end, its first line, its fields. Refuses:
//! fields of which a part is missing.

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
    state: State,
}

/// How far a head was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// More fields may come.
    Open,
    /// The empty line was read that ends them.
    Whole,
    /// A value goes on in the next line.
    Folded,
}

/// First line and fields. Of a cut head the last line is left out where it is not complete.
pub(super) fn split(head: &[u8]) -> (&[u8], Fields<'_>) {
    line(head).map_or((head, fields(&[])), |(first, rest)| (first, fields(rest)))
}

/// The fields of a head that has no first line of its own (RFC 3875 section 6.2).
pub(crate) const fn fields(head: &[u8]) -> Fields<'_> {
    Fields { rest: head, state: State::Open }
}

impl<'a> Fields<'a> {
    /// What stands behind the head, where its end was found.
    pub(super) fn behind(&self) -> Option<&'a [u8]> {
        (self.state == State::Whole).then_some(self.rest)
    }

    /// Did reading end before a value of several lines? They are to be [unfolded] first.
    pub(crate) fn is_folded(&self) -> bool {
        self.state == State::Folded
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    // A fifth of what a field costs is the call.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        while self.state == State::Open {
            let (line, rest) = line(self.rest)?;
            self.rest = rest;
            if line.is_empty() {
                self.state = State::Whole;
                break;
            }
            if goes_on(rest) {
                self.state = State::Folded;
                break;
            }
            // Names are short: a loop finds their end sooner than a call that looks at many bytes at once.
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = colon.and_then(|colon| line.split_at_checked(colon)).unwrap_or_default();
            if !name.is_empty() {
                return Some((name.trim_ascii_end(), trimmed(value.get(1..).unwrap_or_default())));
            }
        }
        None
    }
}

/// A head with its first line, and its length in `bytes`, once every value is on one line; see [`unfolded`]. `None` where its
/// end is not there and it was not `cut`.
#[cold]
pub(super) fn unfold(bytes: &[u8], cut: bool) -> Option<(Vec<u8>, usize)> {
    let length = end(bytes, 0).or(cut.then_some(bytes.len()))?;
    let head = bytes.get(..length)?;
    let (_, fields) = line(head)?;
    let first = head.get(..length - fields.len())?;
    Some(([first, &unfolded(fields)].concat(), length))
}

/// The fields of a head with every value on one line: obs-fold (RFC 9112 section 5.2). One space stands for each fold.
#[cold]
pub(crate) fn unfolded(mut fields: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(fields.len() + 2);
    while let Some((line, rest)) = line(fields) {
        if line.is_empty() {
            lines.extend_from_slice(b"\r\n");
            return lines;
        }
        let begin = lines.len();
        lines.extend_from_slice(line);
        fields = rest;
        let folded = goes_on(fields);
        while goes_on(fields) {
            // A field of which a part is missing is left out, with its line end.
            let Some((folded, rest)) = self::line(fields) else { return lines };
            lines.push(b' ');
            lines.extend_from_slice(folded.trim_ascii());
            fields = rest;
        }
        lines.extend_from_slice(b"\r\n");
        // The name of a field stands on its first line.
        if folded && !line.contains(&b':') {
            lines.truncate(begin);
        }
    }
    lines.extend_from_slice(fields);
    lines
}

/// Do these bytes go on with the value of the line before?
const fn goes_on(bytes: &[u8]) -> bool {
    matches!(bytes, [b' ' | b'\t', ..])
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
        let (_, mut fields) = split(head.as_bytes());
        let read = |fields: &mut Fields<'_>| fields.map(|(name, value)| (text(name), text(value))).collect();
        let found = read(&mut fields);
        if !fields.is_folded() {
            return found;
        }
        let (unfolded, _) = unfold(head.as_bytes(), true).unwrap();
        read(&mut split(&unfolded).1)
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
        assert_eq!(fields("x\nA:\n \n\nB: c"), pairs(&[("A", "")]));
        assert_eq!(fields("x\nContent-Length\n :5\nE: f\n\n"), pairs(&[("E", "f")]));
    }

    #[test]
    fn half_a_field_is_none() {
        assert_eq!(fields("x\r\nA: b\r\nContent-Length: 12"), pairs(&[("A", "b")]));
        assert_eq!(fields("x\r\nA: b\r\n fol"), pairs(&[]));
        assert_eq!(fields("x\r\nnonsense\r\n: void\r\nA: b\r\n\r\n"), pairs(&[("A", "b")]));
    }
}
