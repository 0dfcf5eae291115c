//! HPACK (RFC 7541), reading only. Comes in: header blocks of one direction, in order. Goes out: their fields, with
//! those marked that nobody who joined late can know. Refuses: more fields than bytes would allow without compression:
//! a block is small and what it refers to may be large.

mod huffman;
mod table;

use crate::cursor::Cursor;
use table::{Known, Table};

/// The fields of one block, in order. The memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Fields {
    text: Vec<u8>,
    ends: Vec<(usize, usize)>,
    /// Fields of which a part is not known, and the block's rest where it could not be read.
    pub(super) unknown: u32,
    /// Was something left out: the block was cut, could not be read, or held more than is kept?
    pub(super) truncated: bool,
}

impl Fields {
    /// Name and value of each field that is known.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().filter_map(move |(name, value)| {
            let field = (self.text.get(start..*name)?, self.text.get(*name..*value)?);
            start = *value;
            Some(field)
        })
    }

    /// The value of the first field of this name.
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        (self.unknown, self.truncated) = (0, false);
    }

    fn push(&mut self, name: Known<'_>, value: Known<'_>) {
        let Some((name, value)) = name.zip(value) else {
            self.unknown += 1;
            return;
        };
        if self.text.len() + name.len() + value.len() > MAX_TEXT || self.ends.len() >= MAX_FIELDS {
            self.truncated = true;
            return;
        }
        self.text.extend_from_slice(name);
        let end = self.text.len();
        self.text.extend_from_slice(value);
        self.ends.push((end, self.text.len()));
    }
}

/// Most text kept of one block's fields, bytes; as much as servers take.
const MAX_TEXT: usize = 32 << 10;

/// Most fields kept of one block.
const MAX_FIELDS: usize = 256;

/// The decoder of one direction.
#[derive(Debug)]
pub(super) struct Decoder {
    table: Table,
    /// Room for a name and a value while a field is read.
    name: Vec<u8>,
    value: Vec<u8>,
}

/// Why a block cannot be read on.
#[derive(Debug, PartialEq, Eq)]
struct Broken;

impl Decoder {
    /// Of a connection seen from its first byte.
    pub(super) fn new() -> Self {
        Self { table: Table::new(), name: Vec::new(), value: Vec::new() }
    }

    /// Of a connection joined later.
    pub(super) fn joined() -> Self {
        Self { table: Table::joined(), ..Self::new() }
    }

    /// A block may have been missed.
    pub(super) fn forget(&mut self) {
        self.table.forget();
    }

    /// Reads a block into `fields`. `cut`: its end is missing, and with it what it would have inserted.
    pub(super) fn decode(&mut self, block: &[u8], cut: bool, fields: &mut Fields) {
        fields.clear();
        let mut cursor = Cursor::new(block);
        while !cursor.is_empty() {
            if self.field(&mut cursor, fields).is_err() {
                fields.truncated = true;
                break;
            }
        }
        if cut || !cursor.is_empty() {
            fields.truncated = true;
            fields.unknown += 1;
            self.forget();
        }
    }

    /// One representation (RFC 7541 section 6). Moves only where it is whole.
    fn field(&mut self, cursor: &mut Cursor<'_>, fields: &mut Fields) -> Result<(), Broken> {
        let mut ahead = *cursor;
        let first = ahead.peek().ok_or(Broken)?;
        match first {
            0x80.. => match self.table.get(integer(&mut ahead, 7)?) {
                Some((name, value)) => fields.push(name, value),
                None => fields.push(None, None),
            },
            0x20..0x40 => self.table.resize(integer(&mut ahead, 5)?),
            0x40.. => self.literal(&mut ahead, 6, true, fields)?,
            _ => self.literal(&mut ahead, 4, false, fields)?,
        }
        *cursor = ahead;
        Ok(())
    }

    /// A literal field, its name by an index of `prefix` bits or a literal too.
    fn literal(
        &mut self,
        cursor: &mut Cursor<'_>,
        prefix: u32,
        insert: bool,
        fields: &mut Fields,
    ) -> Result<(), Broken> {
        self.name.clear();
        self.value.clear();
        let index = integer(cursor, prefix)?;
        let known = match self.table.get(index) {
            Some((Some(name), _)) => {
                self.name.extend_from_slice(name);
                true
            }
            _ if index == 0 => {
                string(cursor, &mut self.name)?;
                true
            }
            _ => false,
        };
        string(cursor, &mut self.value)?;
        let (name, value) = (known.then_some(self.name.as_slice()), Some(self.value.as_slice()));
        fields.push(name, value);
        if insert {
            self.table.insert(name, value);
        }
        Ok(())
    }
}

/// An integer whose first byte has `prefix` bits of it (RFC 7541 section 5.1); at most 2^28.
fn integer(cursor: &mut Cursor<'_>, prefix: u32) -> Result<u32, Broken> {
    let mask = (1_u32 << prefix) - 1;
    let mut number = u32::from(cursor.u8().ok_or(Broken)?) & mask;
    if number < mask {
        return Ok(number);
    }
    for shift in [0, 7, 14, 21] {
        let byte = cursor.u8().ok_or(Broken)?;
        number += u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Broken)
}

/// A string (RFC 7541 section 5.2), appended to `out`.
fn string(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Broken> {
    let huffman = cursor.peek().ok_or(Broken)? >= 0x80;
    let length = usize::try_from(integer(cursor, 7)?).map_err(|_| Broken)?;
    let text = cursor.take(length).ok_or(Broken)?;
    if huffman {
        return huffman::decode(text, out).ok_or(Broken);
    }
    out.extend_from_slice(text);
    Ok(())
}

#[cfg(test)]
mod tests;
