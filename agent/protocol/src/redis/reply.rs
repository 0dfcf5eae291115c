//! Comes in: bytes of the server. Goes out: a reply, of which no more is kept than its type, its error and its first
//! words. Refuses: recursion: a count of what is left walks any nesting.

use super::resp::{Element, Read, Scan, element};
use crate::exchange::Message;

/// Longest word looked at, bytes: `punsubscribe`.
const MAX_WORD: usize = 12;

/// Longest error looked at, bytes.
const MAX_ERROR: usize = 256;

/// Elements looked at for a number: the count of subscriptions is the third of its aggregate.
const LOOKED_AT: u64 = 4;

/// Words of replies that mean something here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Word {
    /// None of them.
    #[default]
    Other,
    /// The answer to a SUBSCRIBE of any kind.
    Subscribed,
    /// The answer to an UNSUBSCRIBE of any kind.
    Unsubscribed,
    /// A published message.
    Message,
}

/// A reply under way, or complete.
pub(super) struct Reply {
    /// Where it stands.
    pub(super) message: Message,
    /// Its first byte; 0 before.
    pub(super) kind: u8,
    /// The first string of an aggregate.
    pub(super) word: Word,
    /// The first error in it.
    pub(super) error: Option<Vec<u8>>,
    /// The last integer among its first elements.
    pub(super) number: Option<i64>,
    /// Elements to come.
    left: u64,
    /// Elements of an attribute to come, which stand before the reply.
    aside: u64,
    /// Elements seen.
    seen: u64,
}

impl Reply {
    pub(super) const fn new(message: Message) -> Self {
        let (word, error, number) = (Word::Other, None, None);
        Self { message, kind: 0, word, error, number, left: 1, aside: 0, seen: 0 }
    }

    /// Reads on.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut place = 0;
        while self.left > 0 {
            let rest = bytes.get(place..).unwrap_or_default();
            let length = match element(rest) {
                Read::Element(element, line) => {
                    match self.take(element, rest.get(line..).unwrap_or_default()) {
                        Some(text) => line as u64 + text,
                        None => return Scan::Partial(place),
                    }
                }
                Read::Partial => return Scan::Partial(place),
                Read::Invalid => return Scan::Invalid,
            };
            match usize::try_from(length).ok().filter(|length| *length <= rest.len()) {
                Some(length) => place += length,
                None => return Scan::Pass(place as u64 + length),
            }
        }
        Scan::Done(place)
    }

    /// Takes an element; says how many bytes follow its line. `None` where too few of them are there to look at.
    fn take(&mut self, element: Element<'_>, behind: &[u8]) -> Option<u64> {
        let looks = self.aside == 0;
        let text = match element {
            Element::Text(kind, length) => {
                let count = usize::try_from(length).unwrap_or(usize::MAX).min(self.interest(kind));
                let text = behind.get(..count)?;
                self.look(kind, text, looks);
                length + 2
            }
            Element::Line(kind, text) => {
                self.look(kind, text, looks);
                0
            }
            Element::Many(kind, _) => {
                self.look(kind, &[], looks && kind != b'|');
                0
            }
        };
        self.count(element);
        Some(text)
    }

    /// How many bytes of a string are to be looked at. Values are not.
    const fn interest(&self, kind: u8) -> usize {
        match (kind, self.kind) {
            _ if self.aside > 0 => 0,
            (b'!', _) => MAX_ERROR,
            (_, b'*' | b'>') if self.seen == 1 => MAX_WORD + 1,
            _ => 0,
        }
    }

    fn count(&mut self, element: Element<'_>) {
        let more = if let Element::Many(_, number) = element { number } else { 0 };
        match element {
            Element::Many(b'|', number) if self.aside == 0 => self.aside = number,
            Element::Many(b'|', number) => self.aside = self.aside.saturating_add(number),
            _ if self.aside > 0 => self.aside = (self.aside - 1).saturating_add(more),
            _ => self.left = (self.left - 1).saturating_add(more),
        }
    }

    fn look(&mut self, kind: u8, text: &[u8], looks: bool) {
        if !looks {
            return;
        }
        if self.kind == 0 {
            self.kind = kind;
        }
        self.seen += 1;
        match kind {
            b'-' | b'!' if self.error.is_none() => {
                self.error = Some(text.get(..MAX_ERROR).unwrap_or(text).to_vec());
            }
            b'$' if self.seen <= 2 => self.word = word(text),
            b':' if self.seen <= LOOKED_AT => {
                self.number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            }
            _ => {}
        }
    }
}

fn word(text: &[u8]) -> Word {
    match text {
        b"subscribe" | b"psubscribe" | b"ssubscribe" => Word::Subscribed,
        b"unsubscribe" | b"punsubscribe" | b"sunsubscribe" => Word::Unsubscribed,
        b"message" | b"pmessage" | b"smessage" => Word::Message,
        _ => Word::Other,
    }
}
