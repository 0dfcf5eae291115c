//! Comes in: bytes at which a request begins. Goes out: what is asked, by whom, and whether it can be a request at all.
//! Refuses: keys and versions that Kafka does not have, names that no program gives itself.
//!
//! Layout: Kafka's protocol guide, "Request header v0 to v2": length, key, version, correlation id, client id, tagged
//! fields where the version is flexible.

use super::{
    apis::{self, Api},
    layout::{Listener, Reader, varint},
};
use crate::cursor::Cursor;

/// Largest request that a broker takes unless told otherwise (`socket.request.max.bytes`).
pub(super) const MAX_SIZE: u32 = 100 << 20;

/// Bytes up to the length of the client's id.
const FIXED: usize = 14;

/// Longest name that a client is believed to have.
const MAX_CLIENT: usize = 255;

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// Bytes behind the length.
    pub(super) size: u32,
    pub(super) api: &'static Api,
    pub(super) version: u16,
    pub(super) correlation: u32,
    /// Name of the client, where it has one.
    pub(super) client: Option<&'a [u8]>,
    /// What follows the head, as far as it is there.
    pub(super) body: &'a [u8],
}

/// What begins here?
#[derive(Clone, Copy, Debug)]
pub(super) enum Look<'a> {
    Request(Head<'a>),
    /// Possibly a request; more bytes would tell.
    Partial,
    Nothing,
}

/// Reads the head of a request. Of one whose name is cut off the rest is told.
pub(super) fn read(bytes: &[u8]) -> Look<'_> {
    let mut cursor = Cursor::new(bytes);
    let Some(size) = cursor.u32_be() else {
        return if matches!(bytes.first(), Some(0..=6)) { Look::Partial } else { Look::Nothing };
    };
    if !(10..=MAX_SIZE).contains(&size) {
        return Look::Nothing;
    }
    let Some((key, version)) = cursor.u16_be().zip(cursor.u16_be()) else { return Look::Partial };
    let Some(api) = apis::find(key, version) else { return Look::Nothing };
    let Some((correlation, length)) = cursor.u32_be().zip(cursor.u16_be()) else { return Look::Partial };
    if correlation > i32::MAX.cast_unsigned() {
        return Look::Nothing;
    }
    let (client, body) = match client(&mut cursor, length, size) {
        Client::Named(name) => (Some(name), rest(&mut cursor, api, version)),
        Client::Nameless => (None, rest(&mut cursor, api, version)),
        Client::Cut => (None, &[][..]),
        Client::Impossible => return Look::Nothing,
    };
    let end = (size as usize + 4).saturating_sub(cursor.place());
    Look::Request(Head { size, api, version, correlation, client, body: body.get(..end).unwrap_or(body) })
}

enum Client<'a> {
    Named(&'a [u8]),
    Nameless,
    /// Not all of its name is there.
    Cut,
    Impossible,
}

fn client<'a>(cursor: &mut Cursor<'a>, length: u16, size: u32) -> Client<'a> {
    let length = match length {
        u16::MAX | 0 => return Client::Nameless,
        length => usize::from(length),
    };
    if length > MAX_CLIENT || length + FIXED > size as usize + 4 {
        return Client::Impossible;
    }
    let rest = cursor.rest();
    let there = rest.get(..length).unwrap_or(rest);
    if !there.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ' || *byte >= 0x80) {
        return Client::Impossible;
    }
    cursor.take(length).map_or(Client::Cut, Client::Named)
}

/// What follows the head, behind the tagged fields of a flexible version.
fn rest<'a>(cursor: &mut Cursor<'a>, api: &Api, version: u16) -> &'a [u8] {
    if api.is_flexible(version) {
        for _ in 0..varint(cursor).unwrap_or_default() {
            let length = varint(cursor).and(varint(cursor)).unwrap_or(u32::MAX);
            if cursor.take(length as usize).is_none() {
                return &[];
            }
        }
    }
    cursor.rest()
}

impl Head<'_> {
    /// Bytes of the whole request.
    pub(super) const fn whole(&self) -> u64 {
        self.size as u64 + 4
    }

    /// Reads the body, as far as it is known what stands in it. `false` where it ended early.
    pub(super) fn tell(&self, listener: &mut dyn Listener) -> bool {
        if !self.api.versions.contains(&self.version) {
            return true;
        }
        let flexible = self.api.is_flexible(self.version);
        Reader::new(self.body, self.version, flexible, listener).read(self.api.request).is_some()
    }

    /// Could hardly be anything else: a client that names itself, or asks first of all what the broker can do.
    pub(super) fn is_certain(&self) -> bool {
        self.client.is_some_and(|name| name.len() > 1)
            || (self.api.key == apis::API_VERSIONS && self.size < 512)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: &[u8] = b"\0\0\0\x17\0\x12\0\0\0\0\0\x01\0\x0drdkafka-test1";

    #[test]
    fn requests_and_what_only_looks_like_them() {
        let Look::Request(head) = read(VERSIONS) else { panic!("a request") };
        assert_eq!((head.api.name, head.version, head.correlation), ("ApiVersions", 0, 1));
        assert_eq!(head.client, Some(&b"rdkafka-test1"[..]));
        assert!(head.is_certain() && head.body.is_empty());
        for end in 1..FIXED {
            assert!(matches!(VERSIONS.get(..end).map(read), Some(Look::Partial)), "{end}");
        }
        for wrong in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\0\0\0\x08\x04\xd2\x16\x2f",
            b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0",
            b"\x4a\0\0\0\x0a8.0.36\0",
            b"\0\0\0\x17\x03\xe7\0\0\0\0\0\x01\0\x0drdkafka-test1",
        ] {
            assert!(matches!(read(wrong), Look::Nothing), "{}", wrong.escape_ascii());
        }
    }
}
