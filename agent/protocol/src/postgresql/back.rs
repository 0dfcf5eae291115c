//! Comes in: a server's message. Goes out: what it answers. Refuses: rows, keys and texts of errors; only their number
//! and the error's code are kept.

use smol_str::SmolStr;

use crate::cursor::Cursor;

/// A server's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What follows is encrypted.
    Encrypted,
    /// What follows is not encrypted.
    Refused,
    /// So many rows.
    Rows(u64),
    /// Bytes of COPY, or something that answers nobody.
    Aside,
    /// A part of the request is done.
    Step,
    /// Its statement was prepared.
    Parsed,
    /// Rows of described columns follow.
    Fields,
    /// A statement is done.
    Complete(Tag),
    /// COPY begins: from the client, or to it.
    Copying { out: bool },
    /// The replication stream begins.
    Replicating,
    /// It failed, with this SQLSTATE.
    Failed(SmolStr),
    /// The group is over.
    Ready,
    /// Whether a backslash is just a backslash in plain strings from now on.
    Conforming(bool),
}

/// What a statement did (CommandComplete).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tag {
    /// `SELECT`, `INSERT`, `CREATE TABLE`, …
    pub(super) operation: SmolStr,
    /// Rows.
    pub(super) rows: Option<u64>,
}

/// Reads a message of this kind.
pub(super) fn answer(kind: u8, content: &[u8]) -> Answer {
    match kind {
        b'1' => Answer::Parsed,
        b'2' | b'3' | b'n' | b'I' | b's' | b'V' => Answer::Step,
        b'T' => Answer::Fields,
        b'C' => Answer::Complete(tag(content)),
        b'G' => Answer::Copying { out: false },
        b'H' => Answer::Copying { out: true },
        b'W' => Answer::Replicating,
        b'E' => Answer::Failed(sqlstate(content)),
        b'Z' => Answer::Ready,
        b'S' => setting(content),
        _ => Answer::Aside,
    }
}

/// Must all of such a message be there to read it?
pub(super) const fn needs_content(kind: u8) -> bool {
    matches!(kind, b'C' | b'E' | b'S' | b'T' | b'Z' | b'n' | b's' | b'I' | b'V' | b'1' | b'2' | b'3')
}

/// `SELECT 5`, `INSERT 0 1`, `BEGIN`.
fn tag(content: &[u8]) -> Tag {
    let text = Cursor::new(content).until(0).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let words = text.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ' ');
    let rows = text.get(words.len()..).and_then(|numbers| numbers.split(' ').next_back()?.parse().ok());
    Tag { operation: words.into(), rows }
}

/// Field `C` of an error; `_OTHER` where it was not captured.
fn sqlstate(content: &[u8]) -> SmolStr {
    let mut cursor = Cursor::new(content);
    while let Some((field, text)) = cursor.u8().zip(cursor.until(0)) {
        let valid = text.len() == 5 && text.iter().all(u8::is_ascii_alphanumeric);
        if field == b'C' && valid {
            return String::from_utf8_lossy(text).into();
        }
    }
    SmolStr::new_static("_OTHER")
}

fn setting(content: &[u8]) -> Answer {
    let mut cursor = Cursor::new(content);
    match cursor.until(0).zip(cursor.until(0)) {
        Some((b"standard_conforming_strings", value)) => Answer::Conforming(value == b"on"),
        _ => Answer::Aside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for (text, operation, rows) in [
            (&b"SELECT 5\0"[..], "SELECT", Some(5)),
            (b"INSERT 0 12\0", "INSERT", Some(12)),
            (b"CREATE TABLE\0", "CREATE TABLE", None),
            (b"BEGIN\0", "BEGIN", None),
            (b"SELECT 99999999999999999999\0", "SELECT", None),
        ] {
            assert_eq!(tag(text), Tag { operation: operation.into(), rows });
        }
    }

    #[test]
    fn errors_tell_their_code() {
        assert_eq!(sqlstate(b"SERROR\0VERROR\0C42P01\0Mrelation \"x\" does not exist\0\0"), "42P01");
        assert_eq!(sqlstate(b"SERROR\0VERR"), "_OTHER");
    }
}
