//! Comes in: a pcapng file behind its first four bytes. Goes out: packets. draft-ietf-opsawg-pcapng-02 §4. Blocks
//! that hold no packets (names, statistics, secrets) are stepped over.

use std::io::{self, Read};

use crate::{
    cursor::Cursor,
    packets::{Error, Finish, MAX_LENGTH, Next, Packet, fill, finish},
};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// Obsolete, but found in old files.
const PACKET: u32 = 2;
const SIMPLE: u32 = 3;
const ENHANCED: u32 = 6;

/// Type and length of a block.
const HEAD: usize = 8;
/// Its length again at the end.
const TRAILER: usize = 4;

const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// Interfaces of a section that are told apart; packets of further ones are stepped over.
const MAX_INTERFACES: usize = 4096;

/// Does a file that begins so have a section header?
pub(crate) const fn begins(magic: [u8; 4]) -> bool {
    matches!(magic, [0x0a, 0x0d, 0x0d, 0x0a])
}

/// Where packets were captured, and how their times are to be read.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    /// Units of a time in a second.
    per_second: u64,
    /// Seconds to add.
    offset: i64,
}

/// A pcapng file.
pub(crate) struct File<R> {
    file: R,
    big: bool,
    interfaces: Vec<Interface>,
    block: Vec<u8>,
    /// Time of the last packet that had one.
    time: u64,
    packets: u64,
}

impl<R: Read> File<R> {
    /// `file` stands behind the four bytes that [`begins`] saw.
    pub(crate) fn new(mut file: R) -> Result<Self, Error> {
        let mut length = Vec::new();
        let has_length = fill(&mut file, &mut length, 4)?;
        let mut file =
            Self { file, big: false, interfaces: Vec::new(), block: Vec::new(), time: 0, packets: 0 };
        if !has_length || !file.section(&length)? {
            return Err(Error::NotACapture);
        }
        Ok(file)
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, Error> {
        if !fill(&mut self.file, &mut self.block, HEAD)? {
            return Ok(Next::End(finish(self.block.len())));
        }
        let (kind, length) = self.block.split_at(4);
        // The one type that reads the same in either order: a new section may have another.
        let (kind, length) = (self.number(kind), length.to_vec());
        let whole = if kind == SECTION { self.section(&length)? } else { self.body(&length, kind)? };
        if !whole {
            return Ok(Next::End(Finish::Cut));
        }
        Ok(self.packet(kind).map_or(Next::Other, Next::Packet))
    }

    fn number(&self, bytes: &[u8]) -> u32 {
        Cursor::new(bytes, self.big).u32().unwrap_or_default()
    }

    /// Reads the section header whose length field is `length`. False where the file ends within it.
    fn section(&mut self, length: &[u8]) -> Result<bool, Error> {
        if !fill(&mut self.file, &mut self.block, 4)? {
            return Ok(false);
        }
        self.big = match self.block.as_slice() {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return Err(Error::Damaged(self.packets)),
        };
        self.interfaces.clear();
        let rest = (self.number(length) as usize).checked_sub(HEAD + 4);
        self.skip(rest.ok_or(Error::Damaged(self.packets))?)
    }

    /// Reads a block's body, and what is to be remembered of it. False where the file ends within it.
    fn body(&mut self, length: &[u8], kind: u32) -> Result<bool, Error> {
        let length = self.number(length) as usize;
        let padded = length.checked_next_multiple_of(4).and_then(|length| length.checked_sub(HEAD + TRAILER));
        let body = padded.ok_or(Error::Damaged(self.packets))?;
        self.block.clear();
        if body > MAX_LENGTH || !matches!(kind, INTERFACE | PACKET | SIMPLE | ENHANCED) {
            return self.skip(body + TRAILER);
        }
        if !fill(&mut self.file, &mut self.block, body)? {
            return Ok(false);
        }
        if kind == INTERFACE && self.interfaces.len() < MAX_INTERFACES {
            let interface = interface(Cursor::new(&self.block, self.big));
            self.interfaces.push(interface.ok_or(Error::Damaged(self.packets))?);
        }
        self.skip(TRAILER)
    }

    fn skip(&mut self, len: usize) -> Result<bool, Error> {
        match io::copy(&mut (&mut self.file).take(len as u64), &mut io::sink()) {
            Ok(skipped) => Ok(skipped == len as u64),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The packet of the block just read, if it has one.
    fn packet(&mut self, kind: u32) -> Option<Packet<'_>> {
        let mut cursor = Cursor::new(&self.block, self.big);
        let index = match kind {
            ENHANCED => cursor.u32()? as usize,
            PACKET => {
                let index = usize::from(cursor.u16()?);
                cursor.u16()?;
                index
            }
            SIMPLE => 0,
            _ => return None,
        };
        let interface = *self.interfaces.get(index)?;
        let captured = if kind == SIMPLE {
            None
        } else {
            let (high, low) = (u64::from(cursor.u32()?), u64::from(cursor.u32()?));
            self.time = interface.nanoseconds(high << 32 | low);
            Some(cursor.u32()? as usize)
        };
        let len = cursor.u32()? as usize;
        // A simple packet's captured length is what is there of its whole one.
        let captured = captured.unwrap_or_else(|| len.min(cursor.rest.len()));
        let bytes = cursor.take(captured)?;
        self.packets += 1;
        Some(Packet { time: self.time, link: interface.link, bytes, len })
    }
}

/// §4.2.
fn interface(mut cursor: Cursor<'_>) -> Option<Interface> {
    let link = u32::from(cursor.u16()?);
    // Reserved, and the snap length.
    cursor.take(6)?;
    let mut interface = Interface { link, per_second: 1_000_000, offset: 0 };
    while let Some((code, value)) = option(&mut cursor) {
        match (code, value.rest.len()) {
            (0, _) => break,
            (IF_TSRESOL, 1) => interface.per_second = resolution(*value.rest.first()?)?,
            (IF_TSOFFSET, 8) => interface.offset = { value }.u64()?.cast_signed(),
            _ => {}
        }
    }
    Some(interface)
}

/// §3.5: code, length, value, padded to four bytes.
fn option<'a>(cursor: &mut Cursor<'a>) -> Option<(u16, Cursor<'a>)> {
    let code = cursor.u16()?;
    let len = usize::from(cursor.u16()?);
    let mut value = *cursor;
    value.rest = cursor.rest.get(..len)?;
    cursor.take(len.next_multiple_of(4))?;
    Some((code, value))
}

/// A power of ten, or of two where the highest bit is set. `None` where a second would have more than 64 bits.
fn resolution(exponent: u8) -> Option<u64> {
    let base: u64 = if exponent & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(u32::from(exponent & 0x7f))
}

impl Interface {
    /// A time of this interface in nanoseconds since 1970.
    fn nanoseconds(&self, time: u64) -> u64 {
        let per_second = self.per_second.max(1);
        let seconds = (time / per_second).saturating_add_signed(self.offset);
        let part = u128::from(time % per_second) * 1_000_000_000 / u128::from(per_second);
        seconds.saturating_mul(1_000_000_000).saturating_add(part as u64)
    }
}
