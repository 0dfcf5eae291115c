//! Comes in: the line of an inline command. Goes out: its words, as the server splits them (`sdssplitargs`): a word in
//! quotes may hold blanks, and double quotes know escapes. Refuses: quotes that do not close, or close within a word.

use crate::cursor::Cursor;

/// The words of a line.
pub(super) fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut cursor = Cursor::new(line);
    let mut words = Vec::new();
    loop {
        while cursor.peek().is_some_and(is_blank) {
            cursor.u8();
        }
        if cursor.is_empty() {
            return Some(words);
        }
        words.push(word(&mut cursor)?);
    }
}

const fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0
}

fn word(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    while let Some(byte) = cursor.u8().filter(|byte| !is_blank(*byte)) {
        if matches!(byte, b'"' | b'\'') {
            quoted(cursor, byte, &mut word)?;
            return cursor.peek().is_none_or(is_blank).then_some(word);
        }
        word.push(byte);
    }
    Some(word)
}

fn quoted(cursor: &mut Cursor<'_>, quote: u8, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match cursor.u8()? {
            byte if byte == quote => return Some(()),
            b'\\' if quote == b'"' => word.push(escaped(cursor)?),
            b'\\' if cursor.peek() == Some(quote) => word.push(cursor.u8()?),
            byte => word.push(byte),
        }
    }
}

/// What stands behind a backslash.
fn escaped(cursor: &mut Cursor<'_>) -> Option<u8> {
    Some(match cursor.u8()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        b'x' => hexadecimal(cursor).unwrap_or(b'x'),
        byte => byte,
    })
}

fn hexadecimal(cursor: &mut Cursor<'_>) -> Option<u8> {
    let digits = cursor.rest().get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    let byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    cursor.take(2).map(|_| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_the_server_does() {
        let split = |line: &str, expected: &[&str]| {
            let words = words(line.as_bytes()).expect("words");
            assert_eq!(words, expected.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(), "{line}");
        };
        split("", &[]);
        split("  GET\t a  ", &["GET", "a"]);
        split(r#"MSET a "x y" b 'z "w"'"#, &["MSET", "a", "x y", "b", r#"z "w""#]);
        split(r#"SET "a\n\x41\"\xg" 'it\'s'"#, &["SET", "a\nA\"xg", "it's"]);
        split(r#"SET pre"fix" """#, &["SET", "prefix", ""]);
    }

    #[test]
    fn quotes_that_do_not_fit_are_refused() {
        for line in [r#"SET a "b"#, "SET a 'b", r#"SET "a"b"#, r#"SET "a\"#] {
            assert_eq!(words(line.as_bytes()), None, "{line}");
        }
    }
}
