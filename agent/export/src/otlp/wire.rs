//! Comes in: fields of protobuf messages. Goes out: their bytes (protobuf.dev, "Encoding"). As in proto3, a field that holds
//! nothing is left out, save where its being there says something.

/// Wire types of fields.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED32: u8 = 5;

/// A message under way.
#[derive(Debug, Default)]
pub(super) struct Wire(Vec<u8>);

impl Wire {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.0.reserve(bytes);
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        // Its length goes before it; of most that is one byte.
        self.begin(field, 0);
        let begin = self.0.len();
        write(self);
        let length = self.0.len() - begin;
        let more = length >= 0x80;
        if let Some(first) = self.0.get_mut(begin - 1) {
            *first = length as u8 & 0x7f | u8::from(more) << 7;
        }
        if more {
            self.push_back(begin, length as u64 >> 7);
        }
    }

    /// What stands behind `begin` makes room for a number.
    fn push_back(&mut self, begin: usize, number: u64) {
        let end = self.0.len();
        self.varint(number);
        let digits = self.0.len() - end;
        if let Some(behind) = self.0.get_mut(begin..) {
            behind.rotate_right(digits);
        }
    }

    pub(super) fn text(&mut self, field: u8, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    pub(super) fn bytes(&mut self, field: u8, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.held(field, bytes);
        }
    }

    /// Bytes or text, even if there are none.
    pub(super) fn held(&mut self, field: u8, bytes: &[u8]) {
        self.begin(field, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// A field of this length begins. Of nearly all that takes two bytes.
    fn begin(&mut self, field: u8, length: usize) {
        match (field, u8::try_from(length)) {
            (..0x10, Ok(length @ ..0x80)) => self.0.extend_from_slice(&[field << 3 | LENGTH, length]),
            _ => {
                self.tag(field, LENGTH);
                self.varint(length as u64);
            }
        }
    }

    /// An `int32`, an `int64` or an enum.
    pub(super) fn number(&mut self, field: u8, number: i64) {
        if number != 0 {
            self.held_number(field, number);
        }
    }

    /// A number or a truth value, even 0.
    pub(super) fn held_number(&mut self, field: u8, number: i64) {
        self.tag(field, VARINT);
        self.varint(number.cast_unsigned());
    }

    /// Eight bytes, even if they are 0.
    pub(super) fn fixed64(&mut self, field: u8, number: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Four bytes, even if they are 0.
    pub(super) fn fixed32(&mut self, field: u8, number: u32) {
        self.tag(field, FIXED32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn tag(&mut self, field: u8, kind: u8) {
        self.varint(u64::from(field) << 3 | u64::from(kind));
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}
