//! The store on disk. What arrives goes into SQLite's write-ahead log and is acknowledged when that is on the disk; it
//! stays in memory too, until there is enough for a block, which is sealed as a Parquet file. Figures, catalogue and
//! the index by trace go into SQLite in the transaction that takes the block in, so that a crash finds either the rows
//! as they arrived or the block, never both and never neither. Which traces are one stands in a table of its own and is
//! looked up when a trace is read; spans still in memory are put right at once, so that their block has them right.
//!
//! On disk, in the directory given: `catalogue.sqlite` (and `-wal`, `-shm`), `blocks/*.parquet`, `lock`.

mod arrived;
mod catalogue;
mod index;
mod joins;
mod query;
mod replay;
mod retain;
mod seal;
mod state;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use self::{catalogue::Connections, state::Shared, writer::Writer};
use crate::{StoreError, block::Cache};

/// When spans are acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When they are on the disk; what arrives within up to 200 ms shares one flush of the disk's cache.
    #[default]
    Grouped,
    /// When they are on the disk; each batch is flushed by itself, at once.
    Strict,
}

/// How the store is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory; made where it is missing.
    pub directory: PathBuf,
    /// When spans are acknowledged.
    pub durability: Durability,
    /// Spans in one block. Up to twice as many are held in memory, and a batch.
    pub block_spans: usize,
    /// The most bytes on disk, blocks and all; whole blocks are forgotten, the oldest first. None: no bound.
    pub bytes: Option<u64>,
    /// How long spans are kept after they began; whole blocks are forgotten. None: for ever.
    pub age: Option<Duration>,
}

/// Spans on disk.
pub struct Embedded {
    shared: Arc<Shared>,
    writer: Mutex<Option<Writer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: File,
}

impl Settings {
    /// As a newcomer wants it: 10 GiB, 7 days.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            durability: Durability::Grouped,
            // Two row groups; some 35 MiB in memory.
            block_spans: 40_960,
            bytes: Some(10 << 30),
            age: Some(Duration::from_secs(7 * 24 * 3600)),
        }
    }
}

impl Embedded {
    /// Opens or makes the store. Takes as long as the rows that are in no block yet take to read, whatever else is
    /// stored.
    ///
    /// # Errors
    /// Another process uses the directory, or it cannot be written.
    pub fn open(settings: Settings) -> Result<Self, StoreError> {
        let blocks = settings.directory.join("blocks");
        make(&settings.directory)?;
        make(&blocks)?;
        let lock = lock(&settings.directory)?;
        let connections = Connections::open(&settings.directory.join("catalogue.sqlite"))?;
        let shared = Arc::new(Shared::new(settings, connections, Cache::new(blocks)));
        replay::replay(&shared)?;
        let (writer, threads) = writer::start(&shared)?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)), threads: Mutex::new(threads), _lock: lock })
    }
}

fn make(directory: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(directory).map_err(|source| StoreError::File {
        action: "make the directory",
        path: directory.to_owned(),
        source,
    })
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("lock");
    let failed = |source| StoreError::File { action: "lock", path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Used(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

impl Drop for Embedded {
    /// What was taken is on the disk already; only the threads are waited for.
    fn drop(&mut self) {
        self.writer.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let threads = self.threads.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A thread that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}
