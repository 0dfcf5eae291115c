//! What a store does. Every call may wait for the disk: asynchronous code calls it on a thread that may.

use std::{io, ops::ControlFlow, path::PathBuf};

use crate::{
    Arrival, Catalogue, Edge, EdgeQuery, Fields, Found, Hit, Red, RedQuery, Search, Sketch, Span, TraceId,
};

/// Keeps spans and answers questions about them.
pub trait Store: Send + Sync {
    /// Takes spans, and joins of traces: from now on, the spans of a trace that is part of another are found there, under
    /// either id. A span that is here already, by its id, kind, start and service, is left out and counted. When it returns well, all is as durable as this store makes it; when not, none of it is kept and it may
    /// be sent again.
    ///
    /// # Errors
    /// The disk is full or broken, or the store cannot keep up ([`StoreError::Busy`]).
    fn take(&self, arrival: Arrival) -> Result<(), StoreError>;

    /// Takes spans.
    ///
    /// # Errors
    /// As for [`Self::take`].
    fn append(&self, spans: Vec<Span>) -> Result<(), StoreError> {
        self.take(Arrival { spans, joins: Vec::new() })
    }

    /// All spans of a trace by start, parents before children where starts are equal; none of an unknown trace. A span
    /// that was sent twice is there once.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn trace(&self, id: TraceId) -> Result<Vec<Span>, StoreError>;

    /// The same without attributes, at less cost.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn outline(&self, id: TraceId) -> Result<Vec<Hit>, StoreError>;

    /// Spans that meet a condition.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn search(&self, search: &Search) -> Result<Found, StoreError>;

    /// Calls `each` with every span that begins in `start..end`, nanoseconds since 1970, in no order, until it breaks off.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn scan(
        &self,
        start: u64,
        end: u64,
        each: &mut dyn FnMut(&dyn Fields) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Up to `limit` of the spans that came last: a sample to learn attributes from.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn recent(&self, limit: usize) -> Result<Vec<Span>, StoreError>;

    /// Services and operations.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn catalogue(&self) -> Result<Catalogue, StoreError>;

    /// Rate, errors and durations.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn red(&self, query: &RedQuery) -> Result<Red, StoreError>;

    /// Who called whom.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn edges(&self, query: EdgeQuery) -> Result<Vec<Edge>, StoreError>;

    /// What is kept.
    ///
    /// # Errors
    /// What is stored cannot be read.
    fn figure(&self) -> Result<Figure, StoreError>;
}

/// What a store keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// Spans.
    pub spans: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Sealed blocks.
    pub blocks: u64,
    /// Spans that are in no block yet.
    pub unsealed: u64,
    /// The earliest start of a span, in nanoseconds since 1970.
    pub oldest: Option<u64>,
    /// The latest.
    pub newest: Option<u64>,
    /// Spans forgotten for age or for room, since the start.
    pub forgotten: u64,
    /// Spans that were sent again and left out, since the start.
    pub repeated: u64,
    /// From a batch's arrival to its acknowledgement since the start, in nanoseconds.
    pub durable: Sketch,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// More comes than the disk takes.
    #[error("the store is busy: more spans arrive than it can write; send them again in a second")]
    Busy,
    /// The disk has no room.
    #[error("the disk with {} is full: free some room or lower the collector's storage limit; nothing acknowledged is lost", .0.display())]
    Full(PathBuf),
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The catalogue could not be read or written.
    #[error("cannot use the catalogue of the store: {0}")]
    Catalogue(#[source] rusqlite::Error),
    /// A block could not be read or written.
    #[error("cannot use the block {}: {source}", .path.display())]
    Block {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: parquet::errors::ParquetError,
    },
    /// What was stored cannot be understood.
    #[error("what is stored in {place} is not what wirespan wrote: {what}")]
    Damaged {
        /// Where.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// Another process has it open.
    #[error("the store in {} is used by another wirespan: stop that one, or choose another directory with --data", .0.display())]
    Used(PathBuf),
    /// The store was closed.
    #[error("the store is closing")]
    Closed,
}
