//! Comes in: values. Goes out: their bytes, and back. Refuses: reading past the end of a payload (`None`).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use wirespan_proto::event::Address;

/// Marks a text or bytes that are not there.
const ABSENT: u32 = u32::MAX;

const UNKNOWN: u8 = 0;
const V4: u8 = 1;
const V6: u8 = 2;
const UNIX: u8 = 3;

/// Appends fields to a payload.
pub(crate) struct Fields<'a>(pub(crate) &'a mut Vec<u8>);

impl Fields<'_> {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Bytes behind their length. What is longer than a record may be is cut.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..crate::MAX_PAYLOAD / 4).unwrap_or(bytes);
        self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.bytes(text.as_bytes()),
            None => self.u32(ABSENT),
        }
    }

    pub(crate) fn address(&mut self, address: Address) {
        match address {
            Address::Unknown => self.u8(UNKNOWN),
            Address::Inet(SocketAddr::V4(v4)) => {
                self.u8(V4);
                self.0.extend_from_slice(&v4.ip().octets());
                self.u16(v4.port());
            }
            Address::Inet(SocketAddr::V6(v6)) => {
                self.u8(V6);
                self.0.extend_from_slice(&v6.ip().octets());
                self.u16(v6.port());
            }
            Address::Unix(cookie) => {
                self.u8(UNIX);
                self.u64(cookie);
            }
        }
    }
}

/// Reads fields from a payload.
pub(crate) struct Payload<'a>(pub(crate) &'a [u8]);

impl<'a> Payload<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    /// A text, or that there is none. What is not UTF-8 is replaced.
    #[expect(clippy::option_option, reason = "outside: is the field there; inside: does it say anything")]
    pub(crate) fn text(&mut self) -> Option<Option<String>> {
        match self.u32()? {
            ABSENT => Some(None),
            len => self.take(len as usize).map(|bytes| Some(String::from_utf8_lossy(bytes).into_owned())),
        }
    }

    pub(crate) fn address(&mut self) -> Option<Address> {
        Some(match self.u8()? {
            UNKNOWN => Address::Unknown,
            V4 => {
                let ip = Ipv4Addr::from(self.array::<4>()?);
                Address::Inet(SocketAddr::V4(SocketAddrV4::new(ip, self.u16()?)))
            }
            V6 => {
                let ip = Ipv6Addr::from(self.array::<16>()?);
                Address::Inet(SocketAddr::V6(SocketAddrV6::new(ip, self.u16()?, 0, 0)))
            }
            UNIX => Address::Unix(self.u64()?),
            _ => return None,
        })
    }
}
