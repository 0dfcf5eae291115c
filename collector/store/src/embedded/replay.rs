//! What the catalogue knows, into memory: its list of blocks, and the spans that are in none yet. Files that it does not
//! name are what a crash left of a block, and go.

use std::{fs, sync::Arc};

use rustc_hash::FxHashSet;

use super::{
    arrived, joins,
    seal::BETWEEN,
    state::{Entry, Shared},
};
use crate::{StoreError, join::Joined};

/// Brings `shared` to where the last process stopped.
pub(super) fn replay(shared: &Shared) -> Result<(), StoreError> {
    let blocks = shared.connections.read(|connection| {
        let mut select = connection.prepare(
            "SELECT id, spans, bytes, first, last, buckets, services, joined, run FROM block ORDER BY id",
        )?;
        select.query_map([], entry)?.collect::<Result<Vec<_>, _>>()
    })?;
    sweep(shared, &blocks)?;
    let rows: Vec<(i64, Vec<u8>)> = shared.connections.read(|connection| {
        let mut select = connection.prepare("SELECT seq, bytes FROM arrived ORDER BY seq")?;
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    })?;
    let joined = shared.connections.read(joins::newest)?;
    let mut state = shared.write();
    state.blocks = Arc::new(blocks);
    state.joined = [joined, Joined::default()];
    for (seq, bytes) in rows {
        state.add(arrived::unpack(&bytes)?);
        state.last = seq;
        state.since.get_or_insert_with(std::time::Instant::now);
    }
    Ok(())
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Arc<Entry>> {
    let number = |at: usize| row.get::<_, i64>(at).map(|number| number as u64);
    let services: String = row.get(6)?;
    Ok(Arc::new(Entry {
        id: row.get(0)?,
        spans: number(1)?,
        bytes: number(2)?,
        first: number(3)?,
        last: number(4)?,
        buckets: number(5)?,
        joined: row.get(7)?,
        run: row.get(8)?,
        services: services.split(BETWEEN).map(Into::into).collect(),
    }))
}

fn sweep(shared: &Shared, blocks: &[Arc<Entry>]) -> Result<(), StoreError> {
    let known: FxHashSet<_> = blocks.iter().map(|block| shared.cache.path(block.id)).collect();
    let folder = shared.cache.folder();
    let failed = |source| StoreError::File { action: "list", path: folder.to_owned(), source };
    for file in fs::read_dir(folder).map_err(failed)? {
        let path = file.map_err(failed)?.path();
        if !known.contains(&path) && path.extension().is_some_and(|extension| extension == "parquet") {
            fs::remove_file(&path).map_err(|source| StoreError::File { action: "remove", path, source })?;
        }
    }
    Ok(())
}
