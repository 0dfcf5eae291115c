//! Comes in: bytes of the client. Goes out: a command, its keys as text, its values as `?`. Refuses: names that no
//! command has, arguments that are no strings.

use smol_str::SmolStr;

use super::{
    commands::{self, Keys, Known},
    inline,
    resp::{Element, Read, Scan, element},
};
use crate::{
    attributes::{decimal, text},
    cursor::Cursor,
    exchange::Message,
};

/// Longest name of a command, bytes.
const MAX_NAME: usize = 32;

/// Longest option looked at, bytes: `STREAMS`, `BLOCK`, `SKIP`.
const MAX_OPTION: u64 = 16;

/// A request under way, or complete.
pub(super) struct Request {
    /// Where it stands.
    pub(super) message: Message,
    /// Its words.
    pub(super) words: Words,
    /// Arguments to come, once their number is known.
    left: Option<u64>,
}

/// The words of a command.
#[derive(Default)]
pub(super) struct Words {
    /// As it came, with the part that containers have (`CONFIG GET`).
    pub(super) name: SmolStr,
    /// What the list says of it.
    pub(super) known: Option<&'static Known>,
    /// As one would type it: keys shown, values as `?`.
    pub(super) text: String,
    /// How many there are, the name included.
    pub(super) total: u64,
    /// Does it wait for something to happen (`BLOCK`)?
    pub(super) blocks: bool,
    /// Last option seen of `CLIENT REPLY`, in upper case; index of `SELECT`; name of a script.
    pub(super) operand: String,
    /// How many were seen.
    seen: u64,
    /// Keys that a counting argument told.
    counted: u64,
    /// Where `STREAMS` stood.
    streams: Option<u64>,
}

impl Request {
    pub(super) fn new(message: Message) -> Self {
        Self { message, words: Words::default(), left: None }
    }

    /// Reads on. Texts are kept up to `max_text` bytes.
    pub(super) fn scan(&mut self, bytes: &[u8], max_text: usize) -> Scan {
        let mut place = 0;
        let mut left = match self.left {
            Some(left) => left,
            None => match element(bytes) {
                Read::Element(Element::Many(b'*', number), line) if number > 0 => {
                    (place, self.words.total) = (line, number);
                    number
                }
                Read::Partial => return Scan::Partial(0),
                Read::Element(..) | Read::Invalid => return Scan::Invalid,
            },
        };
        while left > 0 {
            self.left = Some(left);
            let rest = bytes.get(place..).unwrap_or_default();
            let length = match self.words.argument(rest, max_text) {
                Argument::Length(length) => length,
                Argument::Partial => return Scan::Partial(place),
                Argument::Invalid => return Scan::Invalid,
            };
            left -= 1;
            match usize::try_from(length).ok().filter(|length| *length <= rest.len()) {
                Some(length) => place += length,
                None => {
                    self.left = Some(left);
                    return Scan::Pass(place as u64 + length);
                }
            }
        }
        self.left = Some(0);
        Scan::Done(place)
    }

    /// An inline command: words in a line (Redis protocol specification, "Inline commands").
    pub(super) fn inline(message: Message, line: &[u8], max_text: usize) -> Option<Self> {
        let words = inline::words(line)?;
        let mut request = Self { left: Some(0), ..Self::new(message) };
        request.words.total = words.len() as u64;
        for word in words {
            request.words.take(&word, word.len() as u64, max_text)?;
        }
        request.words.known.map(|_| request)
    }

    /// Was the name seen?
    pub(super) const fn is_named(&self) -> bool {
        self.words.seen > 0
    }
}

enum Argument {
    /// Taken; it has so many bytes, head and line end included.
    Length(u64),
    /// More bytes are to be looked at.
    Partial,
    Invalid,
}

impl Words {
    fn argument(&mut self, bytes: &[u8], max_text: usize) -> Argument {
        let (length, line) = match element(bytes) {
            Read::Element(Element::Text(b'$', length), line) => (length, line),
            Read::Partial => return Argument::Partial,
            Read::Element(..) | Read::Invalid => return Argument::Invalid,
        };
        if self.seen == 0 && length > MAX_NAME as u64 {
            return Argument::Invalid;
        }
        let looked_at = self.interest(length).min(length).min(max_text as u64) as usize;
        let mut behind = Cursor::new(bytes.get(line..).unwrap_or_default());
        match behind.take(looked_at) {
            None => Argument::Partial,
            Some(seen) => match self.take(seen, length, max_text) {
                Some(()) => Argument::Length(line as u64 + length + 2),
                None => Argument::Invalid,
            },
        }
    }

