//! Comes in: a statement's bytes. Goes out: what a span tells of it. Refuses: literals.

use std::borrow::Cow;

use smol_str::SmolStr;

use super::{
    commenter,
    lexer::{Dialect, Kind, Lexer, Token},
    summary::{Object, Summary},
    text::Text,
};
use crate::token::Tokens;

/// What is told of a statement, or of several in one text. Holds no literal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The operation, as written, where there is one only: `SELECT`, `CREATE TABLE`.
    pub operation: Option<SmolStr>,
    /// The table, procedure or whatever it is about, where there is one only.
    pub target: Option<Object>,
    /// `db.query.summary`: operations and their targets in order, 255 bytes at most. Empty where none is known.
    pub summary: SmolStr,
    /// `db.query.text`: literals replaced by `?`, comments left out.
    pub text: SmolStr,
    /// Headers of a trace context in a comment behind the last statement.
    pub carrier: Vec<(Cow<'static, str>, String)>,
    /// Rare names among its literals.
    pub tokens: Tokens,
}

impl Digest {
    /// Reads `sql`. `cut`: more stood behind it. The text is at most `limit` bytes long.
    #[must_use]
    pub fn of(sql: &[u8], dialect: Dialect, cut: bool, limit: usize) -> Self {
        let mut text = Text::new(sql.len(), limit);
        let mut summary = Summary::new();
        let (mut last, mut tokens) = (None, Tokens::default());
        for token in Lexer::new(sql, dialect, cut) {
            text.push(&token);
            summary.push(&token);
            if token.kind == Kind::Literal {
                tokens.look(token.text);
            }
            if token.text != b";" {
                last = Some(token);
            }
        }
        let carrier = last.map(context).unwrap_or_default();
        let (summary, operation, target) = summary.finish();
        Self { operation, target, summary, text: text.finish(), carrier, tokens }
    }

    /// Bytes it takes to keep.
    #[must_use]
    pub fn size(&self) -> usize {
        let part = |text: Option<&SmolStr>| text.map_or(0, SmolStr::len);
        size_of::<Self>()
            + part(self.operation.as_ref())
            + part(self.target.as_ref().map(Object::name))
            + self.summary.len()
            + self.text.len()
    }
}

fn context(last: Token<'_>) -> Vec<(Cow<'static, str>, String)> {
    match last.kind {
        Kind::Comment if !last.partial => commenter::context(last.text).into_headers(),
        _ => Vec::new(),
    }
}
