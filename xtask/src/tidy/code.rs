//! Rust text in; the same text with comments and literals blanked out, line for line and column for column. Refuses:
//! parsing. It knows just enough of Rust's lexical structure that the word `unsafe` in a comment is not taken for code.

/// Replaces every character of comments and of string and character literals with a space; newlines stay.
pub(super) fn blank(text: &str) -> String {
    let mut scanner = Scanner { rest: text, out: String::with_capacity(text.len()) };
    while !scanner.rest.is_empty() {
        scanner.token();
    }
    scanner.out
}

struct Scanner<'a> {
    rest: &'a str,
    out: String,
}

impl Scanner<'_> {
    fn token(&mut self) {
        if let Some(length) = comment(self.rest).or_else(|| literal(self.rest)) {
            self.blank(length);
        } else {
            self.copy(word(self.rest));
        }
    }

    fn copy(&mut self, length: usize) {
        let (text, rest) = self.rest.split_at(length);
        self.out.push_str(text);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (text, rest) = self.rest.split_at(length);
        self.out.extend(text.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

/// Length of the identifier, or else of the one character, that `text` begins with. Identifiers are taken whole so that
/// the `r` that ends one is not taken for the start of a raw string.
fn word(text: &str) -> usize {
    let end =
        text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    if end > 0 { end } else { text.chars().next().map_or(0, char::len_utf8) }
}

fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| block_comment(text))
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let step = match rest {
            rest if rest.starts_with("/*") => 2,
            rest if rest.starts_with("*/") => 2,
            rest => rest.chars().next().map_or(1, char::len_utf8),
        };
        depth += usize::from(rest.starts_with("/*"));
        depth -= usize::from(rest.starts_with("*/"));
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with('"') || (prefix.ends_with('r') && rest.trim_start_matches('#').starts_with('"'))
        })
    });
    match prefix {
        Some(prefix) if prefix.ends_with('r') => Some(raw_string(text)),
        Some(prefix) => Some(prefix.len() + quoted(text.get(prefix.len()..)?, '"')),
        None => character(text),
    }
}

fn raw_string(text: &str) -> usize {
    let hashes = text.chars().skip_while(|character| *character != '#' && *character != '"');
    let hashes = hashes.take_while(|character| *character == '#').count();
    let open = text.find('"').map_or(text.len(), |at| at + 1);
    let close = format!("\"{}", "#".repeat(hashes));
    let body = text.get(open..).unwrap_or_default();
    body.find(&close).map_or(text.len(), |at| open + at + close.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal; `'a` without a closing quote is a lifetime.
fn character(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let first = rest.chars().next()?;
    let is_literal = first == '\\' || rest.get(first.len_utf8()..)?.starts_with('\'');
    is_literal.then(|| quoted(text, '\''))
}

#[cfg(test)]
mod tests {
    use super::blank;

    fn check(text: &str, expected: &str) {
        assert_eq!(blank(text), expected);
    }

    #[test]
    fn comments_go_and_lines_stay() {
        check("a // unsafe\nb", "a          \nb");
        check("a /* x /* y */ z */ b", "a                   b");
        check("/* x\ny */b", "    \n    b");
    }

    #[test]
    fn strings_go() {
        check(r#"f("un\"safe") + 1"#, "f(          ) + 1");
        check("f(r#\"a\"b\"#)g", "f(        )g");
        check("f(b\"a\")", "f(    )");
    }

    #[test]
    fn lifetimes_and_identifiers_are_code() {
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("x == 'a' && '\\'' < y", "x ==     &&      < y");
        check("for \"a\"", "for    ");
        check("über(\"ü\")", "über(   )");
    }
}
