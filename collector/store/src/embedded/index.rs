//! Where a trace's spans stand, for each block: its traces by a hash of their id in buckets of about 64, a row a bucket.
//! Written in ascending order only, so that the tree grows at its end, and deleted a block at a time. Finding a trace
//! is one descent a block; a hash that is another trace's costs a look into the block, which compares whole ids.

use rusqlite::{Connection, OptionalExtension, params};

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

/// Row and number of rows where the trace may stand in a block with so many buckets.
pub(super) fn find(
    connection: &Connection,
    block: i64,
    buckets: u64,
    trace: TraceId,
) -> rusqlite::Result<Vec<(usize, usize)>> {
    let hash = hash(trace);
    let mut select = connection.prepare_cached("SELECT places FROM trace WHERE block = ? AND bucket = ?")?;
    let places: Option<Vec<u8>> =
        select.query_row(params![block, bucket(hash, buckets) as i64], |row| row.get(0)).optional()?;
    let places = places.unwrap_or_default();
    Ok(places.chunks_exact(ENTRY).filter_map(|entry| place(entry, hash as u32)).collect())
}

fn place(entry: &[u8], hash: u32) -> Option<(usize, usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(entry.get(at..at + 4)?.try_into().ok()?));
    (number(0)? == hash).then_some((number(4)? as usize, number(8)? as usize))
}
