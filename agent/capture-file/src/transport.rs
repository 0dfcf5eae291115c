//! Comes in: the payload of an IP packet. Goes out: a TCP segment or a UDP datagram. RFC 9293 §3.1, RFC 768. Refuses:
//! headers that were not captured whole.

use std::net::SocketAddr;

use crate::{cursor::Cursor, ip::Ip};

const TCP: u8 = 6;
const UDP: u8 = 17;

const FIN: u8 = 1;
const SYN: u8 = 1 << 1;
const RST: u8 = 1 << 2;
const ACK: u8 = 1 << 4;

/// One message of a transport.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// What was captured of its data.
    pub(crate) bytes: &'a [u8],
    /// The length of its data on the wire.
    pub(crate) len: u32,
    /// TCP's part of it; `None` for a datagram.
    pub(crate) tcp: Option<Tcp>,
}

/// What TCP says with a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp {
    /// Sequence number of the first byte of data: that behind the SYN where there is one.
    pub(crate) offset: u32,
    /// Sequence number that is expected next, where one is told.
    pub(crate) ack: Option<u32>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
}

impl<'a> Message<'a> {
    /// `None` for other protocols.
    pub(crate) fn read(ip: &Ip<'a>) -> Option<Self> {
        let mut cursor = Cursor::network(ip.payload);
        match ip.protocol {
            TCP => tcp(ip, &mut cursor),
            UDP => udp(ip, &mut cursor),
            _ => None,
        }
    }
}

fn tcp<'a>(ip: &Ip<'a>, cursor: &mut Cursor<'a>) -> Option<Message<'a>> {
    let (source, destination) = (cursor.u16()?, cursor.u16()?);
    let (sequence, ack) = (cursor.u32()?, cursor.u32()?);
    let header = usize::from(cursor.u8()? >> 4) * 4;
    let flags = cursor.u8()?;
    // Window, checksum and urgent pointer; then the options, which may be cut where no data are.
    cursor.take(6)?;
    let options = header.checked_sub(20)?;
    cursor.rest = cursor.rest.get(options..).unwrap_or_default();
    let has = |flag: u8| flags & flag != 0;
    Some(Message {
        source: (ip.source, source).into(),
        destination: (ip.destination, destination).into(),
        bytes: cursor.rest,
        len: u32::try_from(ip.len.checked_sub(header)?).ok()?,
        tcp: Some(Tcp {
            offset: sequence.wrapping_add(u32::from(has(SYN))),
            ack: has(ACK).then_some(ack),
            syn: has(SYN),
            fin: has(FIN),
            rst: has(RST),
        }),
    })
}

fn udp<'a>(ip: &Ip<'a>, cursor: &mut Cursor<'a>) -> Option<Message<'a>> {
    let (source, destination) = (cursor.u16()?, cursor.u16()?);
    // The length of a jumbogram does not fit here and is 0 (RFC 2675 §4).
    let len = match usize::from(cursor.u16()?) {
        0 => ip.len,
        len => len.min(ip.len),
    };
    cursor.take(2)?;
    let len = len.checked_sub(8)?;
    Some(Message {
        source: (ip.source, source).into(),
        destination: (ip.destination, destination).into(),
        bytes: cursor.rest.get(..len).unwrap_or(cursor.rest),
        len: u32::try_from(len).ok()?,
        tcp: None,
    })
}
