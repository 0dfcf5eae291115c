//! The SQLite file: its tables, its connections, and its errors in our words.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::StoreError;

/// What each version has that the one before had not.
pub(super) const VERSIONS: [&str; 3] = [TABLES, JOINED, RUNS];

/// Which traces are one. `whole` is never itself a part of another. Blocks of version 1 know of no joins.
const JOINED: &str = "
    ALTER TABLE block ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE joined (
        seq INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB NOT NULL, parent BLOB NOT NULL, whole BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX joined_part ON joined (trace, span);
    CREATE INDEX joined_whole ON joined (whole);
";

/// The index by trace for a run of blocks in one place. Each block of version 2 is a run of its own.
const RUNS: &str = "
    ALTER TABLE block ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
    UPDATE block SET run = -id;
    ALTER TABLE trace RENAME TO trace_2;
    CREATE TABLE trace (
        run INTEGER NOT NULL, bucket INTEGER NOT NULL, block INTEGER NOT NULL, places BLOB NOT NULL,
        PRIMARY KEY (run, bucket, block)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO trace SELECT -block, bucket, block, places FROM trace_2 ORDER BY -block, bucket;
    DROP TABLE trace_2;
";

const TABLES: &str = "
    CREATE TABLE arrived (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE block (
        id INTEGER PRIMARY KEY, spans INTEGER NOT NULL, bytes INTEGER NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, buckets INTEGER NOT NULL, services TEXT NOT NULL
    ) STRICT;
    CREATE TABLE trace (
        block INTEGER NOT NULL, bucket INTEGER NOT NULL, places BLOB NOT NULL, PRIMARY KEY (block, bucket)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE red (
        width INTEGER NOT NULL, start INTEGER NOT NULL, service TEXT NOT NULL, operation TEXT NOT NULL,
        kind INTEGER NOT NULL, figures BLOB NOT NULL, PRIMARY KEY (width, start, service, operation, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE edge (
        start INTEGER NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, kind INTEGER NOT NULL,
        figures BLOB NOT NULL, PRIMARY KEY (start, source, target, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE service (
        name TEXT PRIMARY KEY, spans INTEGER NOT NULL, errors INTEGER NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE operation (
        service TEXT NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL, spans INTEGER NOT NULL,
        PRIMARY KEY (service, name, kind)
    ) STRICT, WITHOUT ROWID;
";

/// How long one connection waits for another.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most idle connections that are kept for reading.
const IDLE: usize = 4;

/// One connection that writes, some that read.
pub(super) struct Connections {
    path: PathBuf,
    write: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path).map_err(|error| trouble(path, error))?;
        prepare(&connection).map_err(|error| trouble(path, error))?;
        let version: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| trouble(path, error))?;
        let Some(missing) = usize::try_from(version).ok().and_then(|version| VERSIONS.get(version..)) else {
            let what = format!("version {version} of its tables; this wirespan knows {}", VERSIONS.len());
            return Err(StoreError::Damaged { place: path.display().to_string(), what });
        };
        create(&connection, missing).map_err(|error| trouble(path, error))?;
        Ok(Self { path: path.to_owned(), write: Mutex::new(connection), idle: Mutex::default() })
    }

    /// The connection that writes; whoever has it, has it alone.
    pub(super) fn write(&self) -> MutexGuard<'_, Connection> {
        self.write.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads.
    pub(super) fn read<R>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<R>,
    ) -> Result<R, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.reader().map_err(|error| trouble(&self.path, error))?,
        };
        let answer = read(&connection).map_err(|error| trouble(&self.path, error));
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
        answer
    }

    fn reader(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    }

    /// An error in our words.
    pub(super) fn trouble(&self, error: rusqlite::Error) -> StoreError {
        trouble(&self.path, error)
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        let size = |suffix: &str| {
            let path = PathBuf::from(format!("{}{suffix}", self.path.display()));
            path.metadata().map_or(0, |metadata| metadata.len())
        };
        size("") + size("-wal")
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit returns when the log is on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "cache_size", -4096)
}

/// Makes what is missing, in one step.
fn create(connection: &Connection, missing: &[&str]) -> rusqlite::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let (tables, version) = (missing.concat(), VERSIONS.len());
    connection.execute_batch(&format!("BEGIN; {tables} PRAGMA user_version = {version}; COMMIT;"))
}

fn trouble(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            StoreError::Full(path.parent().unwrap_or_else(|| Path::new(".")).to_owned())
        }
        _ => StoreError::Catalogue(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_any_version_become_those_of_today() {
        for version in 1..=VERSIONS.len() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("catalogue.sqlite");
            let before = VERSIONS[..version].concat();
            let made = format!("{before} PRAGMA user_version = {version};");
            let one = "INSERT INTO block (id, spans, bytes, first, last, buckets, services) VALUES (7, 1, 1, 0, 0, 4, '')";
            let connection = Connection::open(&path).unwrap();
            connection.execute_batch(&format!("{made} {one};")).unwrap();
            drop(connection);
            // Twice: what is there is not made again.
            for _ in 0..2 {
                let connections = Connections::open(&path).unwrap();
                let known = connections.read(|connection| {
                    connection
                        .query_row("SELECT id, joined FROM block", [], |row| <(i64, i64)>::try_from(row))
                });
                assert_eq!(known.unwrap(), (7, 0));
            }
        }
    }

    #[test]
    fn tables_of_a_later_version_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalogue.sqlite");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 4).unwrap();
        assert!(matches!(Connections::open(&path), Err(StoreError::Damaged { .. })));
    }
}
