//! Comes in: the fronts of both directions. Goes out: is it Redis, and which way do commands travel? Refuses: to take
//! a reply for a command, or a line that another protocol of lines may have written.

use super::{
    commands,
    resp::{Element, Read, element},
};
use crate::{
    cursor::Cursor,
    event::Direction,
    facts::Side,
    protocol::{Detection, Sight},
};

/// What the front of a direction looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Nothing,
    /// An array of strings whose first one is a known command.
    Command,
    /// The same, as far as it is there.
    PartialCommand,
    /// A line that begins with a known command.
    Inline,
    /// An element that may be a reply.
    Reply,
    /// Too short to tell.
    Partial,
}

/// Commands that are sent inline by hand and by health checks, and that no other protocol of lines knows.
const INLINE: [&str; 6] = ["ECHO", "EXISTS", "INFO", "PING", "DBSIZE", "LASTSAVE"];

fn look(bytes: &[u8]) -> Look {
    if bytes.is_empty() {
        return Look::Nothing;
    }
    match element(bytes) {
        Read::Element(Element::Many(b'*', 1..), line) => name(bytes.get(line..).unwrap_or_default()),
        Read::Element(..) => Look::Reply,
        Read::Partial => Look::Partial,
        Read::Invalid => inline(bytes),
    }
}

/// The first string of an array.
fn name(bytes: &[u8]) -> Look {
    match element(bytes) {
        Read::Element(Element::Text(b'$', length), line) => {
            let behind = bytes.get(line..).unwrap_or_default();
            let name = usize::try_from(length).ok().and_then(|length| behind.get(..length));
            match name.map(commands::find) {
                Some(Some(_)) => Look::Command,
                Some(None) => Look::Reply,
                None if length <= 24 && behind.iter().all(u8::is_ascii_graphic) => Look::PartialCommand,
                None => Look::Reply,
            }
        }
        Read::Partial => Look::PartialCommand,
        Read::Element(..) => Look::Reply,
        Read::Invalid => Look::Nothing,
    }
}

fn inline(bytes: &[u8]) -> Look {
    let mut cursor = Cursor::new(bytes);
    let line = cursor.line();
    let word = line.unwrap_or(bytes).split(|byte| *byte == b' ').next().unwrap_or_default();
    let fits = |name: &&str| {
        let begin = name.as_bytes().get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            && (line.is_none() || word.len() == name.len())
    };
    match INLINE.iter().any(fits) {
        true if line.is_some() => Look::Inline,
        true => Look::Partial,
        false => Look::Nothing,
    }
}

/// Which way commands travel, and how sure that is.
pub(super) fn detect(sight: &Sight<'_>) -> (Detection, Direction) {
    let (received, sent) = (look(sight.received.bytes), look(sight.sent.bytes));
    let side = match sight.facts.side {
        Side::Client => Some(Direction::Sent),
        Side::Server => Some(Direction::Received),
        Side::Unknown => None,
    };
    match (received, sent) {
        // What one side asks and the other answers with the same words is told by who connected.
        (Look::Command, Look::Command) => (Detection::Certain, side.unwrap_or(Direction::Received)),
        (Look::Command, other) => (certain(other), Direction::Received),
        (other, Look::Command) => (certain(other), Direction::Sent),
        (Look::Inline, Look::Reply) => (Detection::Certain, Direction::Received),
        (Look::Reply, Look::Inline) => (Detection::Certain, Direction::Sent),
        (Look::PartialCommand | Look::Inline, Look::Nothing | Look::Partial | Look::Reply) => {
            (Detection::Unsure, Direction::Received)
        }
        (Look::Nothing | Look::Partial | Look::Reply, Look::PartialCommand | Look::Inline) => {
            (Detection::Unsure, Direction::Sent)
        }
        (Look::Partial | Look::Reply, _) => (Detection::Unsure, side.unwrap_or(Direction::Sent)),
        (_, Look::Partial | Look::Reply) => (Detection::Unsure, side.unwrap_or(Direction::Received)),
        _ => (Detection::NotForUs, Direction::Received),
    }
}

/// A command on one side is enough, whatever is left of an older reply on the other.
const fn certain(_other: Look) -> Detection {
    Detection::Certain
}
