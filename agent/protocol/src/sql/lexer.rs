//! Comes in: bytes of SQL. Goes out: tokens, each a slice of the input, in one pass. Refuses: to take bytes of a literal
//! for anything else, also where the input is cut inside one.

use memchr::{memchr, memchr2, memmem};

/// How a server reads SQL, as far as it matters to where a literal begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The grammar.
    pub family: Family,
    /// Does a backslash escape in plain strings? `None` where the server has not told, or where the client's character set
    /// has characters whose second byte looks like one: text is then given only as far as all readings agree.
    pub backslash: Option<bool>,
}

/// Grammars that differ in their quotes and comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// PostgreSQL and what speaks like it: dollar quotes, `E''`, nested comments, `"` quotes names.
    Postgresql,
    /// MySQL and MariaDB: `"` quotes strings, `` ` `` names; `#` comments; `/*! */` is executed.
    Mysql,
    /// SQL Server: `[]` quotes names.
    SqlServer,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a plain name.
    Word,
    /// A quoted name, quotes included.
    Quoted,
    /// A string or a number.
    Literal,
    /// A parameter: `?`, `$1`.
    Placeholder,
    /// A comment, without its marks.
    Comment,
    /// One byte of anything else.
    Symbol,
}

/// A piece of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
    /// White space stands before it.
    pub(super) spaced: bool,
    /// The input was cut in it, or right behind it, so that more of it may be missing.
    pub(super) partial: bool,
}

/// How strings escape their quote, besides doubling it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    Backslash,
    Nothing,
    /// One of both.
    Unknown,
}

