//! Where a trace's spans stand: each block's traces by a hash of their id, a row for each bucket of hashes. The rows of
//! one bucket stand together for a run of blocks, so that finding a trace is one descent a run, not one a block; a run is
//! not longer, since each block that is added touches all of its run's pages. A hash that is another trace's costs a look
//! into the block, which compares whole ids.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::state::Entry;
use crate::{TraceId, block::Place};

/// Blocks in a run.
const RUN: i64 = 16;
/// Buckets of a block's traces: a page has what some 16 blocks have of one.
pub(super) const BUCKETS: u64 = 256;
/// Bytes of a place: 4 of the hash, 4 for the row, 4 for the number of rows; little-endian.
const ENTRY: usize = 12;

/// The run that a block belongs to. Those of blocks that were written before there were runs are below zero.
pub(super) fn run(block: i64) -> i64 {
    block / RUN
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
    let mut all: Vec<Vec<u8>> = vec![Vec::new(); BUCKETS as usize];
    for place in places {
        let hash = hash(place.trace);
        if let Some(entries) = all.get_mut(bucket(hash, BUCKETS) as usize) {
            entries.extend((hash as u32).to_le_bytes());
            entries.extend(place.row.to_le_bytes());
            entries.extend(place.rows.to_le_bytes());
        }
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO trace (run, bucket, block, places) VALUES (?, ?, ?, ?)")?;
    for (at, entries) in all.iter().enumerate().filter(|(_, entries)| !entries.is_empty()) {
        insert.execute(params![run(block), at as i64, block, entries])?;
    }
    Ok(())
}

/// Block, row and number of rows wherever the trace may stand in these blocks, which are in the order of their ids. One
/// transaction for all: one for each run costs more than looking.
pub(super) fn find(
    connection: &Connection,
    blocks: &[Arc<Entry>],
    trace: TraceId,
) -> rusqlite::Result<Vec<(i64, usize, usize)>> {
    let hash = hash(trace);
    let snapshot = connection.unchecked_transaction()?;
    let mut select =
        snapshot.prepare_cached("SELECT block, places FROM trace WHERE run = ? AND bucket = ?")?;
    let mut found = Vec::new();
    for blocks in blocks.chunk_by(|one, next| one.run == next.run) {
        let Some(Entry { run, buckets, .. }) = blocks.first().map(AsRef::as_ref) else { continue };
        let mut rows = select.query(params![run, bucket(hash, *buckets) as i64])?;
        while let Some(row) = rows.next()? {
            let block = row.get(0)?;
            let entries = row.get_ref(1)?.as_blob()?.chunks_exact(ENTRY);
            let places = entries.filter_map(|entry| place(entry, hash as u32));
            found.extend(places.map(|(row, rows)| (block, row, rows)));
        }
    }
    // A run may have got a block since its list was looked at.
    found.retain(|(block, ..)| blocks.binary_search_by_key(block, |known| known.id).is_ok());
    Ok(found)
}

/// Forgets a block's places.
pub(super) fn forget(connection: &Connection, block: &Entry) -> rusqlite::Result<()> {
    connection
        .execute("DELETE FROM trace WHERE run = ? AND block = ?", params![block.run, block.id])
        .map(drop)
}

fn place(entry: &[u8], hash: u32) -> Option<(usize, usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(entry.get(at..at + 4)?.try_into().ok()?));
    (number(0)? == hash).then_some((number(4)? as usize, number(8)? as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::catalogue::VERSIONS;

    fn entry(id: i64, run: i64, buckets: u64) -> Arc<Entry> {
        let none = Default::default();
        Entry { id, spans: 1, bytes: 1, first: 0, last: 0, run, buckets, joined: 0, services: none }.into()
    }

    fn known(id: i64) -> Arc<Entry> {
        entry(id, run(id), BUCKETS)
    }

    fn trace(number: u8) -> TraceId {
        TraceId([number; 16])
    }

    fn place(number: u8, row: u32) -> Place {
        Place { trace: trace(number), row, rows: 2 }
    }

    fn catalogue() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&VERSIONS.concat()).unwrap();
        connection
    }

    #[test]
    fn a_trace_is_found_in_all_its_blocks() {
        let catalogue = catalogue();
        let blocks: Vec<_> = (1..=3 * RUN).map(known).collect();
        for block in &blocks {
            write(&catalogue, block.id, &[place(block.id as u8, 0), place(200, 7)]).unwrap();
        }
        let all = find(&catalogue, &blocks, trace(200)).unwrap();
        assert_eq!(all, blocks.iter().map(|block| (block.id, 7, 2)).collect::<Vec<_>>());
        assert_eq!(find(&catalogue, &blocks, trace(20)).unwrap(), [(20, 0, 2)]);
        assert_eq!(find(&catalogue, &blocks, trace(201)).unwrap(), []);
    }

    #[test]
    fn a_block_that_is_not_asked_for_is_not_answered() {
        let catalogue = catalogue();
        for block in [17, 18, 19] {
            write(&catalogue, block, &[place(1, 0)]).unwrap();
        }
        let asked = [known(17), known(19)];
        assert_eq!(find(&catalogue, &asked, trace(1)).unwrap(), [(17, 0, 2), (19, 0, 2)]);
        forget(&catalogue, &known(19)).unwrap();
        assert_eq!(find(&catalogue, &asked, trace(1)).unwrap(), [(17, 0, 2)]);
    }

    #[test]
    fn what_was_written_before_there_were_runs_is_found() {
        let [first, joined, runs] = VERSIONS;
        let catalogue = Connection::open_in_memory().unwrap();
        catalogue.execute_batch(&[first, joined].concat()).unwrap();
        let buckets = 4;
        for (block, row) in [(1_i64, 5_u32), (2, 6)] {
            let places =
                [(hash(trace(1)) as u32).to_le_bytes(), row.to_le_bytes(), 2_u32.to_le_bytes()].concat();
            let at = bucket(hash(trace(1)), buckets) as i64;
            let insert = "INSERT INTO trace (block, bucket, places) VALUES (?, ?, ?)";
            catalogue.execute(insert, params![block, at, places]).unwrap();
        }
        catalogue.execute_batch(runs).unwrap();
        write(&catalogue, 3, &[place(1, 7)]).unwrap();
        let blocks = [entry(1, -1, buckets), entry(2, -2, buckets), known(3)];
        assert_eq!(find(&catalogue, &blocks, trace(1)).unwrap(), [(1, 5, 2), (2, 6, 2), (3, 7, 2)]);
    }
}
