//! The text protocol and its meta commands (memcached, `doc/protocol.txt`). Comes in: lines. Goes out: commands, the
//! lines of answers, and how many bytes of a value follow. Refuses: lines that are neither.

use super::{
    Parsed,
    command::{self, Answer, Command, End, Failure},
};
use crate::{
    attributes::{decimal, is_number},
    cursor::Cursor,
    pipeline::Joined,
};

/// What follows the name of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `<key> <flags> <exptime> <bytes>`, and the value.
    Storage,
    /// Keys alone.
    Keys,
    /// A time, then keys.
    TimeAndKeys,
    /// A key, then words that are not shown.
    Key,
    /// Nothing that is shown.
    Plain,
    /// A key and flags.
    Meta,
    /// A key, the length of the value and flags.
    MetaStorage,
    /// `mn`.
    Mark,
}

const NAMES: [(&str, Shape); 30] = [
    ("get", Shape::Keys),
    ("set", Shape::Storage),
    ("gets", Shape::Keys),
    ("add", Shape::Storage),
    ("replace", Shape::Storage),
    ("append", Shape::Storage),
    ("prepend", Shape::Storage),
    ("cas", Shape::Storage),
    ("delete", Shape::Key),
    ("incr", Shape::Key),
    ("decr", Shape::Key),
    ("touch", Shape::Key),
    ("gat", Shape::TimeAndKeys),
    ("gats", Shape::TimeAndKeys),
    ("mg", Shape::Meta),
    ("ms", Shape::MetaStorage),
    ("md", Shape::Meta),
    ("ma", Shape::Meta),
    ("me", Shape::Meta),
    ("mn", Shape::Mark),
    ("stats", Shape::Plain),
    ("version", Shape::Plain),
    ("flush_all", Shape::Plain),
    ("verbosity", Shape::Plain),
    ("quit", Shape::Plain),
    ("slabs", Shape::Plain),
    ("lru", Shape::Plain),
    ("lru_crawler", Shape::Plain),
    ("cache_memlimit", Shape::Plain),
    ("shutdown", Shape::Plain),
];

fn shape(name: &[u8]) -> Option<(&'static str, Shape)> {
    NAMES.into_iter().find(|(known, _)| known.as_bytes() == name)
}

/// Could a name begin so?
pub(super) fn begins_name(bytes: &[u8]) -> bool {
    NAMES.iter().any(|(name, _)| name.as_bytes().starts_with(bytes))
}

/// Is it one?
pub(super) fn is_name(word: &[u8]) -> bool {
    shape(word).is_some()
}

/// A request's line. With `cut` an incomplete one is taken as it is.
pub(super) fn request(bytes: &[u8], cut: bool, max_line: usize, max_text: usize) -> Parsed<Command> {
    let mut cursor = Cursor::new(bytes);
    let (line, whole) = match cursor.line() {
        Some(line) => (line, true),
        None if cut || bytes.len() >= max_line => (bytes, false),
        None => return Parsed::Partial,
    };
    // The last word of half a line may be half a word.
    let line =
        if whole { line } else { line.get(..memchr::memrchr(b' ', line).unwrap_or(0)).unwrap_or_default() };
    let words: Words<'_> = Words(line);
    let Some((name, shape)) = words.get(0).and_then(shape) else { return Parsed::Invalid };
    if !whole {
        return Parsed::Cut(command(name, shape, words, max_text));
    }
    // A wrong line is answered too; nothing follows it.
    let value = value_length(shape, words).unwrap_or(0);
    Parsed::Done(command(name, shape, words, max_text), cursor.place(), value)
}

/// The words of a line.
#[derive(Clone, Copy)]
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
    }

    fn get(self, index: usize) -> Option<&'a [u8]> {
        self.iter().nth(index)
    }
}

/// Bytes that follow the line: a value and its line end, where there is one. `None` where the line is wrong.
fn value_length(shape: Shape, words: Words<'_>) -> Option<u64> {
    let value = |index| words.get(index).and_then(decimal).map(|length| length + 2);
    match shape {
        Shape::Storage => value(4),
        Shape::MetaStorage => value(2),
        _ => Some(0),
    }
}

