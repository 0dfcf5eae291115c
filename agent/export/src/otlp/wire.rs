//! Comes in: fields of protobuf messages. Goes out: their bytes (protobuf.dev, "Encoding"). As in proto3, a field that holds
//! nothing is left out, save where its being there says something.

/// Wire types of fields.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED32: u8 = 5;

/// Bytes of the longest varint.
const MAX_VARINT: usize = 10;

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

    /// Fields that are written already, or what a field holds that has begun.
    pub(super) fn written(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.message_in::<1>(field, write);
    }

    /// The same of one whose length, which goes before it, takes so many bytes as a rule: then nothing need be moved.
    pub(super) fn message_in<const ROOM: usize>(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let begin = self.0.len();
        self.0.extend_from_slice(&[0; ROOM]);
        write(self);
        let length = (self.0.len() - begin - ROOM) as u64;
        match self.0.get_mut(begin..).and_then(<[u8]>::first_chunk_mut::<ROOM>) {
            Some(room) if varint_length(length) == ROOM => *room = varint_digits(length),
            _ => {
                let (digits, count) = (varint_digits::<MAX_VARINT>(length), varint_length(length));
                self.0.splice(begin..begin + ROOM, digits.into_iter().take(count));
            }
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
    #[inline]
    pub(super) fn begin(&mut self, field: u8, length: usize) {
        if field < 0x10 && length < 0x80 {
            self.0.extend_from_slice(&[field << 3 | LENGTH, length as u8]);
        } else {
            self.begin_long(field, length);
        }
    }

    /// A field begins, and the first one within it.
    #[inline]
    pub(super) fn begin_both(&mut self, (field, length): (u8, usize), (inner, inner_length): (u8, usize)) {
        if field < 0x10 && length < 0x80 && inner < 0x10 && inner_length < 0x80 {
            let begin = [field << 3 | LENGTH, length as u8, inner << 3 | LENGTH, inner_length as u8];
            self.0.extend_from_slice(&begin);
        } else {
            self.begin_long(field, length);
            self.begin_long(inner, inner_length);
        }
    }

    #[cold]
    fn begin_long(&mut self, field: u8, length: usize) {
        self.tag(field, LENGTH);
        self.varint(length as u64);
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

/// Bytes of a field with a number below 16 that holds so many.
pub(super) const fn field_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

/// Bytes of a field with a number below 16 that holds this number.
pub(super) const fn number_length(number: i64) -> usize {
    1 + varint_length(number.cast_unsigned())
}

const fn varint_length(number: u64) -> usize {
    match number {
        ..0x80 => 1,
        _ => (u64::BITS - number.leading_zeros()).div_ceil(7) as usize,
    }
}

/// The first digits, seven bits each. All but the number's last say that more follow.
fn varint_digits<const DIGITS: usize>(number: u64) -> [u8; DIGITS] {
    let count = varint_length(number);
    std::array::from_fn(|index| {
        let digit = number.checked_shr(7 * index as u32).unwrap_or_default() as u8 & 0x7f;
        digit | u8::from(index + 1 < count) << 7
    })
}
