//! Comes in: the path of a request. Goes out: a template of low cardinality, in which every segment that looks like
//! an id is `{id}`. Never holds a query, a user or a path parameter.
//!
//! One placeholder for all kinds: `/orders/{id}` stays the same when an application moves from numbers to UUIDs.
//! At most [`MAX_SEGMENTS`] segments are kept; what follows is `*`.

use std::borrow::Cow;

/// Segments kept; deeper paths are file trees, where each file would be a route of its own.
pub const MAX_SEGMENTS: usize = 8;
/// Longest segment that may be a word; slugs and tokens are longer.
pub const MAX_SEGMENT: usize = 32;
/// Digits from which a piece between punctuation is an id: `order-123` is, `us-east-1` and `sha256` stay words.
const ID_NUMBER: usize = 3;
/// Digits from which a piece of letters and digits is an id.
const ID_DIGITS: usize = 4;
/// Letters and digits taking turns this often, in this length, are an encoding.
const ID_TURNS: usize = 3;
const ID_MIXED: usize = 8;
/// Hexadecimal without a single digit, as long as this, is no word.
const ID_HEX: usize = 16;

/// What stands for a variable segment.
const PLACEHOLDER: &str = "{id}";

/// The template of a path: `/users/42/cart` gives `/users/{id}/cart`. Takes absolute URLs too; `*` stays `*`.
#[must_use]
pub fn template(path: &str) -> Cow<'_, str> {
    if is_template(path) {
        return Cow::Borrowed(path);
    }
    let path = without_authority(path);
    let end = path.bytes().position(|byte| matches!(byte, b'?' | b'#'));
    let path = end.and_then(|end| path.get(..end)).unwrap_or(path);
    if path == "*" {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len().min(MAX_SEGMENTS * (MAX_SEGMENT + 1)) + 1);
    let mut segments = path.trim_start_matches('/').split('/');
    for segment in segments.by_ref().take(MAX_SEGMENTS) {
        out.push('/');
        out.push_str(templated(segment));
    }
    if segments.next().is_some() {
        out.push_str("/*");
    }
    Cow::Owned(out)
}

/// Is the path its own template at first sight? Most are a few short words.
fn is_template(path: &str) -> bool {
    let (mut segments, mut letters) = (0, 0);
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| {
            (segments, letters) = if byte == b'/' { (segments + 1, 0) } else { (segments, letters + 1) };
            segments <= MAX_SEGMENTS && letters < ID_HEX && (of_words(byte) || byte == b'/')
        })
}

/// The template of a destination of messages: its words are separated by `.` or `:`, as in RabbitMQ's routing keys. `None`
/// where nothing in it varies.
#[must_use]
pub fn destination(name: &str) -> Option<String> {
    let word =
        |word: &str| word.len() > MAX_SEGMENT || number(word) || word.split(punctuation).any(identifies);
    if !name.split(['.', ':']).any(word) {
        return None;
    }
    let mut out = String::with_capacity(name.len());
    for piece in name.split_inclusive(['.', ':']) {
        let bare = piece.trim_end_matches(['.', ':']);
        out.push_str(if word(bare) { PLACEHOLDER } else { bare });
        out.push_str(piece.get(bare.len()..).unwrap_or_default());
    }
    Some(out)
}

const fn punctuation(letter: char) -> bool {
    !letter.is_ascii_alphanumeric()
}

fn without_authority(path: &str) -> &str {
    if path.starts_with('/') {
        return path;
    }
    match path.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            rest.find(['/', '?', '#']).map_or("/", |at| rest.split_at(at).1)
        }
        _ => path,
    }
}

fn templated(segment: &str) -> &str {
    let segment = segment.split(';').next().unwrap_or_default();
    if variable(segment) { PLACEHOLDER } else { segment }
}

/// Is the segment one of many: a number, a UUID, a hash, a token, a date, an e-mail address, a text of a user?
fn variable(segment: &str) -> bool {
    // Most segments are words, which one look tells.
    if segment.len() < ID_HEX && segment.bytes().all(of_words) {
        return false;
    }
    segment.len() > MAX_SEGMENT
        || !segment.bytes().all(plain)
        || segment.find('@').is_some_and(|at| at > 0)
        || number(segment)
        || segment.split(punctuation).any(identifies)
}

