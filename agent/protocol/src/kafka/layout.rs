//! Layouts of messages, and how bytes are read by them. Comes in: the fields of a message as a table, a version, bytes.
//! Goes out: what the table says is to be told, to a [`Listener`]. Refuses: reading on where bytes do not fit; lists
//! whose elements have no bytes.
//!
//! Types: Kafka's protocol guide, "Protocol Primitive Types"; variable lengths and tagged fields: KIP-482.

use crate::cursor::Cursor;

/// A field that is no structure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar {
    /// So many bytes that are not told.
    Fixed(usize),
    /// A text that is not told.
    Text,
    /// Bytes that are not told.
    Bytes,
    Topic,
    TopicId,
    Partition,
    Error,
    Group,
    Acks,
    Offset,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    One(Scalar),
    List(Scalar),
    /// A structure.
    Whole(Layout),
    /// A list of structures.
    Structs(Layout),
    Records,
}

/// A field, and in which versions it is there.
#[derive(Debug)]
pub(super) struct Field {
    first: u16,
    last: u16,
    kind: Kind,
}

/// The fields of a message or structure, in order.
pub(super) type Layout = &'static [Field];

pub(super) const fn between(first: u16, last: u16, kind: Kind) -> Field {
    Field { first, last, kind }
}

pub(super) const fn since(first: u16, kind: Kind) -> Field {
    between(first, u16::MAX, kind)
}

pub(super) const fn until(last: u16, kind: Kind) -> Field {
    between(0, last, kind)
}

pub(super) const fn always(kind: Kind) -> Field {
    between(0, u16::MAX, kind)
}

pub(super) const fn one(scalar: Scalar) -> Kind {
    Kind::One(scalar)
}

pub(super) const fn list(scalar: Scalar) -> Kind {
    Kind::List(scalar)
}

pub(super) const fn whole(layout: Layout) -> Kind {
    Kind::Whole(layout)
}

pub(super) const fn structs(layout: Layout) -> Kind {
    Kind::Structs(layout)
}

/// Who is told what was found.
pub(super) trait Listener {
    fn topic(&mut self, name: &[u8]);
    fn topic_id(&mut self, id: [u8; 16]);
    fn partition(&mut self, index: u32);
    fn error(&mut self, code: i16);
    fn group(&mut self, name: &[u8]);
    fn acks(&mut self, acks: i16);
    fn offset(&mut self, offset: i64);
    /// Records, as far as they are there, and their whole length.
    fn records(&mut self, bytes: &[u8], length: usize);
}

/// Reads a message.
pub(super) struct Reader<'a, 'l> {
    cursor: Cursor<'a>,
    version: u16,
    flexible: bool,
    listener: &'l mut dyn Listener,
    /// Elements of lists that are still to come, of the lists around what is read.
    pending: u32,
    /// Records were cut off that nothing of interest follows.
    done: bool,
}

impl<'a, 'l> Reader<'a, 'l> {
    pub(super) const fn new(
        bytes: &'a [u8],
        version: u16,
        flexible: bool,
        listener: &'l mut dyn Listener,
    ) -> Self {
        Self { cursor: Cursor::new(bytes), version, flexible, listener, pending: 0, done: false }
    }

    /// Reads all of a message. `None` where it ended early and something is missing. The depth is the table's.
    pub(super) fn read(&mut self, layout: Layout) -> Option<()> {
        let version = self.version;
        layout
            .iter()
            .filter(|field| (field.first..=field.last).contains(&version))
            .try_for_each(|field| if self.done { Some(()) } else { self.field(field.kind) })
    }

    fn field(&mut self, kind: Kind) -> Option<()> {
        match kind {
            Kind::One(scalar) => self.scalar(scalar),
            Kind::List(scalar) => self.each(|reader| reader.scalar(scalar)),
            Kind::Whole(layout) => self.structure(layout),
            Kind::Structs(layout) => self.each(|reader| reader.structure(layout)),
            Kind::Records => self.records(),
        }
    }

    fn structure(&mut self, layout: Layout) -> Option<()> {
        self.read(layout)?;
        self.tags()
    }

