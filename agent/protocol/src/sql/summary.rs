//! Comes in: tokens. Goes out: operations and their targets in the order of the text, as `db.query.summary` has them
//! (semantic conventions, database, "Generating a summary of the query"). Refuses: names that a cut may have shortened,
//! operations it does not know (a mistyped statement would be a summary of its own), functions and subqueries as tables.

use smol_str::{SmolStr, format_smolstr};

use super::{
    keyword::{Keyword, keyword},
    lexer::{self, Token},
};

/// Longest summary, bytes; the conventions' limit.
const MAX_SUMMARY: usize = 255;

/// Bytes of most summaries.
const SUMMARY: usize = 64;

/// Names of subqueries (`WITH`) that are told from tables.
const MAX_SUBQUERIES: usize = 16;

/// What a statement does to what, as far as it was read.
#[derive(Default)]
pub(super) struct Summary {
    text: String,
    /// A part did not fit; later ones are left out as well.
    full: bool,
    operations: u32,
    operation: Option<SmolStr>,
    target: Option<Object>,
    /// What the next name will be of.
    kind: Kind,
    /// Targets differ.
    mixed: bool,
    state: State,
    /// Depth of brackets.
    depth: u32,
    /// By depth: a query (or DELETE) is read there, so that FROM names tables.
    queries: u64,
    /// By depth: a comma leads to the next table.
    lists: u64,
    /// INTO will name a target.
    into: bool,
    /// Behind WITH, before the operation.
    with: bool,
    subqueries: Vec<Vec<u8>>,
    /// A word of CREATE, ALTER or DROP, until the kind of object is known.
    define: Option<SmolStr>,
    /// The operation explained is still to come.
    explained: bool,
    previous: Previous,
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A table or view.
    Collection(SmolStr),
    /// A stored procedure that is called.
    Procedure(SmolStr),
    /// A database, an index, a function, …
    Other(SmolStr),
}

impl Object {
    /// As written.
    #[must_use]
    pub const fn name(&self) -> &SmolStr {
        let (Self::Collection(name) | Self::Procedure(name) | Self::Other(name)) = self;
        name
    }
}

/// Which of them.
#[derive(Clone, Copy, Default)]
enum Kind {
    #[default]
    Collection,
    Procedure,
    Other,
}

impl Kind {
    /// What is behind the first word of an operation.
    const fn behind(word: &[u8]) -> Self {
        if word.eq_ignore_ascii_case(b"call") || word.eq_ignore_ascii_case(b"exec") {
            return Self::Procedure;
        }
        if word.eq_ignore_ascii_case(b"use") { Self::Other } else { Self::Collection }
    }

    /// What is defined, behind the word for it.
    const fn defined(word: &[u8]) -> Self {
        let table = word.eq_ignore_ascii_case(b"table") || word.eq_ignore_ascii_case(b"view");
        if table { Self::Collection } else { Self::Other }
    }

    const fn object(self, name: SmolStr) -> Object {
        match self {
            Self::Collection => Object::Collection(name),
            Self::Procedure => Object::Procedure(name),
            Self::Other => Object::Other(name),
        }
    }
}

/// What the next token may be.
#[derive(Default)]
enum State {
    /// The first word of a statement.
    #[default]
    Start,
    /// Anything.
    Within,
    /// The name of a target; of a table in a list, where `true`, which a function is not.
    Target(bool),
    /// More of this name.
    Name(SmolStr, bool),
    /// The next part of this name.
    Dot(SmolStr, bool),
    /// Nothing that matters, up to the end of the statement.
    Rest,
}

/// The token before, as far as it says how the next one is meant.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Previous {
    #[default]
    Other,
    /// `(`
    Opened,
    /// `AS`, or `DISTINCT`.
    Word(Keyword),
}

impl Summary {
    /// Nothing was read yet.
    pub(super) fn new() -> Self {
        Self { text: String::with_capacity(SUMMARY), ..Self::default() }
    }

    /// Reads the next token.
    pub(super) fn push(&mut self, token: &Token<'_>) {
        let rests = matches!(self.state, State::Rest) && token.text != b";";
        if token.kind == lexer::Kind::Comment || rests {
            return;
        }
        let named = self.name(token);
        if !named {
            match token.kind {
                lexer::Kind::Word => self.word(token),
                lexer::Kind::Quoted => self.quoted(token),
                lexer::Kind::Symbol => self.symbol(token.text.first().copied().unwrap_or_default()),
                lexer::Kind::Literal | lexer::Kind::Placeholder | lexer::Kind::Comment => {
                    self.state = State::Within
                }
            }
        }
        self.previous = match (token.kind, token.text) {
            (lexer::Kind::Symbol, b"(") => Previous::Opened,
            (lexer::Kind::Word, word) => match keyword(word) {
                Some(known @ (Keyword::As | Keyword::Distinct)) => Previous::Word(known),
                _ => Previous::Other,
            },
            _ => Previous::Other,
        };
    }

