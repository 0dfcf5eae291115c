//! Comes in: what a request names. Goes out: the rare names in it, as numbers: ids that the program most likely passes on
//! in the calls that it makes for this request. Refuses: words, small numbers, and anything that many requests share by
//! chance.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::carrier::Carrier;

/// Rare names of one request that are kept.
const MAX: usize = 2;

/// Shortest and longest of them in bytes: a ULID has 26, a UUID 36, a number of 64 bits up to 20.
const SHORTEST: usize = 16;
const LONGEST: usize = 64;

/// Digits that one has at least: words have few.
const MIN_DIGITS: usize = 4;

/// Bytes of a text that are looked at.
const MAX_TEXT: usize = 512;

/// Rare names of one request, as hashes. Two different ones may have the same by chance, so they are evidence and no proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens([u64; MAX]);

impl Tokens {
    /// Of a request's target, and of the id that a proxy or client gave it.
    pub(crate) fn of(target: &[u8], carrier: &Carrier) -> Self {
        let mut tokens = Self::default();
        carrier.request_ids().chain([target]).for_each(|text| tokens.look(text));
        tokens
    }

    /// Of a text: a key, or parameters.
    pub(crate) fn within(text: &[u8]) -> Self {
        let mut tokens = Self::default();
        tokens.look(text);
        tokens
    }

    /// Looks for more of them in a text: a target, a key, a literal, a parameter.
    pub(crate) fn look(&mut self, text: &[u8]) {
        let text = text.get(..MAX_TEXT).unwrap_or(text);
        let names = LongNames(text).filter(|name| is_rare(name));
        for (slot, name) in self.0.iter_mut().filter(|slot| **slot == 0).zip(names) {
            *slot = hash(name);
        }
    }

    /// From numbers, 0 for none; for tests and other sources of requests.
    #[must_use]
    pub const fn new(numbers: [u64; MAX]) -> Self {
        Self(numbers)
    }

    /// The numbers.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.into_iter().filter(|number| *number != 0)
    }
}

/// The names in a text that are not too short. Whether one begins is asked of the last byte that it would have first, so that
/// of words and binary numbers most bytes are never looked at.
struct LongNames<'a>(&'a [u8]);

impl<'a> Iterator for LongNames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while let Some(last) = self.0.first_chunk::<SHORTEST>()?.iter().rposition(|byte| !is_part(*byte)) {
            self.0 = self.0.get(last + 1..)?;
        }
        let length = self.0.iter().position(|byte| !is_part(*byte)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(name)
    }
}

const fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_rare(name: &[u8]) -> bool {
    name.len() <= LONGEST && name.iter().filter(|byte| byte.is_ascii_digit()).count() >= MIN_DIGITS
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(target: &str) -> Tokens {
        Tokens::of(target.as_bytes(), &Carrier::default())
    }

    #[test]
    fn ids_are_the_same_wherever_they_stand() {
        let id = "0b7e2c1a-55d0-4c1f-9a3e-7d1f0e6b2a44";
        let path = of(&format!("/orders/{id}/lines"));
        assert_eq!(path.iter().count(), 1);
        assert_eq!(path, of(&format!("/items?order={id}&page=2")));
        let mut carrier = Carrier::default();
        carrier.offer(b"X-Request-ID", id.as_bytes());
        assert_eq!(path, Tokens::of(b"/", &carrier));
        assert_ne!(path, of("/orders/0b7e2c1a-55d0-4c1f-9a3e-7d1f0e6b2a45"));
    }

    #[test]
    fn words_and_small_numbers_are_not_rare() {
        for target in
            ["/", "/orders/42", "/api/v1/internationalisation-settings", "/a?page=12345678", "", "/%00%ff"]
        {
            assert_eq!(of(target), Tokens::default(), "{target}");
        }
    }

    #[test]
    fn names_have_their_lengths_and_end_anywhere() {
        let digits = "1234567890".repeat(7);
        for (length, rare) in [(15, 0), (16, 1), (17, 1), (64, 1), (65, 0)] {
            let name = &digits[..length];
            for text in [name.to_owned(), format!("/a/{name}"), format!("{name}/b"), format!("///{name}=&")] {
                assert_eq!(of(&text).iter().count(), rare, "{text}");
            }
        }
        assert_eq!(of(&format!("{}.{}", &digits[..16], &digits[1..17])).iter().count(), 2);
    }

    #[test]
    fn how_many_and_how_far_is_bounded() {
        let id = "1234567890123456";
        assert_eq!(of(&format!("/{id}/x{id}/y{id}/z{id}")).iter().count(), MAX);
        assert_eq!(of(&format!("/{}/{id}", "a/".repeat(MAX_TEXT))).iter().count(), 0);
        assert_eq!(of(&"7".repeat(4096)).iter().count(), 0);
    }
}
