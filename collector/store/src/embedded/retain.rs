//! Blocks that are too old or too many, forgotten whole, the oldest first; with their age, the figures of their time.

use std::{
    fs,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::params;

use super::{
    index,
    state::{Entry, Shared},
};
use crate::StoreError;

/// Forgets what the settings do not let stay.
pub(super) fn retain(shared: &Shared) -> Result<(), StoreError> {
    let horizon = horizon(shared);
    let old = doomed(shared, horizon);
    if old.is_empty() {
        return Ok(());
    }
    forget(shared, &old, horizon)
}

/// Spans that began before this moment, in nanoseconds since 1970, are too old.
fn horizon(shared: &Shared) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    shared.settings.age.map_or(0, |age| now.saturating_sub(age.as_nanos() as u64))
}

fn doomed(shared: &Shared, horizon: u64) -> Vec<Arc<Entry>> {
    let mut bytes = shared.bytes();
    let mut blocks = shared.read().blocks.as_ref().clone();
    // Room for the next block, as large as the last: the bound holds when it is there, not when this is looked at again.
    let next = blocks.last().map_or(0, |block| block.bytes);
    let most = shared.settings.bytes.map_or(u64::MAX, |most| most.saturating_sub(next));
    blocks.sort_by_key(|block| block.last);
    let mut doomed = Vec::new();
    for block in blocks {
        if block.last >= horizon && bytes <= most {
            break;
        }
        bytes = bytes.saturating_sub(block.bytes);
        doomed.push(block);
    }
    doomed
}

fn forget(shared: &Shared, old: &[Arc<Entry>], horizon: u64) -> Result<(), StoreError> {
    let mut connection = shared.connections.write();
    let mut delete = || -> rusqlite::Result<()> {
        let transaction = connection.transaction()?;
        for block in old {
            index::forget(&transaction, block)?;
            transaction.execute("DELETE FROM block WHERE id = ?", params![block.id])?;
            transaction.execute("DELETE FROM joined WHERE seq <= ?", params![block.joined])?;
        }
        for statement in [
            "DELETE FROM red WHERE start < ?",
            "DELETE FROM edge WHERE start < ?",
            "DELETE FROM operation WHERE service IN (SELECT name FROM service WHERE last < ?)",
            "DELETE FROM service WHERE last < ?",
        ] {
            transaction.execute(statement, params![horizon as i64])?;
        }
        transaction.commit()
    };
    delete().map_err(|error| shared.connections.trouble(error))?;
    drop(connection);
    let mut state = shared.write();
    let left =
        state.blocks.iter().filter(|block| !old.iter().any(|gone| gone.id == block.id)).cloned().collect();
    state.blocks = Arc::new(left);
    state.forgotten += old.iter().map(|block| block.spans).sum::<u64>();
    drop(state);
    for block in old {
        shared.cache.forget(block.id);
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_file(shared.cache.path(block.id));
    }
    Ok(())
}