/// What a word surely consists of.
const fn of_words(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'-'
}

/// Characters of words. What is percent-encoded was not written by the application's author.
fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~:@$!*'()+,".contains(&byte)
}

fn number(segment: &str) -> bool {
    segment.bytes().any(|byte| byte.is_ascii_digit())
        && segment.bytes().all(|byte| byte.is_ascii_digit() || b"-.:,+".contains(&byte))
}

/// Is a piece of letters and digits an id?
fn identifies(piece: &str) -> bool {
    let digits = piece.bytes().filter(u8::is_ascii_digit).count();
    let hex = piece.bytes().all(|byte| byte.is_ascii_hexdigit());
    let turns = piece.as_bytes().windows(2).filter(|two| turn(two)).count();
    (digits == piece.len() && digits >= ID_NUMBER)
        || digits >= ID_DIGITS
        || (hex && piece.len() >= ID_HEX)
        || (hex && digits > 0 && piece.len() >= ID_MIXED)
        || (turns >= ID_TURNS && piece.len() >= ID_MIXED)
}

/// From a letter to a digit, or back.
fn turn(two: &[u8]) -> bool {
    matches!(two, [a, b] if a.is_ascii_digit() != b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn templates() {
        for (path, route) in [
            ("/", "/"),
            ("*", "*"),
            ("", "/"),
            ("/users", "/users"),
            ("//users", "/users"),
            ("/users//cart", "/users//cart"),
            ("/a/b/c/d/e/f/g/h", "/a/b/c/d/e/f/g/h"),
            ("/a/b/c/d/e/f/g/h/", "/a/b/c/d/e/f/g/h/*"),
            ("/users/", "/users/"),
            ("/users/42/cart", "/users/{id}/cart"),
            ("/users/-7", "/users/{id}"),
            ("/v1/api/s3/utf-8/us-east-1", "/v1/api/s3/utf-8/us-east-1"),
            ("/base64/sha256/oauth2/i18n", "/base64/sha256/oauth2/i18n"),
            ("/o/123e4567-e89b-12d3-a456-426614174000", "/o/{id}"),
            ("/o/123e4567e89b12d3a456426614174000", "/o/{id}"),
            ("/commit/d670460b4b4aece5915caf5c68d12f560a9fe3e4", "/commit/{id}"),
            ("/c/deadbeefcafebabe", "/c/{id}"),
            ("/c/facade", "/c/facade"),
            ("/order-12345/lines", "/{id}/lines"),
            ("/day/2024-02-30", "/day/{id}"),
            ("/day/2024-02-30T10:00:00Z", "/day/{id}"),
            ("/mail/ann@example.org", "/mail/{id}"),
            ("/npm/@scope/name", "/npm/@scope/name"),
            ("/t/dQw4w9WgXcQ", "/t/{id}"),
            ("/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "/t/{id}"),
            ("/jquery-3.6.0.min.js", "/jquery-3.6.0.min.js"),
            ("/wiki/Caf%C3%A9", "/wiki/{id}"),
            ("/wiki/%", "/wiki/{id}"),
            ("/getUserAccountById", "/getUserAccountById"),
            ("/a;jsessionid=secret/b?token=secret", "/a/b"),
            ("http://u:p@host/a?b", "/a"),
            ("http://host", "/"),
            ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/*"),
            ("/how-to-trace-a-program-without-touching-it", "/{id}"),
        ] {
            assert_eq!(template(path), route, "{path}");
        }
    }

    #[test]
    fn destinations() {
        for (name, template) in [
            ("orders", None),
            ("shop.orders:created", None),
            ("__consumer_offsets", None),
            ("orders.12345", Some("orders.{id}")),
            ("replies:123e4567-e89b-12d3-a456-426614174000:new", Some("replies:{id}:new")),
            ("v1.eu-west-1", None),
        ] {
            assert_eq!(destination(name).as_deref(), template, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_route_is_bounded_whatever_the_path(path in "\\PC{0,400}") {
            prop_assert!(template(&path).len() <= MAX_SEGMENTS * (MAX_SEGMENT + 1) + 2);
        }

        #[test]
        fn numbers_never_come_through(number: u64) {
            let path = format!("/a/{number}/b");
            prop_assert_eq!(template(&path), "/a/{id}/b");
        }
    }
}
