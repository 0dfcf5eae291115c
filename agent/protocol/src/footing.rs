//! Is it still the protocol that it was taken for? Comes in: messages that were read, and places where one should stand
//! and none does. Goes out: pass over such a place, or give up. Refuses: to follow for long what is something else.

use crate::{
    facts::Side,
    protocol::{Input, Sight, Step},
    settings::Settings,
};

/// What speaks for a protocol, and against it.
pub(crate) struct Footing {
    /// Was the connection seen from its first byte? Then bytes that do not fit mean that it is another protocol.
    fresh: bool,
    /// Was a request read?
    sound: bool,
    /// Places in a row where no message was.
    strays: u16,
}

impl Footing {
    /// At the begin of what is seen.
    pub(crate) fn new(sight: &Sight<'_>) -> Self {
        Self { fresh: sight.facts.side != Side::Unknown && sight.lost == 0, sound: false, strays: 0 }
    }

    /// Was the connection seen from its first byte?
    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// A request was read.
    pub(crate) const fn asked(&mut self) {
        (self.sound, self.strays) = (true, 0);
    }

    /// An answer was read. Much can be taken for one, so that it proves nothing.
    pub(crate) const fn answered(&mut self) {
        self.strays = 0;
    }

    /// No message where one should be: one such place of a new connection, or too many of an old one, mean that it is
    /// another protocol.
    pub(crate) const fn stray<F>(&mut self, settings: &Settings) -> Step<F> {
        self.strays = self.strays.saturating_add(1);
        if self.strays > settings.max_strays || (self.fresh && !self.sound) {
            return Step::GiveUp;
        }
        Step::Resync
    }
}

/// What is to be done before a parser looks: nothing is there yet, nothing is there at all, or the next message begins
/// with one of the next calls. `between` messages; `seeks`: after something was missed.
pub(crate) fn before<F>(input: &Input<'_>, between: bool, seeks: bool) -> Option<Step<F>> {
    match (input.bytes().is_empty(), input.cut()) {
        _ if !between => None,
        (true, None) => Some(Step::NeedMore),
        (true, Some(_)) => Some(Step::Resync),
        (false, _) => (seeks && !input.boundary()).then_some(Step::Resync),
    }
}
