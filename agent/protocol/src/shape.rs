//! Comes in: what a request asks for. Goes out: a number that requests of one kind share, whatever ids they name, so that
//! later stages can tell kinds apart without knowing protocols. Two kinds may share a number by chance; nothing that is
//! shown depends on it alone.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// Longest segment of a path that may be a word.
const MAX_SEGMENT: usize = 32;

/// Of words that are the same for all requests of the kind; 0 where there are none: the kind is not known.
pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut shape = Shape::default();
    words.into_iter().for_each(|word| shape.add(word.as_bytes()));
    shape.number()
}

#[derive(Default)]
struct Shape {
    hasher: FxHasher,
    any: bool,
}

impl Shape {
    fn add(&mut self, word: &[u8]) {
        self.hasher.write(word);
        self.hasher.write_u8(0);
        self.any |= !word.is_empty();
    }

    fn number(&self) -> u64 {
        if self.any { self.hasher.finish().max(1) } else { 0 }
    }
}

/// Of an HTTP request: the method, and the path without what looks like an id (a segment with a digit, or a long one).
pub(crate) fn of_path(method: &str, path: &str) -> u64 {
    let path = path.as_bytes();
    let end = memchr::memchr2(b'?', b'#', path);
    let path = end.and_then(|end| path.get(..end)).unwrap_or(path);
    let mut shape = Shape::default();
    shape.add(method.as_bytes());
    path.split(|byte| *byte == b'/').for_each(|segment| shape.add(word(segment)));
    shape.number()
}

fn word(segment: &[u8]) -> &[u8] {
    let id = segment.len() > MAX_SEGMENT || segment.iter().any(u8::is_ascii_digit);
    if id { b"#" } else { segment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_queries_make_no_other_kind() {
        let kind = of_path("GET", "/orders/42/lines?page=1");
        assert_eq!(kind, of_path("GET", "/orders/0b7e2c/lines"));
        for other in [of_path("PUT", "/orders/42/lines"), of_path("GET", "/orders/42"), of_path("GET", "/")] {
            assert_ne!(kind, other);
        }
    }

    #[test]
    fn nothing_known_is_no_kind() {
        assert_eq!([of([]), of([""]), of_path("", "")], [0; 3]);
    }
}
