//! Records (FastCGI Specification 1.0, sections 3.3, 5 and 8). Comes in: bytes at which a record may begin. Goes out: its
//! header, its fixed bodies, and whether a connection begins so. Refuses: a header that no program writes.

use crate::{cursor::Cursor, protocol::Detection};

/// Length of a record's header, bytes.
pub(super) const HEADER: usize = 8;

/// Length of the bodies of BEGIN_REQUEST and END_REQUEST, bytes.
const BODY: u16 = 8;

/// FCGI_VERSION_1.
const VERSION: u8 = 1;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// FCGI_BEGIN_REQUEST, 1.
    Begin,
    /// FCGI_ABORT_REQUEST, 2.
    Abort,
    /// FCGI_END_REQUEST, 3.
    End,
    /// FCGI_PARAMS, 4.
    Params,
    /// FCGI_STDIN, 5.
    Stdin,
    /// FCGI_STDOUT, 6.
    Stdout,
    /// FCGI_STDERR, 7.
    Stderr,
    /// FCGI_DATA, 8, and FCGI_GET_VALUES, 9.
    OtherAsk,
    /// FCGI_GET_VALUES_RESULT, 10, and FCGI_UNKNOWN_TYPE, 11.
    OtherAnswer,
}

impl Kind {
    const fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Begin,
            2 => Self::Abort,
            3 => Self::End,
            4 => Self::Params,
            5 => Self::Stdin,
            6 => Self::Stdout,
            7 => Self::Stderr,
            8 | 9 => Self::OtherAsk,
            10 | 11 => Self::OtherAnswer,
            _ => return None,
        })
    }

    /// Does a program of this side write it?
    const fn asks(self) -> bool {
        matches!(self, Self::Begin | Self::Abort | Self::Params | Self::Stdin | Self::OtherAsk)
    }
}

/// The begin of every record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// The request; 0 where it is about the connection.
    pub(super) id: u16,
    /// Of the content, bytes.
    pub(super) content: u16,
    /// Behind the content, bytes.
    padding: u8,
}

impl Header {
    /// The header at the front of what one side writes: `asks` the one that begins requests. `None` where there is none, be
    /// it that bytes are missing.
    pub(super) fn read(bytes: &[u8], asks: bool) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        cursor.literal(&[VERSION])?;
        let kind = Kind::of(cursor.u8()?)?;
        let (id, content, padding) = (cursor.u16_be()?, cursor.u16_be()?, cursor.u8()?);
        cursor.u8()?;
        let header = Self { kind, id, content, padding };
        (kind.asks() == asks && header.is_lawful()).then_some(header)
    }

    const fn is_lawful(self) -> bool {
        match self.kind {
            Kind::Begin | Kind::End => self.id != 0 && self.content == BODY,
            Kind::Abort => self.id != 0 && self.content == 0,
            Kind::Params | Kind::Stdin | Kind::Stdout | Kind::Stderr => self.id != 0,
            Kind::OtherAsk | Kind::OtherAnswer => true,
        }
    }

    /// Length of the record, bytes.
    pub(super) fn whole(self) -> usize {
        HEADER + usize::from(self.content) + usize::from(self.padding)
    }
}

/// The body of END_REQUEST (section 5.5). What is reserved in it may hold anything: PHP leaves it as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What the application's process would have exited with.
    pub(super) app_status: u32,
    protocol_status: u8,
}

impl Verdict {
    /// Of a record whose header was read.
    pub(super) fn read(record: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(record);
        cursor.take(HEADER)?;
        Some(Self { app_status: cursor.u32_be()?, protocol_status: cursor.u8()? })
    }

    /// `error.type` where the request was refused, or the application says that it failed.
    pub(super) const fn error(self) -> Option<&'static str> {
        match (self.protocol_status, self.app_status) {
            (0, 0) => None,
            (0, _) => Some("app_status"),
            (1, _) => Some("cant_mpx_conn"),
            (2, _) => Some("overloaded"),
            (3, _) => Some("unknown_role"),
            _ => Some("unknown_protocol_status"),
        }
    }
}

/// Does a connection begin so? With a request it does (section 5.1), or with a question about the application (section
/// 4.1).
pub(super) fn look(bytes: &[u8]) -> Detection {
    let request = fit(bytes, HEADER + usize::from(BODY), begins_request);
    if bytes.get(2..4) == Some(&[0, 0]) || request == Detection::NotForUs {
        return fit(bytes, HEADER + QUESTION.len() + 2, begins_question);
    }
    request
}

/// Do the first `length` bytes fit?
fn fit(bytes: &[u8], length: usize, fits: fn(usize, u8) -> bool) -> Detection {
    let known = bytes.get(..length).unwrap_or(bytes);
    match known.iter().enumerate().all(|(place, byte)| fits(place, *byte)) {
        false => Detection::NotForUs,
        true if known.len() == length => Detection::Certain,
        true => Detection::Unsure,
    }
}

