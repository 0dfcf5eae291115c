//! Comes in: text with percent-encoding, well-formed or not. Goes out: its bytes. Never fails: what is no encoding
//! stays as it is.

use std::borrow::Cow;

/// Encodings within encodings are undone this many times: a redirect that carries a redirect.
const ROUNDS: usize = 3;

/// Undoes percent-encoding (RFC 3986 section 2.1) and the `%uXXXX` of old JavaScript `escape`, repeatedly.
pub(crate) fn decoded(text: &str) -> Cow<'_, [u8]> {
    let mut bytes = Cow::Borrowed(text.as_bytes());
    for _ in 0..ROUNDS {
        if !bytes.contains(&b'%') {
            break;
        }
        bytes = Cow::Owned(decode_once(&bytes));
    }
    bytes
}

fn decode_once(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, next) = (first == b'%').then(|| escape(after)).flatten().unwrap_or((first, after));
        out.push(byte);
        rest = next;
    }
    out
}

/// The byte that an escape stands for and what follows it; `None` where it is not one.
fn escape(after: &[u8]) -> Option<(u8, &[u8])> {
    match after {
        [b'u' | b'U', b'0', b'0', high, low, rest @ ..] | [high, low, rest @ ..] => {
            Some((hex(*high)? << 4 | hex(*low)?, rest))
        }
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoes_what_is_encoded_and_keeps_the_rest() {
        for (text, bytes) in [
            ("plain", &b"plain"[..]),
            ("%74oken", b"token"),
            ("%2574oken", b"token"),
            ("%u0074oken", b"token"),
            ("100%", b"100%"),
            ("%zz%4", b"%zz%4"),
            ("%ff", b"\xff"),
        ] {
            assert_eq!(&*decoded(text), bytes, "{text}");
        }
    }
}
