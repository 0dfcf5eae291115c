//! A full segment in, a Parquet file out; and its spans out again, by row or by condition.
//!
//! The schema is for others too: DuckDB, pandas, Polars and ClickHouse read the files as they are. See
//! `docs/storage.md`.

use std::io::{self, ErrorKind};

use parquet::errors::ParquetError;

mod columns;
mod dictionary;
mod group;
mod read;
mod source;
mod write;

pub(crate) use read::{Block, Cache};
pub(crate) use write::{Place, Written, write};

/// What the system said, where it was that.
pub(crate) fn io_error(error: &ParquetError) -> Option<ErrorKind> {
    let ParquetError::External(source) = error else { return None };
    source.downcast_ref().map(io::Error::kind)
}
