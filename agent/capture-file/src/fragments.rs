//! Comes in: fragments of IP payloads, in any order. Goes out: the payload, when all are there. RFC 791 §3.2, RFC
//! 8200 §4.5. Refuses: payloads longer than 64 KiB, fragments that were not captured whole, and holding more than a
//! few payloads.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use rustc_hash::FxHashMap;

use crate::ip::{Fragment, Ip};

/// Longest payload.
const MAX_PAYLOAD: usize = 65_535;
/// Payloads that wait for fragments. One more drops the oldest.
const MAX_WAITING: usize = 64;
/// Fragments of one payload.
const MAX_PARTS: usize = 128;

/// What fragments of one payload have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: u32,
}

/// What is there of a payload.
#[derive(Debug, Default)]
struct Parts {
    parts: BTreeMap<usize, Vec<u8>>,
    /// Its length, once the last part is there.
    len: Option<usize>,
}

/// Payloads that wait for fragments.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    waiting: FxHashMap<Key, Parts>,
    order: VecDeque<Key>,
    lost: u64,
}

impl Fragments {
    /// Fragments given up so far.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes a fragment; gives the payload that it completes.
    pub(crate) fn take(&mut self, ip: &Ip<'_>, fragment: Fragment) -> Option<Vec<u8>> {
        let end = fragment.offset + ip.len;
        if ip.payload.len() < ip.len || end > MAX_PAYLOAD {
            self.lost += 1;
            return None;
        }
        let key =
            Key { source: ip.source, destination: ip.destination, protocol: ip.protocol, id: fragment.id };
        let parts = self.parts(key);
        if parts.parts.len() < MAX_PARTS {
            parts.parts.insert(fragment.offset, ip.payload.to_vec());
        }
        if !fragment.more {
            parts.len = Some(end);
        }
        let whole = parts.whole()?;
        self.waiting.remove(&key);
        self.order.retain(|waiting| *waiting != key);
        Some(whole)
    }

    fn parts(&mut self, key: Key) -> &mut Parts {
        if !self.waiting.contains_key(&key) {
            if self.order.len() >= MAX_WAITING
                && let Some(oldest) = self.order.pop_front()
            {
                let dropped = self.waiting.remove(&oldest);
                self.lost += dropped.map_or(0, |parts| parts.parts.len() as u64);
            }
            self.order.push_back(key);
        }
        self.waiting.entry(key).or_default()
    }
}

impl Parts {
    /// The payload, if no byte is missing. Bytes that are there twice count as the earlier part has them.
    fn whole(&self) -> Option<Vec<u8>> {
        let len = self.len?;
        let mut whole = Vec::new();
        for (offset, part) in &self.parts {
            let known = whole.len().checked_sub(*offset)?;
            whole.extend_from_slice(part.get(known..).unwrap_or_default());
        }
        (whole.len() >= len).then(|| {
            whole.truncate(len);
            whole
        })
    }
}
