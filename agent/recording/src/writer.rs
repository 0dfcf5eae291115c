//! Comes in: records. Goes out: chunks of them, and packed chunks, which one behind the other are a file. No I/O
//! here: who writes decides when and where.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use crate::{
    MAGIC, VERSION,
    record::{FRAME, Record, is_event},
};

/// Records that wait to be packed.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    events: u64,
}

impl Chunk {
    /// Appends a record.
    pub fn push(&mut self, record: &Record<'_>) {
        record.put(&mut self.bytes);
        self.events += u64::from(matches!(record, Record::Event(_)));
    }

    /// Bytes so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Is nothing in it?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, to be packed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Drops the events, and says how many; keeps what later records cannot be understood without.
    pub fn drop_events(&mut self) -> u64 {
        let mut kept = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some((frame, behind)) = split_frame(rest) {
            let is_kept = frame.first_chunk().is_some_and(|kind| !is_event(u16::from_le_bytes(*kind)));
            if is_kept {
                kept.extend_from_slice(frame);
            }
            rest = behind;
        }
        self.bytes = kept;
        std::mem::take(&mut self.events)
    }
}

/// The first frame, whole, and what stands behind it.
fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = bytes.get(2..FRAME)?.try_into().ok().map(u32::from_le_bytes)?;
    bytes.split_at_checked(FRAME.checked_add(len as usize)?)
}

/// What an unpacked file begins with. `identity` is random: it tells recordings apart, and ids of spans come from it.
#[must_use]
pub fn header(identity: [u8; 16]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(identity.len() as u16).to_le_bytes());
    header.extend_from_slice(&identity);
    header
}

/// A gzip member. The fastest level: events come faster than better ones pack.
#[must_use]
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}
