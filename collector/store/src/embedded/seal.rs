//! A full segment in; a block and its entries in the catalogue out, in one step as far as a crash can see: the file is
//! complete on the disk before the transaction that names it, and that transaction takes the rows as they arrived away.

use std::{fs::File, io::ErrorKind, path::Path};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustc_hash::FxHashSet;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    index, joins,
    state::{Entry, Shared},
};
use crate::{
    Figures, StoreError,
    block::{self, Place, Written},
    figure::{EdgeRows, HOUR, MINUTE, RedRows},
    segment::Segment,
};

/// What separates service names in a block's row: no name has a newline that matters.
pub(super) const BETWEEN: &str = "\n";

/// Writes the block of `segment`, whose last row of `arrived` is `last`.
pub(super) fn seal(shared: &Shared, segment: &Segment, last: i64) -> Result<(), StoreError> {
    let id = shared.read().blocks.last().map_or(0, |block| block.id) + 1;
    let path = shared.cache.path(id);
    let written =
        block::write(&path, segment).and_then(|written| Ok((written, sync(shared.cache.folder())?)));
    let (written, ()) = written.map_err(|source| {
        // Half a file is of no use, and the room it takes is needed.
        let _ = std::fs::remove_file(&path);
        match block::io_error(&source) {
            Some(ErrorKind::StorageFull) => StoreError::Full(shared.cache.folder().to_owned()),
            _ => StoreError::Block { path: path.clone(), source },
        }
    })?;
    let mut connection = shared.connections.write();
    let joined = joins::last(&connection).map_err(|error| shared.connections.trouble(error))?;
    let entry = Entry { joined, ..entry(id, segment, &written) };
    let transaction = connection.transaction().map_err(|error| shared.connections.trouble(error))?;
    record(&transaction, segment, &entry, &written.places, last)
        .map_err(|error| shared.connections.trouble(error))?;
    // Whoever asks sees the segment or the block, not both.
    let mut state = shared.write();
    transaction.commit().map_err(|error| shared.connections.trouble(error))?;
    let mut blocks = state.blocks.as_ref().clone();
    blocks.push(entry.into());
    state.blocks = blocks.into();
    state.sealing = None;
    Ok(())
}

/// A new file's name is on the disk when its folder is.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn entry(id: i64, segment: &Segment, written: &Written) -> Entry {
    let services: FxHashSet<_> =
        segment.catalogue.services().into_iter().map(|service| service.name).collect();
    Entry {
        id,
        spans: segment.spans.len() as u64,
        bytes: written.bytes,
        first: segment.first,
        last: segment.last,
        run: index::run(id),
        buckets: index::BUCKETS,
        joined: 0,
        services,
    }
}

fn record(
    transaction: &Transaction<'_>,
    segment: &Segment,
    entry: &Entry,
    places: &[Place],
    last: i64,
) -> rusqlite::Result<()> {
    let services: Vec<&str> = entry.services.iter().map(|name| name.as_str()).collect();
    transaction.execute(
        "INSERT INTO block (id, spans, bytes, first, last, buckets, services, joined, run) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            entry.id,
            entry.spans as i64,
            entry.bytes as i64,
            entry.first as i64,
            entry.last as i64,
            entry.buckets as i64,
            services.join(BETWEEN),
            entry.joined,
            entry.run
        ],
    )?;
    index::write(transaction, entry.id, places)?;
    record_red(transaction, MINUTE, &segment.red.minutes)?;
    record_red(transaction, HOUR, &segment.red.hours)?;
    record_edges(transaction, segment.edges())?;
    record_names(transaction, segment)?;
    transaction.execute("DELETE FROM arrived WHERE seq <= ?", params![last])?;
    Ok(())
}

fn record_red(connection: &Connection, width: u64, rows: &RedRows) -> rusqlite::Result<()> {
    let mut known = connection.prepare_cached(
        "SELECT figures FROM red WHERE width = ? AND start = ? AND service = ? AND operation = ? AND kind = ?",
    )?;
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO red (width, start, service, operation, kind, figures) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for ((start, (service, operation, kind)), figures) in rows {
        let key = params![width as i64, *start as i64, service.as_str(), operation.as_str(), *kind as i64];
        let before: Option<Vec<u8>> = known.query_row(key, |row| row.get(0)).optional()?;
        let figures = encode(&merged(before, figures));
        put.execute(params![
            width as i64,
            *start as i64,
            service.as_str(),
            operation.as_str(),
            *kind as i64,
            figures
        ])?;
    }
    Ok(())
}

/// Adds to the service map.
pub(super) fn record_edges(connection: &Connection, rows: EdgeRows) -> rusqlite::Result<()> {
    let mut known = connection.prepare_cached(
        "SELECT figures FROM edge WHERE start = ? AND source = ? AND target = ? AND kind = ?",
    )?;
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO edge (start, source, target, kind, figures) VALUES (?, ?, ?, ?, ?)",
    )?;
    for ((start, (from, to, kind)), figures) in rows {
        let key = params![start as i64, from.as_str(), to.as_str(), kind as i64];
        let before: Option<Vec<u8>> = known.query_row(key, |row| row.get(0)).optional()?;
        let figures = encode(&merged(before, &figures));
        put.execute(params![start as i64, from.as_str(), to.as_str(), kind as i64, figures])?;
    }
    Ok(())
}

fn record_names(connection: &Connection, segment: &Segment) -> rusqlite::Result<()> {
    let mut service = connection.prepare_cached(
        "INSERT INTO service (name, spans, errors, first, last) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE \
         SET spans = spans + excluded.spans, errors = errors + excluded.errors, first = min(first, excluded.first), \
         last = max(last, excluded.last)",
    )?;
    for of in segment.catalogue.services() {
        service.execute(params![
            of.name.as_str(),
            of.spans as i64,
            of.errors as i64,
            of.first as i64,
            of.last as i64
        ])?;
    }
    let mut operation = connection.prepare_cached(
        "INSERT INTO operation (service, name, kind, spans) VALUES (?, ?, ?, ?) ON CONFLICT (service, name, kind) \
         DO UPDATE SET spans = spans + excluded.spans",
    )?;
    for of in segment.catalogue.operations(None) {
        operation.execute(params![of.service.as_str(), of.name.as_str(), of.kind as i64, of.spans as i64])?;
    }
    Ok(())
}

fn merged(before: Option<Vec<u8>>, figures: &Figures) -> Figures {
    let mut all: Figures = before.and_then(|bytes| decode(&bytes)).unwrap_or_default();
    all.merge(figures);
    all
}

/// Figures as bytes.
fn encode<T: Serialize>(of: &T) -> Vec<u8> {
    postcard::to_stdvec(of).expect("figures have no part that postcard refuses")
}

/// The figures that [`encode`] wrote so.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
