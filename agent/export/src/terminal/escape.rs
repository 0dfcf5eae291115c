//! Comes in: text that a stranger may have chosen. Goes out: text that a terminal only shows. Refuses: control
//! characters (a path can hold any byte, and an escape sequence can do anything to a terminal), invisible ones, and
//! those that change the direction of writing.

use std::borrow::Cow;

/// May a terminal act on it, or hide it?
pub(super) const fn hostile(character: char) -> bool {
    matches!(character,
        // C0, DEL and C1 (U+009B begins a sequence as ESC [ does).
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Soft hyphen, zero width, marks of direction, separators.
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Hostile characters as Rust writes them: `\n`, `\u{1b}`.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hostile(character) { out.extend(character.escape_default()) } else { out.push(character) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, expected) in [
            ("GET /käse/日本", "GET /käse/日本"),
            ("\x1b]0;owned\x07", "\\u{1b}]0;owned\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}2J\x7f", "\\u{9b}2J\\u{7f}"),
            ("exe.\u{202e}gpj", "exe.\\u{202e}gpj"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("back\\slash", "back\\slash"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
