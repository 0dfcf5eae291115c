//! Comes in: the bytes of one message (RFC 1035 section 4, RFC 6891). Goes out: header, question, addresses and aliases
//! of the answer. Refuses: names that point forwards or go on without end; records it cannot follow end the reading.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::cursor::Cursor;

/// Bytes of a header.
pub(super) const HEADER: usize = 12;

/// Longest name on the wire, bytes (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 255;

/// Addresses and aliases kept of an answer.
const MAX_ANSWERS: usize = 32;

/// Records looked at in a message.
const MAX_RECORDS: u32 = 512;

/// A message, as far as it was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) is_response: bool,
    pub(super) opcode: u8,
    /// Answers were left out, to be asked for over TCP.
    pub(super) is_truncated: bool,
    /// With the upper bits of EDNS.
    pub(super) code: u16,
    pub(super) question: Option<Question>,
    /// Addresses, as text.
    pub(super) addresses: Vec<String>,
    /// Names that aliases point to, in order.
    pub(super) aliases: Vec<String>,
    /// Was every record read, and nothing left over?
    pub(super) is_exact: bool,
    /// Do the bits hold together that are always so?
    pub(super) is_sound: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) kind: u16,
    pub(super) class: u16,
}

/// Reads a message. `None` where not even header and question are there.
pub(super) fn read(bytes: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(bytes);
    let id = cursor.u16_be()?;
    let flags = cursor.u16_be()?;
    let [questions, answers, authorities, additional] =
        [cursor.u16_be()?, cursor.u16_be()?, cursor.u16_be()?, cursor.u16_be()?];
    let is_response = flags & 0x8000 != 0;
    let (opcode, code) = ((flags >> 11 & 15) as u8, flags & 15);
    // The bit between RA and AD is zero; a question has no code, and one question.
    let plain = flags & 0x40 == 0 && matches!(opcode, 0 | 4 | 5) && questions <= 1;
    let asks = questions == 1 && code == 0 && flags & 0x0400 == 0;
    let is_sound = plain && (is_response || asks && (opcode != 0 || answers == 0));
    let question = if questions > 0 { Some(question(bytes, &mut cursor)?) } else { None };
    let mut message = Message {
        id,
        is_response,
        opcode,
        is_truncated: flags & 0x0200 != 0,
        code,
        question,
        is_sound,
        ..Message::default()
    };
    let records = u32::from(answers) + u32::from(authorities) + u32::from(additional);
    let all = records <= MAX_RECORDS
        && (0..records)
            .all(|number| record(bytes, &mut cursor, number < answers.into(), &mut message).is_some());
    message.is_exact = all && cursor.is_empty();
    Some(message)
}

fn question(bytes: &[u8], cursor: &mut Cursor<'_>) -> Option<Question> {
    let name = name(bytes, cursor)?;
    Some(Question { name, kind: cursor.u16_be()?, class: cursor.u16_be()? })
}

/// One record; what it tells of the answer goes into `message`.
fn record(bytes: &[u8], cursor: &mut Cursor<'_>, answers: bool, message: &mut Message) -> Option<()> {
    skip_name(cursor)?;
    let kind = cursor.u16_be()?;
    let _class = cursor.u16_be()?;
    let lifetime = cursor.u32_be()?;
    let length: usize = cursor.u16_be()?.into();
    let begin = cursor.place();
    let content = cursor.take(length)?;
    // Of an update (RFC 2136) they are conditions, and may have no content.
    let answers = answers && message.opcode == 0;
    let room = message.addresses.len() + message.aliases.len() < MAX_ANSWERS;
    match kind {
        // OPT: its lifetime begins with the upper bits of the code.
        41 => message.code |= (lifetime >> 20 & 0xff0) as u16,
        1 if answers && room => {
            message.addresses.push(Ipv4Addr::from(<[u8; 4]>::try_from(content).ok()?).to_string());
        }
        28 if answers && room => {
            message.addresses.push(Ipv6Addr::from(<[u8; 16]>::try_from(content).ok()?).to_string());
        }
        5 if answers && room => {
            let mut at = Cursor::new(bytes);
            at.take(begin)?;
            message.aliases.push(name(bytes, &mut at)?);
        }
        _ => {}
    }
    Some(())
}

/// Steps over a name.
fn skip_name(cursor: &mut Cursor<'_>) -> Option<()> {
    // Each step takes a byte at least, so that the bytes bound it.
    loop {
        match cursor.u8()? {
            0 => return Some(()),
            length @ 1..=63 => cursor.take(length.into())?,
            192.. => return cursor.u8().map(|_| ()),
            _ => return None,
        };
    }
}

/// Reads a name and steps over it: labels with dots between, `.` for the root.
fn name(bytes: &[u8], cursor: &mut Cursor<'_>) -> Option<String> {
    let mut text = String::new();
    let mut at = *cursor;
    skip_name(cursor)?;
    let (mut least, mut total) = (at.place(), 0);
    loop {
        match at.u8()? {
            0 => break,
            length @ 1..=63 => {
                total += usize::from(length) + 1;
                if total >= MAX_NAME {
                    return None;
                }
                label(at.take(length.into())?, &mut text);
            }
            length @ 192.. => {
                let place = usize::from(length & 63) << 8 | usize::from(at.u8()?);
                // Pointers go backwards, each further than the one before: so they end.
                if place >= least {
                    return None;
                }
                least = place;
                at = Cursor::new(bytes);
                at.take(place)?;
            }
            _ => return None,
        }
    }
    Some(if text.is_empty() { ".".to_owned() } else { text })
}

/// Adds a label; bytes that would not show, or that mean something between labels, are escaped (RFC 1035 section 5.1).
fn label(bytes: &[u8], text: &mut String) {
    if !text.is_empty() {
        text.push('.');
    }
    for byte in bytes {
        match byte {
            b'.' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b'!'..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03one\x04test\0\0\x01\0\x01";

    #[test]
    fn a_question_is_read() {
        let message = read(QUERY).expect("a message");
        let question = Question { name: "one.test".into(), kind: 1, class: 1 };
        assert_eq!((message.id, message.question), (0x1234, Some(question)));
        assert!(message.is_exact && message.is_sound && !message.is_response);
    }

    #[test]
    fn prefixes_are_no_question() {
        for length in 0..QUERY.len() {
            assert_eq!(QUERY.get(..length).and_then(read), None);
        }
    }

    #[test]
    fn names_end() {
        let head = b"\0\0\x01\0\0\x01\0\0\0\0\0\0";
        for name in [&b"\xc0\x0c"[..], b"\xc0\x20", b"\x01a\xc0\x0c", b"\x40", b"\xff\xff"] {
            assert_eq!(read(&[head, name, b"\0\x01\0\x01"].concat()), None, "{name:?}");
        }
        let long = [
            head.as_slice(),
            &b"\x3faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".repeat(5),
            b"\0\0\x01\0\x01",
        ];
        assert_eq!(read(&long.concat()), None);
    }

    #[test]
    fn odd_bytes_of_names_are_escaped() {
        let bytes = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x04a.\x00 \x00\0\x01\0\x01";
        let name = read(bytes).and_then(|message| message.question).map(|question| question.name);
        assert_eq!(name.as_deref(), Some(r"a\.\000\032"));
    }
}
