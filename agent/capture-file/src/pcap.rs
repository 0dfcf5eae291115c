//! Comes in: a pcap file behind its magic. Goes out: packets. draft-ietf-opsawg-pcap-04 §4 and §5.

use std::io::Read;

use crate::{
    cursor::Cursor,
    link,
    packets::{Error, MAX_LENGTH, Next, Packet, fill, finish},
};

/// Length of the header behind the magic.
const HEADER: usize = 20;
/// Length of a packet's header.
const PACKET: usize = 16;

/// What the magic says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Numbers in network order?
    big: bool,
    /// Nanoseconds of the second part of a time's unit.
    unit: u64,
}

impl Layout {
    /// `None` for what is not pcap.
    pub(crate) const fn of(magic: [u8; 4]) -> Option<Self> {
        Some(match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => Self { big: true, unit: 1000 },
            [0xd4, 0xc3, 0xb2, 0xa1] => Self { big: false, unit: 1000 },
            [0xa1, 0xb2, 0x3c, 0x4d] => Self { big: true, unit: 1 },
            [0x4d, 0x3c, 0xb2, 0xa1] => Self { big: false, unit: 1 },
            _ => return None,
        })
    }
}

/// A pcap file.
pub(crate) struct File<R> {
    file: R,
    layout: Layout,
    link: u32,
    buffer: Vec<u8>,
    packets: u64,
}

impl<R: Read> File<R> {
    pub(crate) fn new(mut file: R, layout: Layout) -> Result<Self, Error> {
        let mut buffer = Vec::new();
        if !fill(&mut file, &mut buffer, HEADER)? {
            return Err(Error::NotACapture);
        }
        let mut cursor = Cursor::new(&buffer, layout.big);
        // Version, two fields that nobody uses, and the snap length. The upper bits of the type tell of checksums.
        let link = cursor.take(16).and_then(|_| cursor.u32()).unwrap_or_default() & 0xffff;
        if !link::is_known(link) {
            return Err(Error::Link(link));
        }
        Ok(Self { file, layout, link, buffer, packets: 0 })
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, Error> {
        if !fill(&mut self.file, &mut self.buffer, PACKET)? {
            return Ok(Next::End(finish(self.buffer.len())));
        }
        let Some((time, captured, len)) = self.header() else { return Err(Error::Damaged(self.packets)) };
        if captured > MAX_LENGTH {
            return Err(Error::Damaged(self.packets));
        }
        if !fill(&mut self.file, &mut self.buffer, captured)? {
            return Ok(Next::End(crate::Finish::Cut));
        }
        self.packets += 1;
        Ok(Next::Packet(Packet { time, link: self.link, bytes: &self.buffer, len }))
    }

    /// Time, captured length, length on the wire.
    fn header(&self) -> Option<(u64, usize, usize)> {
        let mut cursor = Cursor::new(&self.buffer, self.layout.big);
        let seconds = u64::from(cursor.u32()?) * 1_000_000_000;
        let time = seconds + u64::from(cursor.u32()?) * self.layout.unit;
        Some((time, cursor.u32()? as usize, cursor.u32()? as usize))
    }
}
