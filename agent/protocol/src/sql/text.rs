//! Comes in: tokens. Goes out: the statement's text with `?` for every literal, without comments, white space made one,
//! lists behind `IN` made short (semantic conventions, database, "Sanitization of `db.query.text`"). Refuses: to grow
//! beyond its limit.

use smol_str::SmolStr;

use super::lexer::{Kind, Token};

/// A statement's text as it is written down.
pub(super) struct Text {
    out: String,
    limit: usize,
    /// A comment stood before the next token.
    spaced: bool,
    list: List,
    /// A comma of a list that is not written yet.
    comma: bool,
}

/// Where in `IN (…)` we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    No,
    /// Behind the word.
    Word,
    /// Inside the brackets.
    Inside,
}

impl Text {
    /// Of at most `limit` bytes, of a statement that has so many.
    pub(super) fn new(length: usize, limit: usize) -> Self {
        Self {
            out: String::with_capacity(length.min(limit)),
            limit,
            spaced: false,
            list: List::No,
            comma: false,
        }
    }

    /// Writes the next token.
    pub(super) fn push(&mut self, token: &Token<'_>) {
        let symbol = if token.kind == Kind::Symbol { token.text.first() } else { None };
        match (token.kind, symbol) {
            (Kind::Comment, _) => {
                self.spaced = true;
                return;
            }
            (Kind::Word, _) if token.text.eq_ignore_ascii_case(b"in") => self.list = List::Word,
            (_, Some(b'(')) if self.list == List::Word => self.list = List::Inside,
            (_, Some(b',')) if self.list == List::Inside && !self.comma => {
                self.comma = true;
                return;
            }
            (_, Some(b')')) => self.list = List::No,
            _ if self.list == List::Word => self.list = List::No,
            _ => {}
        }
        let literal = token.kind == Kind::Literal || boolean(token);
        if std::mem::take(&mut self.comma) {
            if literal && self.out.ends_with('?') {
                return;
            }
            if self.out.len() < self.limit {
                self.out.push(',');
            }
        }
        self.write(token, literal);
    }

    fn write(&mut self, token: &Token<'_>, literal: bool) {
        let spaced = std::mem::take(&mut self.spaced) || token.spaced;
        if self.out.len() >= self.limit {
            return;
        }
        if spaced && !self.out.is_empty() {
            self.out.push(' ');
        }
        if literal {
            self.out.push('?');
        } else {
            let room = self.limit.saturating_sub(self.out.len());
            self.out.push_str(&String::from_utf8_lossy(token.text.get(..room).unwrap_or(token.text)));
        }
    }

    /// What was written.
    pub(super) fn finish(mut self) -> SmolStr {
        self.out.truncate(self.out.floor_char_boundary(self.limit));
        self.out.into()
    }
}

/// `TRUE` and `FALSE` are literals too.
fn boolean(token: &Token<'_>) -> bool {
    token.kind == Kind::Word
        && (token.text.eq_ignore_ascii_case(b"true") || token.text.eq_ignore_ascii_case(b"false"))
}
