//! A full segment in, a Parquet file out; and its spans out again, by row or by condition.
//!
//! The schema is for others too: DuckDB, pandas, Polars and ClickHouse read the files as they are. See
//! `docs/storage.md`.

mod columns;
mod dictionary;
mod group;
mod read;
mod source;
mod write;

pub(crate) use read::{Block, Cache};
pub(crate) use write::{Place, Written, write};
