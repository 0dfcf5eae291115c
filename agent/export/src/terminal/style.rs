//! Colour, only when asked for. Comes in: text and what it is. Goes out: the text, in SGR sequences (ECMA-48,
//! 8.3.117) or bare.

use std::fmt::{Display, Write};

/// What a text is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Times, ids and lines: there, but in the background.
    Faint,
    /// A service.
    Service,
    /// A name.
    Name,
    /// A failure.
    Error,
    /// Something the eye should catch: an uncertain link, a parent that is elsewhere.
    Notable,
}

impl Part {
    const fn code(self) -> &'static str {
        match self {
            Self::Faint => "2",
            Self::Service => "36",
            Self::Name => "1",
            Self::Error => "31",
            Self::Notable => "33",
        }
    }
}

/// With or without colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) colour: bool,
}

impl Style {
    /// Appends `text`.
    pub(super) fn put(self, out: &mut String, part: Part, text: impl Display) {
        let _infallible = if self.colour {
            write!(out, "\x1b[{}m{text}\x1b[0m", part.code())
        } else {
            write!(out, "{text}")
        };
    }
}
