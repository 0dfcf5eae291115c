//! Where a trace's spans stand, for each block: its traces by a hash of their id in buckets of about 64, a row a bucket.
//! Written in ascending order only, so that the tree grows at its end, and deleted a block at a time. Finding a trace
//! is one descent a block; a hash that is another trace's costs a look into the block, which compares whole ids.

use rusqlite::{Connection, params};

use crate::{TraceId, block::Place};

/// Traces in a bucket, about.
const BUCKET: usize = 64;
/// Bytes of a place: 4 of the hash, 4 for the row, 4 for the number of rows; little-endian.
const ENTRY: usize = 12;

/// How many buckets a block with so many traces has: a power of two.
pub(super) fn buckets(traces: usize) -> u64 {
    traces.div_ceil(BUCKET).next_power_of_two() as u64
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): senders' ids are not always random.
fn hash(trace: TraceId) -> u64 {
    trace.low().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn bucket(hash: u64, buckets: u64) -> u64 {
    ((u128::from(hash) * u128::from(buckets)) >> 64) as u64
}

/// Writes a block's places.
pub(super) fn write(connection: &Connection, block: i64, places: &[Place]) -> rusqlite::Result<()> {
    let count = buckets(places.len());
    let mut all: Vec<Vec<u8>> = vec![Vec::new(); usize::try_from(count).unwrap_or(0)];
    for place in places {
        let hash = hash(place.trace);
        if let Some(entries) = all.get_mut(bucket(hash, count) as usize) {
            entries.extend((hash as u32).to_le_bytes());
            entries.extend(place.row.to_le_bytes());
            entries.extend(place.rows.to_le_bytes());
        }
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO trace (block, bucket, places) VALUES (?, ?, ?)")?;
    for (at, entries) in all.iter().enumerate().filter(|(_, entries)| !entries.is_empty()) {
        insert.execute(params![block, at as i64, entries])?;
    }
    Ok(())
}

/// Block, row and number of rows wherever the trace may stand in these blocks, each with the number of its buckets. One
/// transaction for all: one for each costs more than looking.
pub(super) fn find(
    connection: &Connection,
    blocks: impl Iterator<Item = (i64, u64)>,
    trace: TraceId,
) -> rusqlite::Result<Vec<(i64, usize, usize)>> {
    let hash = hash(trace);
    let snapshot = connection.unchecked_transaction()?;
    let mut select = snapshot.prepare_cached("SELECT places FROM trace WHERE block = ? AND bucket = ?")?;
    let mut found = Vec::new();
    for (block, buckets) in blocks {
        let mut rows = select.query(params![block, bucket(hash, buckets) as i64])?;
        let Some(row) = rows.next()? else { continue };
        let entries = row.get_ref(0)?.as_blob()?.chunks_exact(ENTRY);
        found.extend(
            entries.filter_map(|entry| place(entry, hash as u32)).map(|(row, rows)| (block, row, rows)),
        );
    }
    Ok(found)
}

fn place(entry: &[u8], hash: u32) -> Option<(usize, usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(entry.get(at..at + 4)?.try_into().ok()?));
    (number(0)? == hash).then_some((number(4)? as usize, number(8)? as usize))
}
