//! Comes in: the front of a direction. Goes out: who speaks there, and whether it is MySQL. Refuses: the port as a proof,
//! and packets that fit by their lengths alone.

use super::{
    command::{self, EXECUTE, INIT_DB, PING, PREPARE, QUERY},
    handshake,
    wire::{self, HEADER},
};
use crate::{
    cursor::Cursor,
    protocol::Detection,
    sql::begins_statement,
    stream::{Front, Next},
};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Client,
    Server,
}

/// What the bytes of a direction say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) speaker: Option<Speaker>,
    pub(super) detection: Detection,
    /// A whole packet that fits, though many would.
    pub(super) fits: bool,
}

const NOTHING: Evidence = Evidence { speaker: None, detection: Detection::NotForUs, fits: false };

const fn evidence_of(speaker: Speaker, detection: Detection) -> Evidence {
    Evidence { speaker: Some(speaker), detection, fits: false }
}

const fn fitting(speaker: Speaker) -> Evidence {
    Evidence { speaker: Some(speaker), detection: Detection::Unsure, fits: true }
}

/// Looks at the front of a direction.
pub(super) fn evidence(front: &Front<'_>) -> Evidence {
    let bytes = front.bytes;
    if bytes.is_empty() || !front.boundary {
        return NOTHING;
    }
    let Some(header) = wire::header(bytes) else {
        // No packet by which MySQL is recognised is longer than 64 KiB.
        let small = bytes.get(2).is_none_or(|high| *high == 0);
        let detection =
            if small && front.next == Next::More { Detection::Unsure } else { Detection::NotForUs };
        return Evidence { detection, ..NOTHING };
    };
    let payload = bytes.get(HEADER..).unwrap_or_default();
    match (header.sequence, header.length) {
        (_, 0) => NOTHING,
        (0, length) if payload.first().is_none_or(|first| *first == 0x0a) => {
            greeting(payload, length as usize, front.next == Next::More)
        }
        (0, length) => client(payload, length as usize),
        (1, length) => server(payload, length as usize),
        _ => NOTHING,
    }
}

/// A greeting has the number 0, like a command; 10 is a command that nobody uses any more.
fn greeting(payload: &[u8], length: usize, more: bool) -> Evidence {
    match payload.get(..length).map(handshake::greeting) {
        Some(Some(_)) => evidence_of(Speaker::Server, Detection::Certain),
        None if more && handshake::greets(payload) => evidence_of(Speaker::Server, Detection::Unsure),
        _ => NOTHING,
    }
}

fn client(payload: &[u8], length: usize) -> Evidence {
    let certain = evidence_of(Speaker::Client, Detection::Certain);
    let first = payload.first().copied().unwrap_or_default();
    let whole = payload.len() == length;
    if payload.len() > length || command::command(first).is_none() {
        return NOTHING;
    }
    let rest = payload.get(1..).unwrap_or_default();
    match first {
        // Query attributes come first: their number, and that of their sets.
        QUERY if begins_statement(rest.strip_prefix(&[0, 1]).unwrap_or(rest)) => certain,
        PREPARE if begins_statement(rest) => certain,
        QUERY | PREPARE if whole && !rest.starts_with(&[0]) && !rest.starts_with(&[1]) => NOTHING,
        EXECUTE if whole && iterations(rest) == Some(1) => certain,
        PING if length == 1 => fitting(Speaker::Client),
        INIT_DB if whole && rest.iter().all(|byte| byte.is_ascii_graphic()) => fitting(Speaker::Client),
        _ if whole => NOTHING,
        _ => evidence_of(Speaker::Client, Detection::Unsure),
    }
}

/// COM_STMT_EXECUTE: number, flags, iterations, which are always 1.
fn iterations(content: &[u8]) -> Option<u32> {
    let mut cursor = Cursor::new(content);
    let _statement = cursor.take(4)?;
    (cursor.u8()? <= 0x0f).then_some(())?;
    cursor.u32_le()
}

fn server(payload: &[u8], length: usize) -> Evidence {
    let first = payload.first().copied().unwrap_or_default();
    let behind = payload.get(length..).unwrap_or_default();
    match first {
        0xff if payload.len() == length && wire::ends(payload) => {
            evidence_of(Speaker::Server, Detection::Certain)
        }
        0x00 if payload.len() == length && length >= 7 => fitting(Speaker::Server),
        // A number of columns, then the first of them, of the catalogue `def`.
        1.. if length <= 3 && behind.get(3..8) == Some(b"\x02\x03def") => {
            evidence_of(Speaker::Server, Detection::Certain)
        }
        _ if payload.len() < length || (length <= 3 && behind.len() < 8) => {
            evidence_of(Speaker::Server, Detection::Unsure)
        }
        _ => NOTHING,
    }
}

/// Both directions together: a command and its answer prove each other.
pub(super) fn together(received: Evidence, sent: Evidence) -> Detection {
    let answer = received.fits && sent.fits && received.speaker != sent.speaker;
    match (received.detection, sent.detection) {
        (Detection::Certain, _) | (_, Detection::Certain) => Detection::Certain,
        _ if answer => Detection::Certain,
        (Detection::Unsure, _) | (_, Detection::Unsure) => Detection::Unsure,
        _ => Detection::NotForUs,
    }
}
