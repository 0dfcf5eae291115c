//! Comes in: a client's first bytes. Goes out: what it wants: to begin, to encrypt, to cancel (PostgreSQL manual,
//! "Message Formats": StartupMessage, SSLRequest, GSSENCRequest, CancelRequest). Refuses: to keep any parameter but the
//! database's name.

use crate::cursor::Cursor;

/// Longest startup packet (`MAX_STARTUP_PACKET_LENGTH`, `src/include/libpq/pqcomm.h`).
const MAX_LENGTH: u32 = 10_000;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// A client's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Startup {
    /// It begins a session, in this database.
    Begin(Option<String>),
    /// It asks whether the server would encrypt.
    Encrypt,
    /// It asks to cancel another connection's query.
    Cancel,
}

/// What the bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A message of this many bytes.
    Message(Startup, u64),
    /// It may become one.
    Partial,
    /// None.
    Nothing,
}

/// Reads a first message. `cut`: no more of it will come.
pub(super) fn startup(bytes: &[u8], cut: bool) -> Seen {
    let mut cursor = Cursor::new(bytes);
    let Some((length, code)) = cursor.u32_be().zip(cursor.u32_be()) else {
        let plausible = bytes.iter().zip([0, 0]).all(|(byte, expected)| *byte == expected);
        return if plausible && !cut { Seen::Partial } else { Seen::Nothing };
    };
    let message = match (code, code >> 16, length) {
        (SSL | GSS, _, 8) => Startup::Encrypt,
        (CANCEL, _, 16..=MAX_LENGTH) => Startup::Cancel,
        (_, 3, 9..=MAX_LENGTH) => Startup::Begin(None),
        _ => return Seen::Nothing,
    };
    let whole = bytes.len() >= length as usize;
    let parameters = cursor.take((length as usize - 8).min(cursor.rest().len())).unwrap_or_default();
    match message {
        Startup::Begin(_) if !names_user(parameters, whole) => Seen::Nothing,
        _ if !whole && !cut => Seen::Partial,
        Startup::Begin(_) => Seen::Message(Startup::Begin(database(parameters)), length.into()),
        message => Seen::Message(message, length.into()),
    }
}

/// Could these be a session's parameters? Names are words, and the user is never left out. Kafka's requests for metadata
/// begin with the same length and version, and go on with a number.
fn names_user(parameters: &[u8], whole: bool) -> bool {
    let word = parameters.first().is_none_or(u8::is_ascii_alphabetic);
    word && (!whole || memchr::memmem::find(parameters, b"user\0").is_some())
}

/// The database, which is the user's name where none is given.
fn database(parameters: &[u8]) -> Option<String> {
    let mut cursor = Cursor::new(parameters);
    let mut user = None;
    while let Some((name, value)) = cursor.until(0).zip(cursor.until(0)) {
        match name {
            b"database" => return Some(String::from_utf8_lossy(value).into_owned()),
            b"user" => user = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(parameters: &[u8]) -> Vec<u8> {
        let length = parameters.len() as u32 + 8;
        [&length.to_be_bytes()[..], &[0, 3, 0, 0], parameters].concat()
    }

    #[test]
    fn first_messages() {
        let session = begin(b"user\0alice\0database\0shop\0\0");
        let seen = Seen::Message(Startup::Begin(Some("shop".to_owned())), session.len() as u64);
        assert_eq!(startup(&session, false), seen);
        let alone = begin(b"user\0alice\0\0");
        let seen = Seen::Message(Startup::Begin(Some("alice".to_owned())), alone.len() as u64);
        assert_eq!(startup(&alone, false), seen);
        let encrypt = [0, 0, 0, 8, 4, 210, 22, 47];
        assert_eq!(startup(&encrypt, false), Seen::Message(Startup::Encrypt, 8));
        let cancel = [0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(startup(&cancel, false), Seen::Message(Startup::Cancel, 16));
        assert_eq!(startup(b"GET / HTTP/1.1", false), Seen::Nothing);
        assert_eq!(startup(&[0, 0, 0, 8, 0, 0, 0, 0], false), Seen::Nothing);
        let kafka = b"\0\0\0\x14\0\x03\0\x01\0\0\0\x07\0\x02me\0\0\0\0";
        assert_eq!(startup(kafka, false), Seen::Nothing);
    }

    #[test]
    fn prefixes_are_partial() {
        let session = begin(b"user\0alice\0database\0shop\0\0");
        for length in 0..session.len() {
            assert_eq!(startup(session.get(..length).unwrap(), false), Seen::Partial, "{length}");
        }
    }
}
