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
    /// No bytes.
    Empty,
    /// Nothing of Redis.
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
        return Look::Empty;
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
            match name.map(|name| commands::find(name).is_some() || commands::is_of_module(name)) {
                Some(true) => Look::Command,
                Some(false) => Look::Reply,
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

/// Which way commands travel, and how sure that is. A command on one side is enough, whatever is left of an older reply
/// on the other.
pub(super) fn detect(sight: &Sight<'_>) -> (Detection, Direction) {
    let (received, sent) = (look(sight.received.bytes), look(sight.sent.bytes));
    let side = match sight.facts.side {
        Side::Client => Some(Direction::Sent),
        Side::Server => Some(Direction::Received),
        Side::Unknown => None,
    };
    let asks = |look| matches!(look, Look::Command | Look::PartialCommand | Look::Inline);
    let direction = match (asks(received), asks(sent)) {
        (true, false) => Direction::Received,
        (false, true) => Direction::Sent,
        // What one side asks and the other answers with the same words is told by who connected.
        (true, true) => side.unwrap_or(Direction::Received),
        (false, false) if sent == Look::Reply => side.unwrap_or(Direction::Received),
        (false, false) => side.unwrap_or(Direction::Sent),
    };
    let detection = match (received, sent) {
        (Look::Command, _) | (_, Look::Command) => Detection::Certain,
        (Look::Inline, Look::Reply) | (Look::Reply, Look::Inline) => Detection::Certain,
        (Look::Nothing, _) | (_, Look::Nothing) | (Look::Empty, Look::Empty) => Detection::NotForUs,
        _ => Detection::Unsure,
    };
    (detection, direction)
}
