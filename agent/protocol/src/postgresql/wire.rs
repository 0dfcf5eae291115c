//! Comes in: bytes at which a message may begin. Goes out: its header, and whether a run of messages is what a client or
//! a server would say (PostgreSQL manual, "Message Formats", protocol 3.0 and 3.2). Refuses: what merely looks like it:
//! every length and the fixed parts of every message must fit.

use crate::cursor::Cursor;

/// Bytes of a message before its content: a byte for its kind, four for the length, which counts itself.
pub(super) const HEADER: usize = 5;

/// Longest message; the server allocates no more (`MaxAllocSize`, `src/include/utils/memutils.h`).
const MAX_MESSAGE: u64 = 1 << 30;

/// Longest message by which a connection is recognised: text of other protocols gives larger lengths.
const MAX_TELLING: u64 = 1 << 24;

/// Messages looked at to recognise a connection.
const MAX_CHAIN: usize = 64;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Client,
    Server,
}

/// The begin of a message.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: u8,
    /// Bytes of the whole message.
    pub(super) total: u64,
}

/// Reads the header. `None` where bytes are missing.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let mut cursor = Cursor::new(bytes);
    let (kind, length) = (cursor.u8()?, cursor.u32_be()?);
    Some(Header { kind, total: u64::from(length) + 1 })
}

/// Kinds of messages that each of them sends, a bit for each: asked of every message.
const CLIENT: u128 = bits(b"QPBEDCSHFdcfpX");
const SERVER: u128 = bits(b"RKSZTDCEINAdcGHWnst123vV");

const fn bits(mut kinds: &[u8]) -> u128 {
    let mut bits = 0;
    while let [first, rest @ ..] = kinds {
        bits |= bit(*first);
        kinds = rest;
    }
    bits
}

/// None for what is not ASCII.
const fn bit(kind: u8) -> u128 {
    if kind.is_ascii() { 1 << kind } else { 0 }
}

impl Header {
    /// Can `speaker` have begun a message so?
    pub(super) fn fits(self, speaker: Speaker) -> bool {
        let kinds = match speaker {
            Speaker::Client => CLIENT,
            Speaker::Server => SERVER,
        };
        (HEADER as u64..=MAX_MESSAGE).contains(&self.total) && kinds & bit(self.kind) != 0
    }
}

/// What a run of messages looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// Whole messages, the last of which ends what `speaker` says for now.
    Closed,
    /// All fits so far; the last message goes on, or another one may follow.
    Open,
    /// It does not fit.
    Broken,
}

/// Looks at messages from the first byte on.
pub(super) fn chain(bytes: &[u8], speaker: Speaker) -> Chain {
    let mut rest = bytes;
    let mut last = 0;
    for _ in 0..MAX_CHAIN {
        if rest.is_empty() {
            break;
        }
        let Some(header) = header(rest) else {
            let kind = rest.first().copied().unwrap_or_default();
            let known = Header { kind, total: HEADER as u64 }.fits(speaker);
            let small = rest.get(1).is_none_or(|high| *high == 0);
            return if known && small { Chain::Open } else { Chain::Broken };
        };
        if !header.fits(speaker) || header.total > MAX_TELLING || !length_fits(header, speaker) {
            return Chain::Broken;
        }
        let length = usize::try_from(header.total).unwrap_or(usize::MAX);
        let Some(message) = rest.get(..length) else {
            return if beginning_fits(header, rest, speaker) { Chain::Open } else { Chain::Broken };
        };
        if !content_fits(header, message.get(HEADER..).unwrap_or_default(), speaker) {
            return Chain::Broken;
        }
        last = header.kind;
        rest = rest.get(length..).unwrap_or_default();
    }
    match (speaker, last) {
        (Speaker::Client, b'Q' | b'S' | b'H') | (Speaker::Server, b'Z') if rest.is_empty() => Chain::Closed,
        _ => Chain::Open,
    }
}

