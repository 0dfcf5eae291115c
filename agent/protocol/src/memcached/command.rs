//! Comes in: what a request says, later its replies. Goes out: what its exchange says, by the semantic conventions for
//! databases. Refuses: values.

use smol_str::SmolStr;

use crate::{
    attributes::Attributes,
    exchange::{Outcome, Value},
    pipeline::{self, Joined},
    token::Tokens,
};

/// A command that waits for its answer.
pub(super) struct Command {
    /// As the client wrote it; of the binary protocol, as its documentation calls it.
    pub(super) name: SmolStr,
    /// Name and keys; a value is a `?`.
    pub(super) text: String,
    /// Is no answer asked for, whatever happens (`noreply`, `quit`)?
    pub(super) silent: bool,
    /// Is an answer left out where it would not be news (`q` of the meta commands, GETQ and the like)?
    pub(super) quiet: bool,
    /// The answer that ends it.
    pub(super) end: End,
    /// Those of its pipeline that go on in it.
    pub(super) joined: Joined,
    pub(super) error: Option<Failure>,
}

/// Which answer ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The next one.
    Any,
    /// That to `mn`.
    Mark,
    /// The one that repeats operation and number of the binary protocol's request. The number alone would not do: some
    /// clients number nothing.
    Same(Tag),
}

/// Operation and number of a request of the binary protocol, which its answers repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) opcode: u8,
    pub(super) opaque: u32,
}

/// An answer of either protocol.
pub(super) struct Answer {
    /// Does it end what it answers? A part of the statistics does not.
    pub(super) last: bool,
    /// Is it that to `mn`?
    pub(super) mark: bool,
    /// Of the binary protocol.
    pub(super) tag: Option<Tag>,
    pub(super) error: Option<Failure>,
}

/// Why a command failed: a code, and words that quote nothing.
pub(super) struct Failure(pub(super) SmolStr, pub(super) Option<String>);

impl pipeline::Command for Command {
    const PROTOCOL: &'static str = "memcached";
    const BATCH: &'static str = "BATCH";
    type Answer = Answer;

    fn name(&self) -> &SmolStr {
        &self.name
    }

    fn due(&self) -> u64 {
        u64::from(!self.silent && !self.quiet)
    }

    fn is_quiet(&self) -> bool {
        self.quiet
    }

    fn is_mark(&self) -> bool {
        matches!(self.name.as_ref(), "mn" | "noop")
    }

    fn tokens(&self) -> Tokens {
        Tokens::within(self.text.as_bytes())
    }

    fn join(&mut self, other: Self, max_text: usize) {
        if !pipeline::Command::is_mark(&other) {
            self.joined.add(&mut self.text, &other.text, max_text);
        }
        // Of a pipeline of loud commands each answer ends one.
        self.end = if self.quiet && self.end != End::Any { other.end } else { End::Any };
        self.quiet = other.quiet;
    }

    fn take(&mut self, answer: Answer) -> u64 {
        let ends = match self.end {
            End::Any => true,
            End::Mark => answer.mark,
            End::Same(tag) => answer.tag == Some(tag),
        };
        self.error = self.error.take().or(answer.error);
        u64::from(ends && answer.last)
    }

    fn conclude(&mut self, attributes: &mut Attributes) -> Outcome {
        attributes.push(("db.system.name".into(), Value::fixed("memcached")));
        attributes.push(("db.query.text".into(), Value::Text(std::mem::take(&mut self.text).into())));
        match self.error.take() {
            None => Outcome::Unset,
            Some(Failure(code, description)) => {
                attributes.push(("db.response.status_code".into(), Value::Text(code.clone())));
                Outcome::Error(code, description)
            }
        }
    }
}

/// A name and its keys as one would type them, at most `max_text` bytes and `...`.
pub(super) fn text<'a>(
    name: &str,
    keys: impl Iterator<Item = &'a [u8]>,
    value: bool,
    max_text: usize,
) -> String {
    let mut text = name.to_owned();
    for key in keys {
        text.push(' ');
        text.push_str(&crate::attributes::text(key, max_text));
        if text.len() > max_text {
            text.truncate(text.floor_char_boundary(max_text));
            text.push_str("...");
            return text;
        }
    }
    if value {
        text.push_str(" ?");
    }
    text
}
