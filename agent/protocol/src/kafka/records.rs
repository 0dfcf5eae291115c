//! Comes in: the records of a partition. Goes out: how many there are, and the headers in them that carry a trace context.
//! Refuses: keys and values, and what is compressed: of that the count alone is known.
//!
//! Layout: Kafka's documentation, "Message Format" (record batches of magic 2; of the older message sets the count alone).

use super::layout::zigzag;
use crate::{
    carrier::{Carrier, Headers},
    cursor::Cursor,
};

/// Contexts kept of the records of one message.
const MAX_CONTEXTS: usize = 32;

/// Offset and length before a batch, bytes.
const HEAD: usize = 12;

/// Attributes of a batch: the lowest three bits say how it is compressed, 32 that it is no data.
const COMPRESSION: u16 = 7;
const CONTROL: u16 = 32;

/// What records tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// How many there are, as far as was seen.
    pub(super) count: u64,
    /// There may be more of them.
    pub(super) cut: bool,
    /// Trace contexts, in order.
    pub(super) contexts: Vec<Headers>,
    /// Offset of the first one.
    pub(super) offset: Option<i64>,
    /// The first one has no value.
    pub(super) tombstone: bool,
}

impl Records {
    /// Reads batches, of which `length` bytes are said to be there.
    pub(super) fn read(&mut self, bytes: &[u8], length: usize) {
        let mut cursor = Cursor::new(bytes);
        let mut covered = 0;
        while !cursor.is_empty() {
            match self.batch(&mut cursor, length.saturating_sub(covered)) {
                Some(whole) => covered += whole,
                // A broker may cut the last batch of an answer: what is left of it is none.
                None => break,
            }
        }
        self.cut |= bytes.len() < length && covered < length;
    }

    /// A batch of at most `left` bytes; its length. Its head tells how many records there are, so that the rest need not
    /// be there.
    fn batch(&mut self, cursor: &mut Cursor<'_>, left: usize) -> Option<usize> {
        let offset = cursor.array().map(i64::from_be_bytes)?;
        let length = cursor.u32_be()? as usize;
        let whole = length.checked_add(HEAD).filter(|whole| *whole <= left)?;
        let rest = cursor.rest();
        let batch = rest.get(..length).unwrap_or(rest);
        let mut inside = Cursor::new(batch);
        // The epoch of a batch, the checksum of an old message: of the same length.
        inside.take(4)?;
        if inside.u8()? < 2 {
            self.found(offset, 1);
        } else {
            self.current(offset, &mut inside)?;
        }
        cursor.take(batch.len())?;
        Some(whole)
    }

    fn found(&mut self, offset: i64, count: u64) {
        if self.count == 0 {
            self.offset = Some(offset);
        }
        self.count += count;
    }

    /// A batch behind its magic: checksum, attributes, last offset, two times, producer, its epoch and sequence, count.
    fn current(&mut self, offset: i64, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.take(4)?;
        let attributes = cursor.u16_be()?;
        cursor.take(4 + 8 + 8 + 8 + 2 + 4)?;
        let count = cursor.u32_be()?;
        if attributes & CONTROL != 0 {
            return Some(());
        }
        let first = self.count == 0;
        self.found(offset, count.into());
        if attributes & COMPRESSION == 0 {
            for place in 0..count {
                if self.contexts.len() >= MAX_CONTEXTS || self.record(cursor, first && place == 0).is_none() {
                    break;
                }
            }
        }
        Some(())
    }

    /// A record: its length, attributes, differences of time and offset, key, value, headers.
    fn record(&mut self, cursor: &mut Cursor<'_>, first: bool) -> Option<()> {
        let length = usize::try_from(zigzag(cursor)?).ok()?;
        let rest = cursor.rest();
        let mut inside = Cursor::new(rest.get(..length).unwrap_or(rest));
        inside.u8()?;
        zigzag(&mut inside)?;
        zigzag(&mut inside)?;
        bytes(&mut inside)?;
        let value = zigzag(&mut inside)?;
        self.tombstone |= first && value < 0;
        inside.take(usize::try_from(value).unwrap_or(0))?;
        let mut carrier = Carrier::default();
        for _ in 0..zigzag(&mut inside)?.max(0) {
            let (Some(name), Some(value)) = (bytes(&mut inside), bytes(&mut inside)) else { break };
            carrier.offer(name, value);
        }
        let context = carrier.into_headers();
        if !context.is_empty() {
            self.contexts.push(context);
        }
        cursor.take(length).map(drop)
    }
}

/// Bytes behind their length; none at all where that is negative.
fn bytes<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = zigzag(cursor)?;
    cursor.take(usize::try_from(length).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of two records without keys, values or headers, and how it was compressed.
    fn batch(attributes: u8) -> Vec<u8> {
        let mut batch = b"\0\0\0\0\0\0\0\x07\0\0\0\x41\0\0\0\0\x02\0\0\0\0\0".to_vec();
        batch.push(attributes);
        batch.extend([0; 34]);
        batch.extend(b"\0\0\0\x02\x0e\0\0\0\x01\x01\0\0\x0e\0\0\x02\x01\x01\0\0");
        batch
    }

    /// The first `there` bytes of `length` ones: how many records, and may there be more?
    fn read(bytes: &[u8], there: usize, length: usize) -> (u64, bool) {
        let mut records = Records::default();
        records.read(bytes.get(..there).expect("no more than there are"), length);
        (records.count, records.cut)
    }

    #[test]
    fn batches_are_counted() {
        let two = [batch(0), batch(1)].concat();
        let mut records = Records::default();
        records.read(&two, two.len());
        assert_eq!(
            (records.count, records.cut, records.offset, records.tombstone),
            (4, false, Some(7), true)
        );
    }

    #[test]
    fn the_head_of_a_batch_tells_of_all_of_it() {
        let two = [batch(0), batch(0)].concat();
        let (one, all) = (batch(0).len(), two.len());
        assert_eq!(read(&two, one + 70, all), (4, false));
        assert_eq!(read(&two, one, all), (2, true));
        // All is there, and the broker cut the last one.
        assert_eq!(read(&two, one + 70, one + 70), (2, false));
    }

    #[test]
    fn what_is_no_data_is_not_counted() {
        let control = batch(32);
        assert_eq!(read(&control, control.len(), control.len()), (0, false));
    }
}