/// Does the message have a length that its kind can have?
const fn length_fits(header: Header, speaker: Speaker) -> bool {
    let content = header.total - HEADER as u64;
    match (speaker, header.kind) {
        (Speaker::Client, b'S' | b'H' | b'X' | b'c') => content == 0,
        (Speaker::Client, b'P') => content >= 4,
        (Speaker::Client, b'B') => content >= 8,
        (Speaker::Client, b'E') => content >= 5,
        (Speaker::Client, b'Q' | b'D' | b'C') => content >= 1,
        (Speaker::Server, b'Z') => content == 1,
        (Speaker::Server, b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c') => content == 0,
        (Speaker::Server, b'R' | b'v' | b'V') => content >= 4,
        (Speaker::Server, b'K') => content >= 8,
        (Speaker::Server, b'G' | b'H' | b'W') => content >= 3,
        (Speaker::Server, b'T' | b'D' | b't' | b'C' | b'E' | b'N' | b'S') => content >= 2,
        _ => true,
    }
}

/// Could a message that is not complete begin so? Of a long query the text must look like text.
fn beginning_fits(header: Header, bytes: &[u8], speaker: Speaker) -> bool {
    let content = bytes.get(HEADER..).unwrap_or_default();
    match (speaker, header.kind) {
        (Speaker::Client, b'Q') => content.iter().all(|byte| is_text(*byte)),
        (Speaker::Server, b'E' | b'N') => content.first().is_none_or(|field| *field == b'S'),
        _ => true,
    }
}

/// Does the content of a whole message fit its kind?
fn content_fits(header: Header, content: &[u8], speaker: Speaker) -> bool {
    let (last, inner) = content.split_last().map_or((None, content), |(last, inner)| (Some(*last), inner));
    match (speaker, header.kind) {
        (Speaker::Client, b'Q') => last == Some(0) && inner.iter().all(|byte| is_text(*byte)),
        (Speaker::Client, b'D' | b'C') => last == Some(0) && matches!(content.first(), Some(b'S' | b'P')),
        (Speaker::Server, b'Z') => matches!(last, Some(b'I' | b'T' | b'E')),
        (Speaker::Server, b'C') => last == Some(0) && inner.iter().all(|byte| matches!(byte, b' '..=b'~')),
        (Speaker::Server, b'E' | b'N') => content.first() == Some(&b'S') && content.ends_with(&[0, 0]),
        (Speaker::Server, b'S') => last == Some(0) && memchr::memchr(0, inner).is_some(),
        _ => true,
    }
}

const fn is_text(byte: u8) -> bool {
    byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r')
}

/// `ReadyForQuery`, up to the transaction's state.
const READY: &[u8] = b"Z\0\0\0\x05";

/// Longest `CommandComplete` looked for before it: tags are short (`INSERT 0 ` and a number).
const MAX_TAG: usize = 64;

/// `PortalSuspended`
const SUSPENDED: &[u8] = b"s\0\0\0\x04";

/// Where in the last bytes of a call the end of a response begins: at the `CommandComplete` before its
/// `ReadyForQuery`, at that, or at the `PortalSuspended` that ends a part of the rows.
pub(super) fn response_end(call: &[u8]) -> Option<usize> {
    if let Some(before) = call.strip_suffix(SUSPENDED) {
        return Some(before.len());
    }
    let ready = call.len().checked_sub(READY.len() + 1)?;
    let end = call.get(ready..)?;
    if !end.starts_with(READY) || !matches!(end.last(), Some(b'I' | b'T' | b'E')) {
        return None;
    }
    let candidates = (ready.saturating_sub(MAX_TAG)..ready).rev();
    let complete = candidates.filter(|place| call.get(*place) == Some(&b'C')).find(|place| {
        let message = call.get(*place..ready).unwrap_or_default();
        let content = message.get(HEADER..).unwrap_or_default();
        header(message).is_some_and(|header| {
            header.total == message.len() as u64 && content_fits(header, content, Speaker::Server)
        })
    });
    Some(complete.unwrap_or(ready))
}

/// Where in the last bytes of a call a client's `CopyDone` or `Sync` begins.
pub(super) fn request_end(call: &[u8]) -> Option<usize> {
    let sync = call.strip_suffix(b"S\0\0\0\x04");
    let done = sync.unwrap_or(call).strip_suffix(b"c\0\0\0\x04");
    done.or(sync).map(<[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_messages() {
        for (bytes, speaker, expected) in [
            (&b"Q\0\0\0\x0dSELECT 1\0"[..], Speaker::Client, Chain::Closed),
            (b"Q\0\0\0\x0dSELECT", Speaker::Client, Chain::Open),
            (b"Q\0\0\0\x0dSELE\0T 1\0", Speaker::Client, Chain::Broken),
            (b"QUIT\r\n", Speaker::Client, Chain::Broken),
            (b"Q", Speaker::Client, Chain::Open),
            (b"S\0\0\0\x04", Speaker::Client, Chain::Closed),
            (b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04", Speaker::Client, Chain::Closed),
            (b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I", Speaker::Server, Chain::Closed),
            (b"C\0\0\0\x0dSELECT 1\0", Speaker::Server, Chain::Open),
            (b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05X", Speaker::Server, Chain::Broken),
            (b"220 ready\r\n", Speaker::Server, Chain::Broken),
            (b"HTTP/1.1 200 OK\r\n", Speaker::Server, Chain::Broken),
        ] {
            assert_eq!(chain(bytes, speaker), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn ends_are_found_from_behind() {
        let end = b"C\0\0\0\x10SELECT 1000\0Z\0\0\0\x05I";
        let call = [&b"xyC\0\0\0\x10C\0\0"[..], end].concat();
        assert_eq!(response_end(&call), Some(10));
        assert_eq!(response_end(b"....Z\0\0\0\x05T"), Some(4));
        assert_eq!(response_end(b"....Z\0\0\0\x05?"), None);
        assert_eq!(response_end(b"....s\0\0\0\x04"), Some(4));
        assert_eq!(request_end(b"data\nc\0\0\0\x04S\0\0\0\x04"), Some(5));
        assert_eq!(request_end(b"data\nS\0\0\0\x04"), Some(5));
        assert_eq!(request_end(b"data\n"), None);
    }
}
