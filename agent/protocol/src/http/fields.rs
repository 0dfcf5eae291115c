//! Comes in: the fields of a head. Goes out: what framing, naming and tracing need of them, borrowed. Refuses: a
//! body length that two fields tell differently.

use std::borrow::Cow;

use crate::{attributes::lossy, carrier::Carrier, exchange::Value, settings::Settings};

/// `Content-Length`, over all fields of that name (RFC 9110 section 8.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Declared {
    /// There is none.
    #[default]
    None,
    /// Bytes.
    Length(u64),
    /// No number, or several that differ.
    Invalid,
}

/// `Transfer-Encoding` (RFC 9112 section 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coding {
    /// There is none.
    #[default]
    None,
    /// The last coding is `chunked`.
    Chunked,
    /// There are codings and `chunked` is not the last.
    Other,
}

/// A field's value.
pub(crate) type Text<'a> = Option<&'a [u8]>;

/// What is of interest in the fields of a head.
#[derive(Default)]
pub(crate) struct Noted<'a> {
    pub(crate) declared: Declared,
    pub(crate) coding: Coding,
    pub(crate) host: Text<'a>,
    pub(crate) user_agent: Text<'a>,
    pub(crate) upgrade: Text<'a>,
    pub(crate) forwarded: Text<'a>,
    pub(crate) forwarded_for: Text<'a>,
    pub(crate) forwarded_host: Text<'a>,
    pub(crate) forwarded_proto: Text<'a>,
    pub(crate) real_ip: Text<'a>,
    pub(crate) content_type: Text<'a>,
    pub(crate) extensions: Text<'a>,
    pub(crate) grpc_status: Text<'a>,
    pub(crate) grpc_message: Text<'a>,
    pub(crate) carrier: Carrier,
    pub(crate) captured: Vec<(Cow<'static, str>, Value)>,
}

/// A field: its name as it came, and its value.
pub(crate) type Field<'a> = (&'a [u8], &'a [u8]);

impl<'a> Noted<'a> {
    /// Reads all fields of a request. In place: it is large.
    #[expect(clippy::while_let_on_iterator, reason = "a loop over a borrowed iterator costs a call a field")]
    pub(crate) fn request(&mut self, fields: &mut impl Iterator<Item = Field<'a>>, settings: &Settings) {
        let wanted = Wanted { names: &settings.capture_request_headers, prefix: "http.request.header." };
        while let Some((name, value)) = fields.next() {
            self.carrier.offer(name, value);
            wanted.keep(name, value, &mut self.captured, settings);
            self.note(name, value);
        }
    }

    /// Reads all fields of a response.
    #[expect(clippy::while_let_on_iterator, reason = "a loop over a borrowed iterator costs a call a field")]
    pub(crate) fn response(&mut self, fields: &mut impl Iterator<Item = Field<'a>>, settings: &Settings) {
        let wanted = Wanted { names: &settings.capture_response_headers, prefix: "http.response.header." };
        while let Some((name, value)) = fields.next() {
            wanted.keep(name, value, &mut self.captured, settings);
            self.note(name, value);
        }
    }

    /// The length of a name turns most fields away before any comparison, and most of the others are written as here.
    #[inline]
    fn note(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |known: &[u8]| name == known || name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"Host") => first(&mut self.host, value),
            7 if is(b"Upgrade") => first(&mut self.upgrade, value),
            9 if is(b"Forwarded") => first(&mut self.forwarded, value),
            9 if is(b"X-Real-IP") => first(&mut self.real_ip, value),
            10 if is(b"User-Agent") => first(&mut self.user_agent, value),
            11 if is(b"grpc-status") => first(&mut self.grpc_status, value),
            12 if is(b"Content-Type") => first(&mut self.content_type, value),
            12 if is(b"grpc-message") => first(&mut self.grpc_message, value),
            14 if is(b"Content-Length") => self.declared = self.declared.and(value),
            15 if is(b"X-Forwarded-For") => first(&mut self.forwarded_for, value),
            16 if is(b"X-Forwarded-Host") => first(&mut self.forwarded_host, value),
            17 if is(b"X-Forwarded-Proto") => first(&mut self.forwarded_proto, value),
            24 if is(b"Sec-WebSocket-Extensions") => first(&mut self.extensions, value),
            17 if is(b"Transfer-Encoding") => self.coding = coding(value),
            _ => {}
        }
    }
}

fn first<'a>(place: &mut Text<'a>, value: &'a [u8]) {
    place.get_or_insert(value);
}

