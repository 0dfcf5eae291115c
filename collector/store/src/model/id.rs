//! Hex digits in, ids out, and back. Refuses the all-zero id, which W3C Trace Context calls invalid.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A trace's id: 16 bytes, not all zero in a valid span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TraceId(pub [u8; 16]);

/// A span's id: 8 bytes, not all zero in a valid span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SpanId(pub [u8; 8]);

/// Text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {digits} hex digits, not all zero")]
pub struct BadId {
    /// The most digits that such an id has.
    pub digits: usize,
}

impl TraceId {
    /// The half that is random by W3C Trace Context level 2, and the whole of a 64-bit id.
    #[must_use]
    pub fn low(self) -> u64 {
        u128::from_be_bytes(self.0) as u64
    }
}

impl SpanId {
    /// As a number.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::from_be_bytes(self.0)
    }
}

/// Up to `digits` hex digits; fewer are taken as the right-hand end, as Jaeger and Zipkin shorten their ids.
fn number(text: &str, digits: usize) -> Result<u128, BadId> {
    let bad = BadId { digits };
    if text.is_empty() || text.len() > digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(bad);
    }
    u128::from_str_radix(text, 16).ok().filter(|number| *number != 0).ok_or(bad)
}

impl FromStr for TraceId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        Ok(Self(number(text, 32)?.to_be_bytes()))
    }
}

impl FromStr for SpanId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        Ok(Self((number(text, 16)? as u64).to_be_bytes()))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_what_they_write() {
        let id: TraceId = "4BF92F3577B34DA6A3CE929D0E0E4736".parse().unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!("f0".parse::<SpanId>().unwrap().to_string(), "00000000000000f0");
        assert_eq!("a3ce929d0e0e4736".parse::<TraceId>().unwrap().low(), 0xa3ce_929d_0e0e_4736);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in
            ["", "0", "00000000000000000000000000000000", "xyz", "+1", "123456789012345678901234567890123"]
        {
            assert_eq!(text.parse::<TraceId>(), Err(BadId { digits: 32 }), "{text:?}");
        }
        assert_eq!("11112222333344445".parse::<SpanId>(), Err(BadId { digits: 16 }));
    }
}
