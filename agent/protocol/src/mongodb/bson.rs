//! Comes in: a BSON document (bsonspec.org, version 1.1), whole or cut. Goes out: its elements, one level at a time;
//! what lies deeper is passed over by its length. Refuses: recursion, and lengths that do not fit.

use crate::cursor::Cursor;

/// Shortest document: its length and the byte that ends it.
pub(super) const LEAST: u32 = 5;

const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
pub(super) const DOCUMENT: u8 = 0x03;
pub(super) const ARRAY: u8 = 0x04;
const BOOL: u8 = 0x08;
const INT32: u8 = 0x10;
const INT64: u8 = 0x12;

/// A name and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) kind: u8,
    pub(super) name: &'a [u8],
    /// What is there of it.
    pub(super) value: &'a [u8],
}

impl<'a> Element<'a> {
    /// Text, without its length and the byte that ends it.
    pub(super) fn text(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor::new(self.value);
        let length = cursor.u32_le().filter(|_| self.kind == STRING)?;
        cursor.take(usize::try_from(length).ok()?)?.strip_suffix(&[0])
    }

    /// A number, or a truth value as 0 or 1; fractions are cut off.
    pub(super) fn number(&self) -> Option<i64> {
        let mut cursor = Cursor::new(self.value);
        match self.kind {
            DOUBLE => cursor.u64_le().map(|bits| f64::from_bits(bits) as i64),
            INT32 => cursor.u32_le().map(|number| i64::from(number.cast_signed())),
            INT64 => cursor.u64_le().map(u64::cast_signed),
            BOOL => cursor.u8().map(i64::from),
            _ => None,
        }
    }

    /// The elements of a document or an array.
    pub(super) fn elements(&self) -> Option<Elements<'a>> {
        Elements::of(self.value).filter(|_| matches!(self.kind, DOCUMENT | ARRAY))
    }

    /// How many elements an array has, where all of it is there.
    pub(super) fn count(&self) -> Option<u64> {
        let mut elements = self.elements().filter(|_| self.kind == ARRAY)?;
        let count = elements.by_ref().count() as u64;
        elements.complete.then_some(count)
    }
}

/// The elements of a document, as far as they are there.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    cursor: Cursor<'a>,
    /// Was the end of the document reached?
    pub(super) complete: bool,
}

impl<'a> Elements<'a> {
    /// Of the document at the front of `bytes`.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let length = cursor.u32_le().filter(|length| *length >= LEAST)?;
        let content = usize::try_from(length).ok().and_then(|length| bytes.get(4..length));
        Some(Self { cursor: Cursor::new(content.unwrap_or(cursor.rest())), complete: false })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let kind = self.cursor.u8()?;
        if kind == 0 {
            self.complete = self.cursor.is_empty();
            self.cursor = Cursor::new(&[]);
            return None;
        }
        let name = self.cursor.until(0)?;
        let there = self.cursor.rest();
        let value = length(kind, there).and_then(|length| self.cursor.take(length));
        if value.is_none() {
            self.cursor = Cursor::new(&[]);
        }
        Some(Element { kind, name, value: value.unwrap_or(there) })
    }
}

/// Is this the type of an element?
pub(super) const fn is_kind(kind: u8) -> bool {
    matches!(kind, 0x01..=0x13 | 0x7f | 0xff)
}

/// Length of the value at the front of `bytes`, where it can be told.
fn length(kind: u8, bytes: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(bytes);
    let mut behind = |more: usize| usize::try_from(cursor.u32_le()?).ok()?.checked_add(more);
    match kind {
        0x06 | 0x0a | 0x7f | 0xff => Some(0),
        BOOL => Some(1),
        INT32 => Some(4),
        DOUBLE | 0x09 | 0x11 | INT64 => Some(8),
        0x07 => Some(12),
        0x13 => Some(16),
        STRING | 0x0d | 0x0e => behind(4),
        DOCUMENT | ARRAY | 0x0f => behind(0),
        0x05 => behind(5),
        0x0c => behind(16),
        // A regular expression: two texts, each with the byte that ends it.
        0x0b => {
            let mut texts = Cursor::new(bytes);
            texts.until(0)?;
            texts.until(0)?;
            Some(texts.place())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"find": "users", "limit": 3, "list": [1, null], "$db": "shop"}`
    const FIND: &[u8] = b"\x43\0\0\0\x02find\0\x06\0\0\0users\0\x10limit\0\x03\0\0\0\x04list\0\x0f\0\0\0\x100\0\x01\0\0\0\x0a1\0\0\x02$db\0\x05\0\0\0shop\0\0";

    #[test]
    fn elements_come_in_order_with_their_values() {
        assert_eq!(FIND.len(), 0x43);
        let mut elements = Elements::of(FIND).unwrap();
        let texts: Vec<_> = elements.by_ref().map(|element| (element.name, element.text())).collect();
        assert_eq!(texts.first(), Some(&(b"find".as_slice(), Some(b"users".as_slice()))));
        assert_eq!(texts.last(), Some(&(b"$db".as_slice(), Some(b"shop".as_slice()))));
        assert!(elements.complete);
        let of = |name: &[u8]| Elements::of(FIND).unwrap().find(|element| element.name == name).unwrap();
        assert_eq!((of(b"limit").number(), of(b"list").count()), (Some(3), Some(2)));
        assert_eq!((of(b"find").number(), of(b"find").count(), of(b"limit").text()), (None, None, None));
    }

    #[test]
    fn a_cut_document_gives_what_is_there() {
        for length in 4..FIND.len() {
            let mut elements = FIND.get(..length).and_then(Elements::of).unwrap();
            let count = elements.by_ref().count();
            assert!(count <= 4 && !elements.complete, "{length}: {count}");
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert!(Elements::of(b"\x04\0\0\0\0").is_none());
        assert!(Elements::of(b"\x05\0\0").is_none());
        let long = b"\xff\xff\xff\xff\x03a\0\xff\xff\xff\x7f\x03b\0";
        let depth: Vec<_> =
            Elements::of(long).unwrap().map(|element| element.elements().unwrap().count()).collect();
        assert_eq!(depth, [1]);
        assert_eq!(Elements::of(b"\x09\0\0\0\x55a\0b\0").unwrap().count(), 1, "of an unknown type");
    }
}