impl Declared {
    /// With one more field. A list of the same number is that number (RFC 9112 section 6.3).
    fn and(self, value: &[u8]) -> Self {
        if let (Self::None, Some(length)) = (self, decimal(value)) {
            return Self::Length(length);
        }
        value.split(|byte| *byte == b',').fold(self, |declared, part| {
            match (declared, decimal(part.trim_ascii())) {
                (Self::None, Some(length)) => Self::Length(length),
                (Self::Length(known), Some(length)) if known == length => declared,
                _ => Self::Invalid,
            }
        })
    }
}

fn coding(value: &[u8]) -> Coding {
    let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if last.eq_ignore_ascii_case(b"chunked") { Coding::Chunked } else { Coding::Other }
}

/// Digits alone, at most 18 of them: what fits no disk is no length.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(*digit - b'0'))
    })
}

/// The first of a list's elements.
pub(crate) fn first_element(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii()
}

/// Headers the configuration asks for.
struct Wanted<'a> {
    names: &'a [String],
    prefix: &'static str,
}

impl Wanted<'_> {
    /// Values of one name come together in one list, as the semantic conventions have it.
    #[inline]
    fn keep(
        &self,
        name: &[u8],
        value: &[u8],
        captured: &mut Vec<(Cow<'static, str>, Value)>,
        settings: &Settings,
    ) {
        if !self.names.is_empty() {
            self.look(name, value, captured, settings);
        }
    }

    fn look(
        &self,
        name: &[u8],
        value: &[u8],
        captured: &mut Vec<(Cow<'static, str>, Value)>,
        settings: &Settings,
    ) {
        let asked = self.names.iter().find(|asked| asked.as_bytes().eq_ignore_ascii_case(name));
        let Some(asked) = asked else { return };
        let key = format!("{}{}", self.prefix, asked.to_ascii_lowercase());
        let text = text(value, settings.max_text).into_owned();
        match captured.iter_mut().find(|(known, _)| *known == key) {
            Some((_, Value::List(values))) if values.len() < MAX_VALUES => values.push(text),
            Some(_) => {}
            None => captured.push((key.into(), Value::List(vec![text]))),
        }
    }
}

/// Most values kept of one captured header.
const MAX_VALUES: usize = 16;

/// At most `max` bytes as text, cut between characters; what is no UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8], max: usize) -> Cow<'_, str> {
    let Some(head) = bytes.get(..max).filter(|head| head.len() < bytes.len()) else {
        return lossy(bytes);
    };
    let whole = head.utf8_chunks().fold(0, |place, chunk| {
        let broken = chunk.invalid().len();
        let cut_short = place + chunk.valid().len() + broken == head.len() && broken < 4;
        place + chunk.valid().len() + if cut_short { 0 } else { broken }
    });
    lossy(head.get(..whole).unwrap_or(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;

    fn noted(head: &str) -> Noted<'_> {
        read(head, &Settings::default())
    }

    fn read<'a>(head: &'a str, settings: &Settings) -> Noted<'a> {
        let mut noted = Noted::default();
        noted.request(&mut head::split(head.as_bytes()).1, settings);
        noted
    }

    #[test]
    fn body_lengths_agree_or_are_invalid() {
        let declared = |fields: &str| noted(&format!("x\r\n{fields}\r\n\r\n")).declared;
        assert_eq!(declared("a: b"), Declared::None);
        assert_eq!(declared("content-LENGTH: 5"), Declared::Length(5));
        assert_eq!(declared("Content-Length: 5, 5\r\nContent-Length: 5"), Declared::Length(5));
        for wrong in ["5\r\nContent-Length: 6", "5, 6", "-1", "+5", "", "5x", "99999999999999999999"] {
            assert_eq!(declared(&format!("Content-Length: {wrong}")), Declared::Invalid, "{wrong}");
        }
    }

    #[test]
    fn chunked_counts_where_it_is_last() {
        let coding = |value: &str| noted(&format!("x\nTransfer-Encoding: {value}\n\n")).coding;
        assert_eq!(coding("chunked"), Coding::Chunked);
        assert_eq!(coding("gzip, Chunked"), Coding::Chunked);
        assert_eq!(coding("chunked, gzip"), Coding::Other);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(text("aé".as_bytes(), 9), "aé");
        assert_eq!(text("aéb".as_bytes(), 2), "a");
        assert_eq!(text("aéb".as_bytes(), 3), "aé");
        assert_eq!(text(b"a\xffb", 9), "a\u{fffd}b");
        assert_eq!(text(b"abc", 0), "");
    }

    #[test]
    fn captured_headers_are_lists() {
        let settings = Settings { capture_request_headers: vec!["accept".into()], ..Settings::default() };
        let noted = read("x\nAccept: a\nB: c\naccept: d\n\n", &settings);
        let expected = Value::List(vec!["a".into(), "d".into()]);
        assert_eq!(noted.captured, [("http.request.header.accept".into(), expected)]);
    }
}