    /// How many bytes of the next argument are to be looked at.
    fn interest(&self, length: u64) -> u64 {
        match () {
            () if self.seen == 0 || self.is_shown() => length,
            () if self.probes() && length <= MAX_OPTION => length,
            () => 0,
        }
    }

    fn keys(&self) -> Keys {
        self.known.map_or(Keys::Range(1, 0, 1), |known| known.keys)
    }

    /// May the next argument be shown?
    fn is_shown(&self) -> bool {
        let index = self.seen;
        let counted = |at: u8| index >= u64::from(at) && index - u64::from(at) <= self.counted;
        match self.keys() {
            Keys::Range(first, last, step) => {
                let last =
                    u64::try_from(last).unwrap_or_else(|_| self.total.saturating_add_signed(last.into()));
                let first = u64::from(first);
                index >= first && index <= last && (index - first).is_multiple_of(step.into())
            }
            Keys::Counted(at) => counted(at),
            Keys::FirstAndCounted(at) => index == 1 || counted(at),
            Keys::Part => index == 1,
            Keys::PartAndKey => index <= 2,
            Keys::Streams => self.streams.is_some_and(|at| index > at && index - at <= (self.total - at) / 2),
        }
    }

    /// Is the next argument one that may change what the command does?
    fn probes(&self) -> bool {
        match self.keys() {
            Keys::Streams => self.streams.is_none(),
            Keys::Part => self.name.eq_ignore_ascii_case("CLIENT REPLY") && self.seen == 2,
            _ => false,
        }
    }

    /// Takes the next argument, of which `seen` is the begin.
    fn take(&mut self, seen: &[u8], length: u64, max_text: usize) -> Option<()> {
        if self.seen == 0 {
            self.begin(seen)?;
        } else {
            let probes = self.probes();
            if probes {
                self.probe(seen);
            }
            let shown = self.is_shown() && (!self.counts() || decimal(seen).is_some());
            self.count(seen);
            self.show(if shown { seen } else { b"?" }, shown && length > seen.len() as u64, max_text);
        }
        self.seen += 1;
        Some(())
    }

    fn begin(&mut self, name: &[u8]) -> Option<()> {
        let looks_like_one = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > MAX_NAME || !name.iter().all(looks_like_one) {
            return None;
        }
        self.known = commands::find(name);
        self.name = match self.known {
            Some(known) if known.name.as_bytes() == name => SmolStr::new_static(known.name),
            _ => text(name, MAX_NAME).into(),
        };
        self.text = String::with_capacity(64);
        self.text.push_str(&self.name);
        Some(())
    }

    /// Is the next argument a number of keys?
    fn counts(&self) -> bool {
        matches!(self.keys(), Keys::Counted(at) | Keys::FirstAndCounted(at) if self.seen == u64::from(at))
    }

    fn count(&mut self, argument: &[u8]) {
        if self.counts() {
            self.counted = decimal(argument).unwrap_or(0);
        }
        let names = matches!(self.keys(), Keys::FirstAndCounted(_)) || self.is("SELECT");
        if self.seen == 1 && names {
            self.operand = text(argument, MAX_NAME + 8).into_owned();
        }
        let part = matches!(self.keys(), Keys::Part | Keys::PartAndKey);
        if self.seen == 1 && part && argument.len() <= MAX_NAME && is_word(argument) {
            self.name = format!("{} {}", self.name, text(argument, MAX_NAME)).into();
        }
    }

    fn probe(&mut self, argument: &[u8]) {
        match self.keys() {
            Keys::Part => self.operand = text(argument, MAX_NAME).to_ascii_uppercase(),
            _ if argument.eq_ignore_ascii_case(b"STREAMS") => self.streams = Some(self.seen),
            _ => self.blocks |= argument.eq_ignore_ascii_case(b"BLOCK"),
        }
    }

    /// Adds an argument to the text, which ends with `...` where it is full.
    fn show(&mut self, argument: &[u8], cut: bool, max_text: usize) {
        if self.text.len() >= max_text {
            return;
        }
        self.text.push(' ');
        if argument.iter().all(|byte| byte.is_ascii_graphic()) && !argument.is_empty() {
            self.text.push_str(&text(argument, max_text));
        } else {
            self.text.push_str(&format!("{:?}", text(argument, max_text)));
        }
        if cut || self.text.len() >= max_text {
            self.text.truncate(self.text.floor_char_boundary(max_text));
            self.text.push_str("...");
        }
    }

    /// Is it this command?
    pub(super) fn is(&self, name: &str) -> bool {
        self.known.is_some_and(|known| known.name == name)
    }
}

fn is_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-')
}