    /// Summary, operation and target, the last two where there is one only.
    pub(super) fn finish(mut self) -> (SmolStr, Option<SmolStr>, Option<Object>) {
        if let State::Name(name, _) = std::mem::take(&mut self.state) {
            self.commit(name);
        }
        self.end_definition();
        let single = self.operations == 1;
        (self.text.into(), self.operation.filter(|_| single), self.target.filter(|_| !self.mixed))
    }

    /// Continues a name that has begun. Did the token belong to it?
    fn name(&mut self, token: &Token<'_>) -> bool {
        let dot = token.kind == lexer::Kind::Symbol && token.text == b".";
        match std::mem::replace(&mut self.state, State::Within) {
            State::Name(name, table) if dot => self.state = State::Dot(name, table),
            State::Name(_, true) if token.text == b"(" => return false,
            State::Name(name, _) => {
                self.commit(name);
                return false;
            }
            State::Dot(name, table) if matches!(token.kind, lexer::Kind::Word | lexer::Kind::Quoted) => {
                let name = format_smolstr!("{name}.{}", String::from_utf8_lossy(token.text));
                self.state = if token.partial { State::Within } else { State::Name(name, table) };
            }
            State::Dot(..) => return false,
            other => {
                self.state = other;
                return false;
            }
        }
        true
    }

    fn quoted(&mut self, token: &Token<'_>) {
        match self.state {
            State::Target(table) => self.begin_name(token, table),
            _ => self.subquery(token),
        }
    }

    fn begin_name(&mut self, token: &Token<'_>, table: bool) {
        let known = self.subqueries.iter().any(|name| name.eq_ignore_ascii_case(token.text));
        self.state = if known || token.partial {
            State::Within
        } else {
            State::Name(String::from_utf8_lossy(token.text).into(), table)
        };
    }

