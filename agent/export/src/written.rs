//! Comes in: what many spans have in common. Goes out: how it looks when written, made once and remembered while it is in use.
//! Bounded: what takes another's place replaces it.

use crate::{
    span::{Cookie, Ends},
    trace::Method,
};

/// What is remembered of each kind; the ends of a connection take some 400 bytes.
const PLACES: usize = 256;

/// The written form of what spans have in common.
#[derive(Debug, Default)]
pub(crate) struct Written {
    ends: Places<Ends>,
    evidence: Places<Evidence>,
}

/// How a parent is known: the method, and ten-thousandths of the confidence.
pub(crate) type Evidence = (Method, u16);

impl Written {
    /// The ends of a socket's connection, as `write` writes them.
    pub(crate) fn ends(
        &mut self,
        socket: Cookie,
        ends: &Ends,
        write: impl FnOnce(&Ends, &mut Vec<u8>),
    ) -> &[u8] {
        self.ends.of(socket.0, ends, write)
    }

    /// How a parent is known, as `write` writes it.
    pub(crate) fn evidence(
        &mut self,
        evidence: Evidence,
        write: impl FnOnce(&Evidence, &mut Vec<u8>),
    ) -> &[u8] {
        let (method, confidence) = evidence;
        self.evidence.of(u64::from(confidence) << 3 | method as u64, &evidence, write)
    }
}

/// By the last bits of a number that tells most of them apart.
#[derive(Debug)]
struct Places<K>(Vec<(Option<K>, Vec<u8>)>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(std::iter::repeat_with(|| (None, Vec::new())).take(PLACES).collect())
    }
}

impl<K: Copy + PartialEq> Places<K> {
    fn of(&mut self, number: u64, key: &K, write: impl FnOnce(&K, &mut Vec<u8>)) -> &[u8] {
        let Some((known, written)) = self.0.get_mut(number as usize % PLACES) else { return &[] };
        if known.as_ref() != Some(key) {
            *known = None;
            written.clear();
            write(key, written);
            *known = Some(*key);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_takes_a_place_replaces_what_had_it() {
        let mut written = Written::default();
        for port in [1, 1, 2, 1] {
            for cookie in [0, 1, PLACES as u64] {
                let ends = sample::ends(port + cookie as u16);
                let text = |ends: &Ends| format!("{ends:?}");
                let found = written.ends(Cookie(cookie), &ends, |ends, out| out.extend(text(ends).bytes()));
                assert_eq!(str::from_utf8(found), Ok(text(&ends).as_str()));
            }
        }
        assert_eq!(written.ends.0.len(), PLACES);
    }
}
