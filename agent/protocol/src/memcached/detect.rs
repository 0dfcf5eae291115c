//! Comes in: the fronts of both directions. Goes out: is it Memcached, and which way do commands travel? Refuses: a
//! line that other protocols may have written, unless it is answered in words of this one.

use super::{Parsed, binary, text};
use crate::{
    event::Direction,
    protocol::{Detection, Sight},
    settings::Settings,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Nothing,
    /// No bytes.
    Empty,
    /// A command that could hardly be anything else.
    Command,
    /// A command that may be something else.
    MaybeCommand,
    /// An answer.
    Answer,
    /// An answer that could hardly be anything else.
    SureAnswer,
    /// Too short to tell.
    Partial,
}

fn look(bytes: &[u8], settings: &Settings) -> Look {
    match bytes.first() {
        None => Look::Empty,
        Some(&binary::REQUEST) => match binary::request(bytes, false, 0) {
            Parsed::Done(..) => Look::Command,
            Parsed::Partial => Look::Partial,
            Parsed::Cut(_) | Parsed::Invalid => Look::Nothing,
        },
        Some(&binary::RESPONSE) => match binary::answer(bytes) {
            Parsed::Done(..) => Look::SureAnswer,
            Parsed::Partial => Look::Partial,
            Parsed::Cut(_) | Parsed::Invalid => Look::Nothing,
        },
        Some(_) => line(bytes, settings),
    }
}

fn line(bytes: &[u8], settings: &Settings) -> Look {
    let word = bytes.split(|byte| matches!(byte, b' ' | b'\r' | b'\n')).next().unwrap_or_default();
    let name_goes_on = word.len() == bytes.len() && text::begins_name(word);
    match text::request(bytes, false, settings.max_head, 0) {
        // A storage command: the length of its value is a number in its place.
        Parsed::Done(_, _, 2..) => return Look::Command,
        Parsed::Done(..) => return Look::MaybeCommand,
        Parsed::Partial if name_goes_on || text::is_name(word) => return Look::Partial,
        Parsed::Partial | Parsed::Cut(_) | Parsed::Invalid => {}
    }
    match text::answer(bytes) {
        Parsed::Done(text::Line::More(2..), ..) => Look::SureAnswer,
        Parsed::Done(..) => Look::Answer,
        Parsed::Partial => Look::Partial,
        Parsed::Cut(_) | Parsed::Invalid => Look::Nothing,
    }
}

/// Which way commands travel, and how sure that is.
pub(super) fn detect(sight: &Sight<'_>, settings: &Settings) -> (Detection, Direction) {
    let received = look(sight.received.bytes, settings);
    let sent = look(sight.sent.bytes, settings);
    for (ask, answer, direction) in [(received, sent, Direction::Received), (sent, received, Direction::Sent)]
    {
        match (ask, answer) {
            (Look::Command, Look::Nothing) => {}
            (Look::Command, _) | (Look::MaybeCommand, Look::Answer | Look::SureAnswer) => {
                return (Detection::Certain, direction);
            }
            (Look::Empty | Look::Partial, Look::SureAnswer) => return (Detection::Certain, direction),
            _ => {}
        }
    }
    let direction = if sent == Look::MaybeCommand { Direction::Sent } else { Direction::Received };
    let open = |look| matches!(look, Look::Empty | Look::Partial | Look::MaybeCommand | Look::Answer);
    match (received, sent) {
        (Look::Empty, Look::Empty) => (Detection::NotForUs, direction),
        (received, sent) if open(received) && open(sent) => (Detection::Unsure, direction),
        _ => (Detection::NotForUs, direction),
    }
}