/// Walks over SQL. Every byte is looked at a bounded number of times.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    place: usize,
    dialect: Dialect,
    /// More bytes stood behind the input.
    cut: bool,
    /// Inside `/*! */`, whose content is executed: where it ends for a server that is too old, and takes it for a comment.
    executed: Option<usize>,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(bytes: &'a [u8], dialect: Dialect, cut: bool) -> Self {
        Self { bytes, place: 0, dialect, cut, executed: None }
    }

    fn at(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.place + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.place..).unwrap_or_default()
    }

    fn starts(&self, text: &[u8]) -> bool {
        self.rest().starts_with(text)
    }

    const fn is(&self, family: Family) -> bool {
        self.dialect.family as u8 == family as u8
    }

    /// Steps over white space, and over the marks of executed comments. Was there any?
    fn space(&mut self) -> bool {
        let begin = self.place;
        loop {
            let blank = self.rest().iter().take_while(|byte| **byte <= b' ').count();
            self.place += blank;
            if self.is(Family::Mysql) && (self.starts(b"/*!") || self.starts(b"/*M!")) {
                self.place += if self.starts(b"/*!") { 3 } else { 4 };
                self.place += self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
                self.executed = self.executed.or_else(|| Some(self.comment_end()));
            } else if self.executed.is_some() && self.starts(b"*/") {
                self.executed = None;
                self.place += 2;
            } else if blank == 0 {
                return self.place > begin;
            }
        }
    }

    /// Where the next mark stands that ends a comment.
    fn comment_end(&self) -> usize {
        memmem::find(self.rest(), b"*/").map_or(usize::MAX, |at| self.place + at)
    }

    /// A token inside `/*! */` that reaches beyond its end as an older server sees it, or that has what begins a comment
    /// there: from here on the readings part, and what follows may be of a literal. Comments inside are comments in both.
    fn agreed(&mut self, kind: Kind, begin: usize) -> Kind {
        let Some(end) = self.executed else { return kind };
        let token = self.bytes.get(begin..self.place).unwrap_or_default();
        if token.starts_with(b"/*") {
            self.executed = Some(if self.place > end { self.comment_end() } else { end });
            return kind;
        }
        if self.place <= end && memmem::find(token, b"/*").is_none() {
            return kind;
        }
        self.cut = true;
        self.step(usize::MAX >> 1, Kind::Literal)
    }

    fn token(&mut self, first: u8) -> Kind {
        match (first, self.at(1)) {
            (b'\'', _) => self.string(b'\'', self.plain()),
            (b'"', _) if self.is(Family::Mysql) => self.string(b'"', self.plain()),
            (b'"' | b'`', _) => self.name(first),
            (b'[', _) if self.is(Family::SqlServer) => self.name(b']'),
            (b'$', _) if self.is(Family::Postgresql) => self.dollar(),
            (b'-', Some(b'-')) if self.dashes_comment() => self.line_comment(),
            (b'#', _) if self.is(Family::Mysql) => self.line_comment(),
            (b'/', Some(b'*')) => self.block_comment(),
            (b'.', Some(b'0'..=b'9')) | (b'0'..=b'9', _) => self.number(),
            (b'?', _) => self.step(1, Kind::Placeholder),
            (first, _) if begins_word(first) => self.word(first),
            _ => self.step(1, Kind::Symbol),
        }
    }

    fn step(&mut self, count: usize, kind: Kind) -> Kind {
        self.place = (self.place + count).min(self.bytes.len());
        kind
    }

    /// What a plain string's backslash means.
    const fn plain(&self) -> Escape {
        match (self.dialect.family, self.dialect.backslash) {
            (Family::SqlServer, _) | (_, Some(false)) => Escape::Nothing,
            (_, Some(true)) => Escape::Backslash,
            (_, None) => Escape::Unknown,
        }
    }

    /// MySQL wants white space behind the dashes: `5--1` is 6.
    fn dashes_comment(&self) -> bool {
        !self.is(Family::Mysql) || self.at(2).is_none_or(|byte| byte <= b' ')
    }

    fn word(&mut self, first: u8) -> Kind {
        let length = self.rest().iter().take_while(|byte| continues_word(**byte)).count();
        let quoted = self.at(length) == Some(b'\'');
        match (first, length) {
            (b'e' | b'E', 1) if quoted && self.is(Family::Postgresql) => {
                self.place += 1;
                self.string(b'\'', Escape::Backslash)
            }
            (b'n' | b'N' | b'b' | b'B' | b'x' | b'X', 1) if quoted => {
                self.place += 1;
                self.string(b'\'', self.plain())
            }
            (b'u' | b'U', 1) if self.is(Family::Postgresql) && self.at(1) == Some(b'&') => self.unicode(),
            _ => self.step(length, Kind::Word),
        }
    }

    /// `U&''`, `U&""`: their backslash never escapes the quote. Else a word.
    fn unicode(&mut self) -> Kind {
        match self.at(2) {
            Some(quote @ b'\'') => {
                self.place += 2;
                self.string(quote, Escape::Nothing)
            }
            Some(b'"') => {
                self.place += 2;
                self.name(b'"')
            }
            _ => self.step(1, Kind::Word),
        }
    }

    /// Digits, and whatever letters stand among them: `0x1F`, `1e-5`, `1_000.5`.
    fn number(&mut self) -> Kind {
        let mut last = 0;
        let length = self.rest().iter().take_while(|byte| {
            let exponent = matches!(last, b'e' | b'E') && matches!(byte, b'+' | b'-');
            last = **byte;
            exponent || continues_word(last) || last == b'.'
        });
        let length = length.count();
        self.step(length, Kind::Literal)
    }

    /// A string that begins with the quote here.
    fn string(&mut self, quote: u8, escape: Escape) -> Kind {
        self.place += 1;
        while let Some(at) = memchr2(quote, b'\\', self.rest()) {
            self.place += at;
            if self.at(0) == Some(quote) {
                if self.at(1) == Some(quote) {
                    self.place += 2;
                } else if !self.continued(quote) {
                    return self.step(1, Kind::Literal);
                }
                continue;
            }
            let run = self.rest().iter().take_while(|byte| **byte == b'\\').count();
            let odd = run % 2 == 1;
            match (escape, self.at(run) == Some(quote)) {
                (Escape::Backslash, true) if odd => self.place += run + 1,
                // Here the readings part: nothing that follows is known not to be of a literal. In some character sets the
                // first of these bytes belongs to the character before (see `Dialect::backslash`).
                (Escape::Unknown, true) if odd || self.behind_high_byte() => break,
                _ => self.place += run,
            }
        }
        self.cut = true;
        self.step(usize::MAX >> 1, Kind::Literal)
    }

    fn behind_high_byte(&self) -> bool {
        self.place.checked_sub(1).and_then(|before| self.bytes.get(before)).is_some_and(|byte| *byte >= 0x80)
    }

    /// PostgreSQL takes strings with a line end between them for one, escapes as in the first (manual 4.1.2.1). Comments up
    /// to their line's end may stand there, too (`quotecontinue` in `src/backend/parser/scan.l`).
    fn continued(&mut self, quote: u8) -> bool {
        if !self.is(Family::Postgresql) || quote != b'\'' {
            return false;
        }
        let (mut place, mut line) = (self.place + 1, false);
        loop {
            match self.bytes.get(place..).unwrap_or_default() {
                [b'\n' | b'\r', ..] => line = true,
                [b' ' | b'\t' | 0x0b | 0x0c, ..] => {}
                [b'-', b'-', comment @ ..] => {
                    place += 1 + memchr2(b'\n', b'\r', comment).unwrap_or(comment.len());
                }
                [b'\'', ..] if line => {
                    self.place = place + 1;
                    return true;
                }
                _ => return false,
            }
            place += 1;
        }
    }

    /// A quoted name; the closing quote is doubled inside. An unclosed one is a literal: it may be anything.
    fn name(&mut self, quote: u8) -> Kind {
        self.place += 1;
        while let Some(at) = memchr(quote, self.rest()) {
            self.place += at + 1;
            if self.at(0) != Some(quote) {
                return Kind::Quoted;
            }
            self.place += 1;
        }
        self.cut = true;
        self.step(usize::MAX >> 1, Kind::Literal)
    }

    /// `$1`, `$$text$$`, `$tag$text$tag$`.
    fn dollar(&mut self) -> Kind {
        let behind = self.bytes.get(self.place + 1..).unwrap_or_default();
        let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 {
            return self.step(1 + digits, Kind::Placeholder);
        }
        let tag = behind.iter().take_while(|byte| **byte != b'$' && continues_word(**byte)).count();
        match behind.get(tag) {
            Some(b'$') => self.dollar_quoted(tag + 2),
            None if self.cut => self.step(usize::MAX >> 1, Kind::Literal),
            _ => self.step(1, Kind::Symbol),
        }
    }

    /// The text between two equal tags of this length, dollars included.
    fn dollar_quoted(&mut self, length: usize) -> Kind {
        let tag = self.rest().get(..length).unwrap_or_default();
        self.place += length;
        if let Some(at) = memmem::find(self.rest(), tag) {
            return self.step(at + length, Kind::Literal);
        }
        self.cut = true;
        self.step(usize::MAX >> 1, Kind::Literal)
    }

    /// MySQL ends it at a line feed alone.
    fn line_comment(&mut self) -> Kind {
        let other = if self.is(Family::Mysql) { b'\n' } else { b'\r' };
        let length = memchr2(b'\n', other, self.rest()).unwrap_or(self.rest().len());
        self.step(length, Kind::Comment)
    }

    /// Nested in PostgreSQL and SQL Server, not in MySQL.
    fn block_comment(&mut self) -> Kind {
        let mut depth = 0_usize;
        while let Some(at) = memchr2(b'*', b'/', self.rest()) {
            self.place += at;
            match (self.at(0), self.at(1)) {
                (Some(b'/'), Some(b'*')) if depth == 0 || !self.is(Family::Mysql) => {
                    depth += 1;
                    self.place += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.place += 2;
                    if depth == 0 {
                        return Kind::Comment;
                    }
                }
                _ => self.place += 1,
            }
        }
        self.cut = true;
        self.step(usize::MAX >> 1, Kind::Comment)
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let spaced = self.space();
        let begin = self.place;
        let kind = self.token(self.at(0)?);
        let kind = self.agreed(kind, begin);
        let text = self.bytes.get(begin..self.place).unwrap_or_default();
        let partial = self.cut && self.place >= self.bytes.len();
        Some(Token { kind, text, spaced, partial })
    }
}

const fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn continues_word(byte: u8) -> bool {
    begins_word(byte) || byte.is_ascii_digit() || byte == b'$'
}