    fn each(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let around = self.pending;
        for left in (0..self.length(4)?).rev() {
            let before = self.cursor.place();
            self.pending = around + u32::from(left > 0);
            read(self)?;
            if self.cursor.place() == before {
                return None;
            }
        }
        self.pending = around;
        Some(())
    }

    fn scalar(&mut self, scalar: Scalar) -> Option<()> {
        match scalar {
            Scalar::Fixed(length) => drop(self.cursor.take(length)?),
            Scalar::Text => drop(self.text()?),
            Scalar::Bytes => {
                let length = self.length(4)?;
                self.cursor.take(length)?;
            }
            Scalar::Topic => {
                let name = self.text()?;
                self.listener.topic(name);
            }
            Scalar::TopicId => {
                let id = self.cursor.array()?;
                self.listener.topic_id(id);
            }
            Scalar::Partition => {
                let index = self.cursor.u32_be()?;
                self.listener.partition(index);
            }
            Scalar::Error => {
                let code = self.cursor.array().map(i16::from_be_bytes)?;
                self.listener.error(code);
            }
            Scalar::Group => {
                let name = self.text()?;
                self.listener.group(name);
            }
            Scalar::Acks => {
                let acks = self.cursor.array().map(i16::from_be_bytes)?;
                self.listener.acks(acks);
            }
            Scalar::Offset => {
                let offset = self.cursor.array().map(i64::from_be_bytes)?;
                self.listener.offset(offset);
            }
        }
        Some(())
    }

    /// Empty for none at all.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length(2)?;
        self.cursor.take(length)
    }

    /// The length of a text, of bytes or a list: of `size` bytes, or variable and one more than it says. 0 for none at all.
    fn length(&mut self, size: usize) -> Option<usize> {
        if self.flexible {
            return Some((varint(&mut self.cursor)? as usize).saturating_sub(1));
        }
        let length = match size {
            2 => i32::from(self.cursor.array().map(i16::from_be_bytes)?),
            _ => self.cursor.array().map(i32::from_be_bytes)?,
        };
        Some(usize::try_from(length).unwrap_or(0))
    }

    /// Passes over tagged fields.
    pub(super) fn tags(&mut self) -> Option<()> {
        if !self.flexible || self.done {
            return Some(());
        }
        for _ in 0..varint(&mut self.cursor)? {
            let _tag = varint(&mut self.cursor)?;
            let length = varint(&mut self.cursor)? as usize;
            self.cursor.take(length)?;
        }
        Some(())
    }

    /// Records that were cut off are no loss where nothing follows them.
    fn records(&mut self) -> Option<()> {
        let length = self.length(4)?;
        let rest = self.cursor.rest();
        self.listener.records(rest.get(..length).unwrap_or(rest), length);
        if rest.len() < length && self.pending == 0 {
            self.done = true;
        }
        let there = length.min(rest.len());
        self.cursor.take(there)?;
        (self.done || there == length).then_some(())
    }
}

/// An unsigned variable length of up to 32 bits: seven bits a byte, the lowest first.
pub(super) fn varint(cursor: &mut Cursor<'_>) -> Option<u32> {
    let mut number = 0;
    for place in 0..5 {
        let byte = cursor.u8()?;
        number |= u32::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A signed variable length of up to 64 bits, zigzag encoded, as records have them.
pub(super) fn zigzag(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut number = 0_u64;
    for place in 0..10 {
        let byte = cursor.u8()?;
        number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_lengths() {
        for (bytes, number) in
            [(&b"\x00"[..], Some(0)), (b"\x7f", Some(127)), (b"\x80\x01", Some(128)), (b"\x80", None)]
        {
            assert_eq!(varint(&mut Cursor::new(bytes)), number);
        }
        assert_eq!(varint(&mut Cursor::new(&[0xff; 9])), None);
        for (bytes, number) in [(&b"\x00"[..], 0), (b"\x01", -1), (b"\x02", 1), (b"\x80\x01", 64)] {
            assert_eq!(zigzag(&mut Cursor::new(bytes)), Some(number));
        }
        assert_eq!(zigzag(&mut Cursor::new(&[0xff; 11])), None);
    }
}