    /// Names before the operation of a statement with WITH are those of its subqueries.
    fn subquery(&mut self, token: &Token<'_>) {
        if self.with && self.depth == 0 && self.subqueries.len() < MAX_SUBQUERIES {
            self.subqueries.push(token.text.to_vec());
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match (symbol, &self.state) {
            (b'(' | b'{', State::Start) => {}
            (b';', _) => self.next_statement(),
            (b',', _) if bit(self.lists, self.depth) => self.aim(true, Kind::Collection),
            // A user variable may stand where a table could: SELECT … INTO @a.
            _ => self.state = State::Within,
        }
        match symbol {
            b'(' => self.depth = self.depth.saturating_add(1),
            b')' => {
                set(&mut self.queries, self.depth, false);
                set(&mut self.lists, self.depth, false);
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn next_statement(&mut self) {
        self.end_definition();
        (self.depth, self.queries, self.lists) = (0, 0, 0);
        (self.into, self.with, self.explained) = (false, false, false);
        self.subqueries.clear();
        self.state = State::Start;
    }

    fn word(&mut self, token: &Token<'_>) {
        let known = if token.partial { None } else { keyword(token.text) };
        match (&self.state, known) {
            (State::Target(_), Some(Keyword::Modifier)) => {}
            (State::Target(_), Some(Keyword::Object)) if reserved(token.text) => {
                self.kind = Kind::defined(token.text);
            }
            (State::Target(_), Some(Keyword::Select)) => self.begin(Keyword::Select, token.text),
            (State::Target(_), Some(Keyword::Clause | Keyword::From | Keyword::As)) => {
                self.state = State::Within;
                self.within(known, token);
            }
            (State::Target(table), _) => {
                let table = *table;
                self.begin_name(token, table);
            }
            _ if self.define.is_some() => self.define(known, token.text),
            (State::Start, Some(known)) => self.begin(known, token.text),
            _ => {
                self.state = State::Within;
                self.within(known, token);
            }
        }
    }

    /// The first word of a statement, or of one inside another.
    fn begin(&mut self, known: Keyword, word: &[u8]) {
        self.state = State::Within;
        match known {
            Keyword::With => self.with = true,
            Keyword::Define => self.define = Some(String::from_utf8_lossy(word).into()),
            Keyword::Explain => {
                self.operate(word);
                (self.explained, self.state) = (true, State::Start);
            }
            // EXPLAIN ANALYZE VERBOSE SELECT
            Keyword::Act | Keyword::Modifier if self.explained => self.state = State::Start,
            Keyword::Select | Keyword::Delete => {
                set(&mut self.queries, self.depth, true);
                set(&mut self.lists, self.depth, false);
                self.operate(word);
            }
            Keyword::Insert => {
                self.into = true;
                self.operate(word);
            }
            Keyword::Update | Keyword::Act => {
                self.aim(false, Kind::behind(word));
                self.operate(word);
            }
            Keyword::Plain => self.operate(word),
            Keyword::Permit => {
                self.operate(word);
                self.state = State::Rest;
            }
            _ => {}
        }
        if self.depth == 0 {
            self.with = known == Keyword::With;
        }
    }

    /// Behind CREATE, ALTER or DROP: the kind of object makes the operation whole.
    fn define(&mut self, known: Option<Keyword>, word: &[u8]) {
        let Some(kind @ (Keyword::Object | Keyword::Person)) = known else { return };
        let verb = self.define.take().unwrap_or_default();
        let operation = [verb.as_bytes(), word].join(&b' ');
        self.operate(&operation);
        match kind {
            Keyword::Object => self.aim(false, Kind::defined(word)),
            _ => self.state = State::Within,
        }
    }

    /// A name comes next; of a table in a list, where `table`.
    fn aim(&mut self, table: bool, kind: Kind) {
        (self.state, self.kind) = (State::Target(table), kind);
    }

    /// CREATE, ALTER or DROP of a kind of object that is not known here.
    fn end_definition(&mut self) {
        if let Some(verb) = self.define.take() {
            self.operate(verb.as_bytes());
        }
    }

    fn within(&mut self, known: Option<Keyword>, token: &Token<'_>) {
        // A word is an operation where a statement may begin: in brackets, behind AS, or behind WITH's subqueries.
        let begins = self.previous == Previous::Opened
            || self.previous == Previous::Word(Keyword::As)
            || (self.with && self.depth == 0);
        match known {
            Some(Keyword::Select) => self.begin(Keyword::Select, token.text),
            Some(verb @ (Keyword::Insert | Keyword::Update | Keyword::Delete)) if begins => {
                self.begin(verb, token.text);
            }
            Some(Keyword::From) if self.previous == Previous::Word(Keyword::Distinct) => {}
            Some(Keyword::From) if bit(self.queries, self.depth) => {
                set(&mut self.lists, self.depth, true);
                self.aim(true, Kind::Collection);
            }
            Some(Keyword::Join) => self.aim(true, Kind::Collection),
            Some(Keyword::Into) if std::mem::take(&mut self.into) => self.aim(false, Kind::Collection),
            Some(Keyword::Clause | Keyword::Person) => set(&mut self.lists, self.depth, false),
            Some(Keyword::As | Keyword::Modifier) => {}
            _ => self.subquery(token),
        }
    }

    fn operate(&mut self, word: &[u8]) {
        let word = SmolStr::from(String::from_utf8_lossy(word));
        self.append(&word);
        self.operations += 1;
        self.operation.get_or_insert(word);
    }

    fn commit(&mut self, name: SmolStr) {
        self.append(&name);
        let object = self.kind.object(name);
        match &self.target {
            Some(target) => self.mixed |= *target != object,
            None => self.target = Some(object),
        }
    }

    fn append(&mut self, part: &str) {
        let space = usize::from(!self.text.is_empty());
        self.full |= self.text.len() + space + part.len() > MAX_SUMMARY;
        if !self.full {
            self.text.push_str(if space == 1 { " " } else { "" });
            self.text.push_str(part);
        }
    }
}

/// Kinds of objects that may stand before the name, and are no names themselves.
fn reserved(word: &[u8]) -> bool {
    [&b"table"[..], b"index", b"view"].iter().any(|kind| word.eq_ignore_ascii_case(kind))
}

/// The bit of this depth. Deeper brackets than there are bits share the last one.
const fn bit(bits: u64, depth: u32) -> bool {
    bits >> (if depth > 63 { 63 } else { depth }) & 1 == 1
}

const fn set(bits: &mut u64, depth: u32, to: bool) {
    let mask = 1 << (if depth > 63 { 63 } else { depth });
    *bits = if to { *bits | mask } else { *bits & !mask };
}
