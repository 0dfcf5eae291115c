//! Comes in: bytes from the wire, facts of a connection. Goes out: attributes that several protocols share.

use std::borrow::Cow;

use crate::{
    address,
    event::Address,
    exchange::{Role, Value},
    facts::Facts,
};

/// Attributes by the names of OpenTelemetry's semantic conventions.
pub(crate) type Attributes = Vec<(Cow<'static, str>, Value)>;

/// Attributes of most spans, those that the stages behind this one add included: one allocation serves all of them. Those that
/// only repeat what the connection is are not held.
pub(crate) const USUAL: usize = 16;

/// At most `max` bytes as text; what is no UTF-8 is replaced, and half a character at the cut left out.
pub(crate) fn text(bytes: &[u8], max: usize) -> Cow<'_, str> {
    let Some(head) = bytes.get(..max).filter(|head| head.len() < bytes.len()) else {
        return lossy(bytes);
    };
    match lossy(head) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches(char::REPLACEMENT_CHARACTER)),
        Cow::Owned(text) => Cow::Owned(text.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned()),
    }
}

/// All bytes as text; what is no UTF-8 is replaced. Nearly all are text, which the first look tells faster.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// `server.address` and `server.port` of a server: where it was reached. A client's are the peer's, which the next
/// stage says of every protocol.
pub(crate) fn server(role: Role, facts: &Facts, attributes: &mut Attributes) {
    if let (Role::Server, Address::Inet(address)) = (role, facts.socket.local) {
        attributes.push(("server.address".into(), Value::Text(address::text(address.ip()))));
        attributes.push(("server.port".into(), Value::Int(address.port().into())));
    }
}

/// A count as an attribute.
pub(crate) fn count(number: u64) -> Value {
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

/// Is it a number as programs keep it, of 64 bits and so of at most 20 digits?
pub(crate) fn is_number(digits: &[u8]) -> bool {
    (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// Digits alone, at most 18 of them.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(*digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(text("aé".as_bytes(), 9), "aé");
        assert_eq!(text("aéb".as_bytes(), 2), "a");
        assert_eq!(text(b"a\xffb", 9), "a\u{fffd}b");
        assert_eq!(text(b"abc", 0), "");
    }
}
