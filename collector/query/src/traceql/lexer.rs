//! Text in, tokens with their places out.

use super::BadQuery;

/// A token and where it begins, in characters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A sign such as `{` or `&&`.
    Sign(&'static str),
    /// A name such as `span.http.route`, quotes around its parts taken off: what stands before the first dot, and the rest.
    Name {
        scope: String,
        rest: Option<String>,
    },
    /// Text in quotes.
    Text(String),
    Int(i64),
    Float(f64),
    /// In nanoseconds.
    Duration(i64),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 22] = [
    "&&", "||", ">=", "<=", "!=", "=~", "!~", ">>", "<<", "{", "}", "(", ")", "=", ">", "<", "~", "!", "|",
    "+", "*", ",",
];

pub(super) struct Lexer<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, at: 0 }
    }

    fn skip(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.at += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.skip(end)
    }

    pub(super) fn token(&mut self) -> Result<Token, BadQuery> {
        self.skip_while(char::is_whitespace);
        let at = self.at;
        let kind = match self.rest.chars().next() {
            None => Kind::End,
            Some('"' | '`') => Kind::Text(self.quoted()?),
            Some(c) if c.is_ascii_digit() => self.number(at)?,
            Some('-') if self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(at)?,
            Some(c) if is_name(c) || c == '.' => self.name()?,
            Some(c) => {
                let sign = SIGNS.iter().find(|sign| self.rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| BadQuery { said: format!("`{c}` means nothing here"), at })?;
                self.skip(sign.len());
                Kind::Sign(sign)
            }
        };
        Ok(Token { at, kind })
    }

    fn quoted(&mut self) -> Result<String, BadQuery> {
        let at = self.at;
        let raw = self.rest.starts_with('`');
        let mut text = String::new();
        let mut escaped = false;
        for (place, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => {
                    text.push(match c {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    });
                    escaped = false;
                }
                '\\' if !raw => escaped = true,
                '"' if !raw => return self.close(place, text),
                '`' if raw => return self.close(place, text),
                other => text.push(other),
            }
        }
        Err(BadQuery { said: "this quote is never closed".to_owned(), at })
    }

    fn close(&mut self, place: usize, text: String) -> Result<String, BadQuery> {
        self.skip(place + 1);
        Ok(text)
    }

    fn number(&mut self, at: usize) -> Result<Kind, BadQuery> {
        let text = self.skip_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
        let bad =
            || BadQuery { said: format!("`{text}` is neither a number nor a duration such as `100ms`"), at };
        if let Ok(number) = text.parse() {
            return Ok(Kind::Int(number));
        }
        if text.ends_with(|c: char| c.is_ascii_digit()) {
            return text.parse().map(Kind::Float).map_err(|_| bad());
        }
        let nanos = crate::duration(text).map_err(|_| bad())?;
        i64::try_from(nanos).map(Kind::Duration).map_err(|_| bad())
    }

    /// `.key`, `scope.key`, `scope."any key"`, `scope:intrinsic` or a word.
    fn name(&mut self) -> Result<Kind, BadQuery> {
        let scope = self.skip_while(|c| is_name(c) && c != '.').to_owned();
        if self.rest.starts_with(':') {
            let rest = self.skip_while(is_name_or_colon);
            return Ok(Kind::Name { scope: scope + rest, rest: None });
        }
        if !self.rest.starts_with('.') {
            return Ok(Kind::Name { scope, rest: None });
        }
        self.skip(1);
        let mut key = String::new();
        loop {
            if self.rest.starts_with('"') {
                key.push_str(&self.quoted()?);
            } else {
                let part = self.skip_while(|c| is_name(c) || c == '.');
                key.push_str(part);
            }
            if !self.rest.starts_with('"') {
                break;
            }
        }
        if key.is_empty() {
            return Err(BadQuery { said: "the name of an attribute is missing".to_owned(), at: self.at });
        }
        Ok(Kind::Name { scope, rest: Some(key) })
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '@' | '$')
}

fn is_name_or_colon(c: char) -> bool {
    is_name(c) || c == ':'
}
