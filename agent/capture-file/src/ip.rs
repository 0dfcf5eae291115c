//! Comes in: an IP packet. Goes out: who sends what to whom, or a fragment of it. RFC 791, RFC 8200. Refuses:
//! packets whose header was not captured whole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cursor::Cursor;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// Extension headers of one packet; there are no more than this many sorts.
const MAX_EXTENSIONS: usize = 8;

/// More fragments follow: the flag's place in the IPv4 field of flags and offset.
const MORE_V4: u16 = 0x2000;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ip<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// Number of the protocol above.
    pub(crate) protocol: u8,
    /// What was captured of the payload.
    pub(crate) payload: &'a [u8],
    /// Its length on the wire.
    pub(crate) len: usize,
    /// It is part of a larger payload.
    pub(crate) fragment: Option<Fragment>,
}

/// Which part of which payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) id: u32,
    /// Bytes before it.
    pub(crate) offset: usize,
    /// Are there parts behind it?
    pub(crate) more: bool,
}

impl<'a> Ip<'a> {
    /// Reads a packet that had `wire` bytes on the wire.
    pub(crate) fn read(packet: &'a [u8], wire: usize) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => v4(packet, wire),
            6 => v6(packet, wire),
            _ => None,
        }
    }
}

fn v4(packet: &[u8], wire: usize) -> Option<Ip<'_>> {
    let mut cursor = Cursor::network(packet);
    let header = usize::from(cursor.u8()? & 0xf) * 4;
    cursor.take(1)?;
    // A length of 0 is that of a packet whose segmentation was left to the network card.
    let len = match usize::from(cursor.u16()?) {
        0 => wire,
        len => len,
    };
    let id = u32::from(cursor.u16()?);
    let place = cursor.u16()?;
    cursor.take(1)?;
    let protocol = cursor.u8()?;
    cursor.take(2)?;
    let (source, destination) = (Ipv4Addr::from(cursor.array()?), Ipv4Addr::from(cursor.array()?));
    cursor.take(header.checked_sub(20)?)?;
    let (offset, more) = (usize::from(place & 0x1fff) * 8, place & MORE_V4 != 0);
    let len = len.checked_sub(header)?;
    Some(Ip {
        source: source.into(),
        destination: destination.into(),
        protocol,
        payload: cursor.rest.get(..len).unwrap_or(cursor.rest),
        len,
        fragment: (more || offset > 0).then_some(Fragment { id, offset, more }),
    })
}

fn v6(packet: &[u8], wire: usize) -> Option<Ip<'_>> {
    let mut cursor = Cursor::network(packet);
    cursor.take(4)?;
    let len = match usize::from(cursor.u16()?) {
        0 => wire.checked_sub(40)?,
        len => len,
    };
    let next = cursor.u8()?;
    cursor.take(1)?;
    let (source, destination) = (Ipv6Addr::from(cursor.array()?), Ipv6Addr::from(cursor.array()?));
    cursor.rest = cursor.rest.get(..len).unwrap_or(cursor.rest);
    let before = cursor.rest.len();
    let (protocol, fragment) = extensions(&mut cursor, next)?;
    Some(Ip {
        source: source.into(),
        destination: destination.into(),
        protocol,
        payload: cursor.rest,
        len: len.checked_sub(before - cursor.rest.len())?,
        fragment,
    })
}

/// Steps over the extension headers. Gives the protocol behind them, and the fragment header if there is one: what
/// stands behind that is the payload of the fragment.
fn extensions(cursor: &mut Cursor<'_>, mut next: u8) -> Option<(u8, Option<Fragment>)> {
    for _ in 0..MAX_EXTENSIONS {
        let this = next;
        match this {
            HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION => {
                next = cursor.u8()?;
                let len = usize::from(cursor.u8()?);
                // RFC 4302 §2.2 counts in units of four bytes, the others in units of eight, without the first.
                cursor.take(if this == AUTHENTICATION { len * 4 + 6 } else { len * 8 + 6 })?;
            }
            FRAGMENT => {
                next = cursor.u8()?;
                cursor.take(1)?;
                let place = cursor.u16()?;
                let fragment =
                    Fragment { id: cursor.u32()?, offset: usize::from(place & !7), more: place & 1 != 0 };
                let whole = fragment.offset == 0 && !fragment.more;
                return Some((next, (!whole).then_some(fragment)));
            }
            _ => return Some((this, None)),
        }
    }
    None
}
