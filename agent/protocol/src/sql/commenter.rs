//! Comes in: the comment behind a statement. Goes out: the trace context in it, as sqlcommenter writes it:
//! `key='value',…`, both parts percent-encoded, quotes escaped by a backslash
//! (<https://google.github.io/sqlcommenter/spec/>). Refuses: keys that carry no context.

use crate::carrier::Carrier;

/// Pairs looked at in one comment.
const MAX_PAIRS: usize = 32;

/// Reads the comment, marks included.
pub(super) fn context(comment: &[u8]) -> Carrier {
    let mut carrier = Carrier::default();
    let body = comment.strip_prefix(b"/*").and_then(|rest| rest.strip_suffix(b"*/"));
    for pair in body.unwrap_or_default().split(|byte| *byte == b',').take(MAX_PAIRS) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
        let value = value.trim_ascii().strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'"));
        if let Some(value) = value {
            carrier.offer(&decoded(key.trim_ascii()), &decoded(value));
        }
    }
    carrier
}

/// Percent-encoding taken away (RFC 3986 section 2.1); what is none stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        match (byte, ahead.next().and_then(digit), ahead.next().and_then(digit)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                rest = ahead;
            }
            (b'\\', ..) => {}
            _ => out.push(byte),
        }
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