fn command(name: &'static str, shape: Shape, words: Words<'_>, max_text: usize) -> Command {
    let (first, count) = match shape {
        Shape::Keys => (1, usize::MAX),
        Shape::TimeAndKeys => (2, usize::MAX),
        Shape::Plain | Shape::Mark => (1, 0),
        _ => (1, 1),
    };
    let value = matches!(shape, Shape::Storage | Shape::MetaStorage) || matches!(name, "incr" | "decr");
    let meta = matches!(shape, Shape::Meta | Shape::MetaStorage);
    let silent = !meta && words.iter().last() == Some(b"noreply") && shape != Shape::Keys;
    let quiet = meta && words.iter().skip(2).any(|flag| flag == b"q");
    Command {
        name: name.into(),
        text: command::text(name, words.iter().skip(first).take(count), value, max_text),
        silent: silent || name == "quit",
        quiet,
        end: if quiet || shape == Shape::Mark { End::Mark } else { End::Any },
        joined: Joined::default(),
        error: None,
    }
}

/// A line of an answer.
pub(super) enum Line {
    /// More lines follow, and before them so many bytes.
    More(u64),
    /// It is the last one; so many bytes follow.
    Last(Answer, u64),
}

/// The line of an answer at the front, and its length.
pub(super) fn answer(bytes: &[u8]) -> Parsed<Line> {
    let mut cursor = Cursor::new(bytes);
    let Some(line) = cursor.line() else {
        let partial = bytes.len() < MAX_ANSWER && known_begin(bytes);
        return if partial { Parsed::Partial } else { Parsed::Invalid };
    };
    match line_of(line) {
        Some(line) => Parsed::Done(line, cursor.place(), 0),
        None => Parsed::Invalid,
    }
}

/// Longest line of an answer, bytes: a key of 250 bytes and its description, or a statistic.
const MAX_ANSWER: usize = 4 << 10;

/// First words of answers. Numbers answer `incr` and `decr`.
const ANSWERS: [&str; 29] = [
    "VALUE",
    "STAT",
    "ITEM",
    "END",
    "STORED",
    "NOT_STORED",
    "EXISTS",
    "NOT_FOUND",
    "DELETED",
    "TOUCHED",
    "OK",
    "RESET",
    "VERSION",
    "ERROR",
    "CLIENT_ERROR",
    "SERVER_ERROR",
    "VA",
    "HD",
    "EN",
    "NF",
    "NS",
    "EX",
    "MN",
    "ME",
    "BUSY",
    "BADCLASS",
    "NOSPARE",
    "UNSAFE",
    "SAME",
];

fn known_begin(bytes: &[u8]) -> bool {
    let word = bytes.split(|byte| matches!(byte, b' ' | b'\r')).next().unwrap_or_default();
    let ends = word.len() < bytes.len();
    let fits = |known: &&str| known.as_bytes().starts_with(word) && (!ends || known.len() == word.len());
    word.iter().all(u8::is_ascii_digit) || ANSWERS.iter().any(fits)
}

fn line_of(line: &[u8]) -> Option<Line> {
    let words = Words(line);
    let first = words.get(0)?;
    let last = |length| {
        Some(Line::Last(Answer { last: true, mark: first == b"MN", tag: None, error: None }, length))
    };
    match first {
        b"VALUE" => words.get(3).and_then(decimal).map(|length| Line::More(length + 2)),
        b"STAT" | b"ITEM" => Some(Line::More(0)),
        b"VA" => words.get(1).and_then(decimal).and_then(|length| last(length + 2)),
        b"ERROR" | b"CLIENT_ERROR" | b"SERVER_ERROR" => Some(Line::Last(failure(first, line), 0)),
        _ if is_number(line) || ANSWERS.iter().any(|known| known.as_bytes() == first) => last(0),
        _ => None,
    }
}

fn failure(first: &[u8], line: &[u8]) -> Answer {
    let code = String::from_utf8_lossy(first).into_owned();
    let words = line.get(first.len() + 1..).filter(|words| !words.is_empty());
    let words = words.map(|words| crate::attributes::text(words, 128).into_owned());
    Answer { last: true, mark: false, tag: None, error: Some(Failure(code.into(), words)) }
}
