//! Joins in; on the disk, and what they make of a trace out.

use rusqlite::{Connection, OptionalExtension, Row, params, types::ValueRef};

use super::seal;
use crate::{Call, Join, SpanId, TraceId, figure::EdgeRows, join::Joined};

/// Parts that one trace grows by: no trace grows without bound.
const PARTS: i64 = 4096;
/// The newest joins that are put to use again on spans read back at the start.
const AGAIN: i64 = 65_536;

/// A trace with its parts.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) id: TraceId,
    /// Its own id first.
    pub(super) traces: Vec<TraceId>,
    pub(super) joined: Joined,
}

/// Keeps joins. Gives those that were new and fit.
pub(super) fn record(connection: &Connection, joins: &[Join]) -> rusqlite::Result<Vec<Join>> {
    let mut fit = Vec::with_capacity(joins.len());
    for join in joins {
        let (part, whole) = (whole(connection, join.trace)?, whole(connection, join.whole)?);
        let grown: i64 = connection
            .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM joined WHERE whole = ? LIMIT ?)")?
            .query_row(params![whole.0, PARTS], |row| row.get(0))?;
        let new = grown < PARTS && insert(connection, join, whole)?;
        if new && part != whole {
            connection
                .prepare_cached("UPDATE joined SET whole = ? WHERE whole = ?")?
                .execute(params![whole.0, part.0])?;
            point(connection, part, whole)?;
        }
        fit.extend(new.then(|| Join { trace: part, whole, ..join.clone() }));
    }
    Ok(fit)
}

/// Counts the calls of new joins in the service map: whichever of their spans is in a block already.
pub(super) fn count(connection: &Connection, fit: &[Join]) -> rusqlite::Result<()> {
    let mut rows = EdgeRows::default();
    for join in fit {
        rows.entry(join.call.key()).or_default().merge(&join.call.figures());
    }
    seal::record_edges(connection, rows)
}

fn insert(connection: &Connection, join: &Join, whole: TraceId) -> rusqlite::Result<bool> {
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO joined (trace, span, parent, whole) VALUES (?, ?, ?, ?)")?;
    let rows = insert.execute(params![join.trace.0, join.span.0, join.parent.0, whole.0])?;
    Ok(rows > 0)
}

/// What was a whole is a part now, also where only its parts were joined by name.
fn point(connection: &Connection, part: TraceId, whole: TraceId) -> rusqlite::Result<()> {
    let mut known = connection.prepare_cached("SELECT 1 FROM joined WHERE trace = ? LIMIT 1")?;
    if !known.exists(params![part.0])? {
        let mut insert = connection
            .prepare_cached("INSERT INTO joined (trace, span, parent, whole) VALUES (?, x'', x'', ?)")?;
        insert.execute(params![part.0, whole.0])?;
    }
    Ok(())
}

/// The trace that `trace` is a part of; itself where it is none.
pub(super) fn whole(connection: &Connection, trace: TraceId) -> rusqlite::Result<TraceId> {
    let mut select = connection.prepare_cached("SELECT whole FROM joined WHERE trace = ? LIMIT 1")?;
    let found = select.query_row(params![trace.0], |row| id(row, 0)).optional()?;
    Ok(found.map_or(trace, TraceId))
}

/// All of the trace that `trace` is, or is a part of.
pub(super) fn of(connection: &Connection, trace: TraceId) -> rusqlite::Result<Whole> {
    let id = whole(connection, trace)?;
    let mut found = Whole { id, traces: vec![id], joined: Joined::default() };
    let mut select =
        connection.prepare_cached("SELECT trace, span, parent, whole FROM joined WHERE whole = ?")?;
    let mut rows = select.query(params![id.0])?;
    while let Some(row) = rows.next()? {
        let join = read(row)?;
        found.joined.add(&join);
        found.traces.push(join.trace);
    }
    found.traces.sort_unstable();
    found.traces.dedup();
    Ok(found)
}

/// The newest joins, for the spans that come next.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Joined> {
    let mut select =
        connection.prepare("SELECT trace, span, parent, whole FROM joined ORDER BY seq DESC LIMIT ?")?;
    let mut rows = select.query(params![AGAIN])?;
    let mut joined = Joined::default();
    while let Some(row) = rows.next()? {
        joined.add(&read(row)?);
    }
    Ok(joined)
}

/// The last join up to now.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(seq), 0) FROM joined", [], |row| row.get(0))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Join> {
    Ok(Join {
        trace: TraceId(id(row, 0)?),
        span: SpanId(id(row, 1)?),
        parent: SpanId(id(row, 2)?),
        whole: TraceId(id(row, 3)?),
        // Counted when it was recorded.
        call: Call::default(),
    })
}

/// All zero where there is none.
fn id<const N: usize>(row: &Row<'_>, at: usize) -> rusqlite::Result<[u8; N]> {
    match row.get_ref(at)? {
        ValueRef::Blob(bytes) => Ok(bytes.try_into().unwrap_or([0; N])),
        _ => Ok([0; N]),
    }
}
