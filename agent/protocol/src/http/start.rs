//! Comes in: bytes at which a message may begin. Goes out: whether HTTP/1 begins there (RFC 9112 sections 3 and 4).
//! Refuses: first lines that merely look like it; the version, the form of the target and every character count.

use crate::cursor::Cursor;

/// What begins here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A request; its first line is complete and valid.
    Request,
    /// A response; its first line is valid as far as its status.
    Response,
    /// Possibly a message; the first line is not complete.
    Partial,
    /// Possibly a request; method and a part of its target are there, which is all that a cut would leave.
    PartialRequest,
    /// Neither.
    Nothing,
}

/// Longest method taken for one, bytes. The longest registered with IANA has 16 (`BASELINE-CONTROL`).
const MAX_METHOD: usize = 32;

/// A version, up to its second number; and as it stands behind a target.
const VERSION: &[u8] = b"HTTP/1.";
const SPACED_VERSION: &[u8] = b" HTTP/1.";

/// Looks at the first line.
pub(super) fn start(bytes: &[u8]) -> Start {
    match bytes.first() {
        None => Start::Partial,
        Some(b'H') if bytes.starts_with(VERSION) || VERSION.starts_with(bytes) => response(bytes),
        Some(_) => request(bytes),
    }
}

/// `HTTP/1.x SP 3DIGIT`, then a space or the end of the line.
fn response(bytes: &[u8]) -> Start {
    let shape = b"0 000 ";
    let rest = bytes.get(VERSION.len()..).unwrap_or_default();
    if let [minor, b' ', a, b, c, b' ' | b'\r' | b'\n', ..] = rest
        && [minor, a, b, c].into_iter().all(u8::is_ascii_digit)
    {
        return Start::Response;
    }
    let fits = rest.iter().zip(shape).enumerate().all(|(place, (byte, expected))| match (place, expected) {
        (_, b'0') => byte.is_ascii_digit(),
        (5, _) => matches!(byte, b' ' | b'\r' | b'\n'),
        _ => byte == expected,
    });
    match (fits, rest.len() >= shape.len()) {
        (false, _) => Start::Nothing,
        (true, false) => Start::Partial,
        (true, true) => Start::Response,
    }
}

fn request(bytes: &[u8]) -> Start {
    let method = bytes.iter().take(MAX_METHOD + 1).take_while(|byte| is_token(**byte)).count();
    let mut cursor = Cursor::new(bytes);
    match cursor.take(method) {
        Some(method) if cursor.is_empty() && method.len() <= MAX_METHOD => Start::Partial,
        Some(method) if !method.is_empty() && cursor.literal(b" ").is_some() => target(method, cursor.rest()),
        _ => Start::Nothing,
    }
}

fn target(method: &[u8], rest: &[u8]) -> Start {
    let length = rest.iter().position(|byte| *byte <= b' ' || *byte == 0x7f);
    let target = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
    match (form(method, target, length.is_some()), length) {
        (false, _) => Start::Nothing,
        (true, None) if target.is_empty() => Start::Partial,
        (true, None) => Start::PartialRequest,
        (true, Some(length)) => version(rest.get(length..).unwrap_or_default()),
    }
}

/// Does the target have one of the four forms (RFC 9112 section 3.2)? An incomplete one may.
fn form(method: &[u8], target: &[u8], complete: bool) -> bool {
    let absolute = |scheme: &[u8]| {
        let length = target.len().min(scheme.len());
        let same = target.iter().zip(scheme).all(|(byte, expected)| byte.eq_ignore_ascii_case(expected));
        same && (length == scheme.len() || !complete)
    };
    match (method, target.first()) {
        (_, None) => !complete,
        (b"CONNECT", Some(_)) => !complete || authority(target),
        (_, Some(b'/')) => true,
        (b"OPTIONS", Some(b'*')) => target.len() == 1,
        (_, Some(_)) => absolute(b"http://") || absolute(b"https://"),
    }
}

/// `host:port`
fn authority(target: &[u8]) -> bool {
    memchr::memrchr(b':', target).is_some_and(|colon| {
        let port = target.get(colon + 1..).unwrap_or_default();
        colon > 0 && !port.is_empty() && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
    })
}

/// ` HTTP/1.x`, then the end of the line.
fn version(rest: &[u8]) -> Start {
    let Some((minor, end)) = rest.strip_prefix(SPACED_VERSION).and_then(<[u8]>::split_first) else {
        let open = SPACED_VERSION.starts_with(rest);
        return if open { Start::PartialRequest } else { Start::Nothing };
    };
    match end {
        _ if !minor.is_ascii_digit() => Start::Nothing,
        [b'\n', ..] | [b'\r', b'\n', ..] => Start::Request,
        [] | [b'\r'] => Start::PartialRequest,
        _ => Start::Nothing,
    }
}

/// tchar (RFC 9110 section 5.6.2)
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_first_lines() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "get /lower HTTP/1.0\n",
            "PURGE /x HTTP/1.1\r\n",
            "OPTIONS * HTTP/1.1\r\n",
            "GET http://a.example/b HTTP/1.1\r\n",
            "CONNECT a.example:443 HTTP/1.1\r\n",
            "CONNECT [::1]:443 HTTP/1.1\r\n",
        ] {
            assert_eq!(start(line.as_bytes()), Start::Request, "{line}");
        }
        for line in ["HTTP/1.1 200 OK\r\n", "HTTP/1.0 404\r\n", "HTTP/1.1 500 "] {
            assert_eq!(start(line.as_bytes()), Start::Response, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_it() {
        for bytes in [
            &b"GET foo\r\n"[..],
            b"get foo\r\n",
            b"GET /foo\r\n",
            b"GET foo HTTP/1.1\r\n",
            b"SET /a b\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"OPTIONS rtsp://a/b RTSP/1.0\r\n",
            b"INVITE sip:a@b SIP/2.0\r\n",
            b"HTTP/2 200\r\n",
            b"HTTP/1.1 2x0 OK\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"*1\r\n$4\r\nPING\r\n",
            b"\x16\x03\x01\x02\x00\x01",
            b"\0\0\0\x08\x04\xd2\x16\x2f",
            b"220 mail ESMTP\r\n",
            b" GET / HTTP/1.1\r\n",
            b"GET  / HTTP/1.1\r\n",
            b"CONNECT / HTTP/1.1\r\n",
        ] {
            assert_eq!(start(bytes), Start::Nothing, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn every_prefix_is_open() {
        for line in ["POST http://a.example/b?c HTTP/1.1\r\n", "HTTP/1.1 200 ", "CONNECT a:1 HTTP/1.1\r\n"] {
            for length in 0..line.len() {
                let start = start(line.as_bytes().get(..length).unwrap_or_default());
                assert!(
                    matches!(start, Start::Partial | Start::PartialRequest),
                    "{length} of {line}: {start:?}"
                );
            }
        }
    }
}
