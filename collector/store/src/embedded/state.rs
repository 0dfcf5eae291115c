//! What the threads of the store share.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic::AtomicU64},
    time::{Duration, Instant},
};

use rustc_hash::FxHashSet;

use super::{Settings, catalogue::Connections};
use crate::{Join, Sketch, Span, Text, block::Cache, join::Joined, segment::Segment};

/// Everything that is kept, and where.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) connections: Connections,
    pub(super) cache: Cache,
    state: RwLock<State>,
    pub(super) repeated: AtomicU64,
    durable: Mutex<Sketch>,
    sealed: (Mutex<bool>, Condvar),
}

/// What changes.
#[derive(Default)]
pub(super) struct State {
    /// Spans that came last.
    pub(super) active: Segment,
    /// When the first of them came, or was read again; none while there are none.
    pub(super) since: Option<Instant>,
    /// The last row of `arrived` that is in `active`.
    pub(super) last: i64,
    /// Spans that are being written into a block.
    pub(super) sealing: Option<Arc<Segment>>,
    /// Blocks by id.
    pub(super) blocks: Arc<Vec<Arc<Entry>>>,
    /// Spans of blocks that were among them since the start.
    pub(super) forgotten: u64,
    /// What was joined while the segment before was active, and since. Spans that come later still are found by the
    /// catalogue's table.
    pub(super) joined: [Joined; 2],
}

impl State {
    /// Takes spans, each put where it belongs.
    pub(super) fn add(&mut self, spans: Vec<Span>) {
        self.active.add(spans, self.joined.iter());
    }

    /// Learns a join between wholes, and puts the spans right that are here.
    pub(super) fn join(&mut self, join: &Join) {
        let [_, now] = &mut self.joined;
        now.add(join);
        self.active.join(join.trace, now);
        self.active.answer(join.parent);
    }
}

/// A block as the catalogue knows it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) spans: u64,
    pub(super) bytes: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    /// Its place in the index by trace.
    pub(super) run: i64,
    /// Of that place.
    pub(super) buckets: u64,
    /// The last join when it was sealed.
    pub(super) joined: i64,
    pub(super) services: FxHashSet<Text>,
}

impl Shared {
    pub(super) fn new(settings: Settings, connections: Connections, cache: Cache) -> Self {
        let state = State { active: Segment::after(Default::default()), ..State::default() };
        Self {
            settings,
            connections,
            cache,
            state: RwLock::new(state),
            repeated: AtomicU64::new(0),
            durable: Mutex::default(),
            sealed: (Mutex::new(false), Condvar::new()),
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        let blocks = self.read().blocks.clone();
        blocks.iter().map(|block| block.bytes).sum::<u64>() + self.connections.bytes()
    }

    /// Notes how long a batch took to be durable, in nanoseconds.
    pub(super) fn measure(&self, took: u64) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).add(took);
    }

    /// What was noted since the start.
    pub(super) fn durable(&self) -> Sketch {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that a block was sealed.
    pub(super) fn announce(&self) {
        *self.sealed.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.sealed.1.notify_all();
    }

    /// Waits until a block was sealed since the last time; false when that takes too long.
    pub(super) fn wait_sealed(&self, most: Duration) -> bool {
        let guard = self.sealed.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.sealed.1.wait_timeout_while(guard, most, |sealed| !*sealed);
        let (mut guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *guard)
    }
}
