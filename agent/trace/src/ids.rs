//! Comes in: what names an exchange. Goes out: trace and span ids, never all zero. SipHash-2-4 with 128 bits: ids
//! that nobody without the key can foretell, and that both ends of a connection find for themselves.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use wirespan_span::span::Key;

use crate::{
    settings::Settings,
    trace::{SpanId, TraceId},
    wire::{End, Identity, Scope},
};

/// Makes ids.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    key: SipHasher24,
    seed: SipHasher24,
    /// Distinguishes what has no name of its own.
    count: u64,
}

impl Ids {
    pub(crate) fn new(settings: &Settings) -> Self {
        let [key, seed] = [&settings.key, &settings.seed].map(SipHasher24::new_with_key);
        Self { key, seed, count: 0 }
    }

    /// The number that both ends of a connection give to an exchange.
    pub(crate) fn identity(&self, identity: &Identity) -> u128 {
        let hasher = match identity.scope {
            Scope::Anywhere => &self.key,
            Scope::ThisHost => &self.seed,
        };
        hasher.hash(&identity.bytes).as_u128()
    }

    /// A number for an exchange that has no other end, or whose number is taken. Differs at each call.
    pub(crate) fn unique(&mut self, key: Key) -> u128 {
        self.count += 1;
        let mut hasher = self.seed;
        for part in [key.cookie.0, key.offset, key.sub, self.count] {
            hasher.write(&part.to_be_bytes());
        }
        hasher.finish128().as_u128()
    }

    /// What stands for a message's id: as good, and of a fixed size.
    pub(crate) fn message(&self, id: &str) -> u128 {
        let mut hasher = self.seed;
        hasher.write(id.as_bytes());
        hasher.finish128().as_u128()
    }

    /// The id of the span at one end of the exchange at `key`.
    pub(crate) fn span(&self, identity: u128, key: Key, end: End) -> SpanId {
        let [id, _] = halves(self.derived(identity, key, end as u8));
        SpanId(if id == [0; 8] { [1; 8] } else { id })
    }

    /// The id of the trace that begins with the exchange.
    pub(crate) fn trace(&self, identity: u128, key: Key) -> TraceId {
        let id = self.derived(identity, key, b't');
        TraceId(if id == [0; 16] { [1; 16] } else { id })
    }

    /// The upper half of the offset counts how often the sequence numbers wrapped: without it a connection would
    /// use its ids again after 4 GiB. Both ends count alike, save those that were first seen in different rounds.
    fn derived(&self, identity: u128, key: Key, purpose: u8) -> [u8; 16] {
        let mut name = [0; 1 + 16 + 8];
        let [first, rest @ ..] = &mut name;
        *first = purpose;
        let (middle, last) = rest.split_at_mut(16);
        middle.copy_from_slice(&identity.to_be_bytes());
        last.copy_from_slice(&(key.offset >> 32).to_be_bytes());
        // At once: the hasher pays for each piece.
        self.key.hash(&name).as_bytes()
    }
}

/// Ids of a format that has other ids than ours, under a key that all hosts share: their agents must agree.
pub(crate) fn foreign(text: &str) -> [u8; 16] {
    let mut hasher = SipHasher24::new();
    hasher.write(text.as_bytes());
    hasher.finish128().as_bytes()
}

/// The first and the last eight of sixteen bytes.
pub(crate) const fn halves(bytes: [u8; 16]) -> [[u8; 8]; 2] {
    let number = u128::from_be_bytes(bytes);
    [((number >> 64) as u64).to_be_bytes(), (number as u64).to_be_bytes()]
}