/// BEGIN_REQUEST: a role that exists (1 to 3), the one flag there is, and zeros where bytes are reserved.
fn begins_request(place: usize, byte: u8) -> bool {
    match place {
        0 | 1 => byte == 1,
        5 => u16::from(byte) == BODY,
        9 => (1..=3).contains(&byte),
        10 => byte <= 1,
        4 | 7 | 8 | 11.. => byte == 0,
        _ => true,
    }
}

/// How the names of GET_VALUES begin; they come without values.
const QUESTION: &[u8] = b"FCGI_";

/// GET_VALUES.
fn begins_question(place: usize, byte: u8) -> bool {
    match place {
        0 => byte == 1,
        1 => byte == 9,
        2 | 3 | 7 | 9 => byte == 0,
        10.. => QUESTION.get(place - 10) == Some(&byte),
        _ => true,
    }
}

/// Longest rest of a call that is searched for its last records, bytes. The kernel's copy of a call's end is shorter.
pub(super) const MAX_REST: usize = 256;

/// Place of the first of the records that fill the rest of an answer to its last byte, and end a request there. Behind a
/// hole in the call this finds the way again.
pub(super) fn last_records(rest: &[u8]) -> Option<usize> {
    let places = 0..rest.len().saturating_sub(HEADER - 1);
    places.into_iter().find(|place| {
        let mut bytes = rest.get(*place..).unwrap_or_default();
        let mut ends = false;
        while let Some(header) = Header::read(bytes, false) {
            let Some(behind) = bytes.get(header.whole()..) else { return false };
            ends |= header.kind == Kind::End;
            bytes = behind;
        }
        ends && bytes.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &[u8] = b"\x01\x01\0\x01\0\x08\0\0\0\x01\x01\0\0\0\0\0";
    const END: &[u8] = b"\x01\x03\0\x01\0\x08\0\0\0\0\0\x07\0=UT";

    #[test]
    fn a_connection_begins_with_a_request() {
        assert_eq!(look(BEGIN), Detection::Certain);
        assert_eq!(look(&[BEGIN, b"\x01\x04"].concat()), Detection::Certain);
        for length in 0..BEGIN.len() {
            assert_eq!(BEGIN.get(..length).map(look), Some(Detection::Unsure), "{length}");
        }
    }

    #[test]
    fn a_connection_may_begin_with_a_question() {
        let question = b"\x01\x09\0\0\0\x10\0\0\x0e\0FCGI_MAX_CONNS";
        assert_eq!(look(question), Detection::Certain);
        assert_eq!(question.get(..14).map(look), Some(Detection::Unsure));
        assert_eq!(look(b"\x01\x09\0\0\0\x10\0\0\x0e\0FOGI_MAX_CONNS"), Detection::NotForUs);
    }

    #[test]
    fn what_does_not_fit_is_none() {
        for (place, byte) in
            [(0, 2), (1, 6), (3, 0), (4, 1), (5, 9), (7, 1), (8, 1), (9, 4), (10, 2), (15, 1)]
        {
            let mut bytes = BEGIN.to_vec();
            *bytes.get_mut(place).unwrap() = byte;
            assert_eq!(look(&bytes), Detection::NotForUs, "{place}");
        }
    }

    #[test]
    fn headers_are_of_one_side() {
        let header = Header::read(b"\x01\x06\x01\x02\x00\x4b\x05\0", false).unwrap();
        assert_eq!((header.kind, header.id, header.content, header.whole()), (Kind::Stdout, 258, 75, 88));
        assert!(Header::read(b"\x01\x06\x01\x02\x00\x4b\x05\0", true).is_none());
        assert!(Header::read(b"\x01\x06\x01\x02\x00\x4b\x05", false).is_none(), "a byte is missing");
        assert!(Header::read(b"\x01\x06\0\0\x00\x4b\x05\0", false).is_none(), "of no request");
        assert!(Header::read(b"\x01\x03\0\x01\0\x09\0\0", false).is_none(), "of another length");
    }

    #[test]
    fn verdicts() {
        let error =
            |body: &[u8]| Verdict::read(&[END.get(..HEADER).unwrap(), body].concat()).unwrap().error();
        assert_eq!(Verdict::read(END).map(|verdict| verdict.app_status), Some(7));
        assert_eq!(error(&[0; 8]), None);
        for (status, name) in [(1, "cant_mpx_conn"), (2, "overloaded"), (3, "unknown_role")] {
            assert_eq!(error(&[0, 0, 0, 0, status, 0, 0, 0]), Some(name));
        }
        assert_eq!(error(&[0, 0, 0, 1, 0, 0, 0, 0]), Some("app_status"));
        assert_eq!(error(&[0, 0, 0, 0, 9, 0, 0, 0]), Some("unknown_protocol_status"));
    }

    #[test]
    fn the_last_records_of_a_call_are_found_behind_a_hole() {
        assert_eq!(last_records(&[b"the end of a body", END].concat()), Some(17));
        assert_eq!(last_records(END), Some(0));
        assert_eq!(last_records(END.split_last().unwrap().1), None);
        assert_eq!(last_records(b"\x01\x06\0\x01\0\0\0\0"), None, "it goes on");
    }
}
