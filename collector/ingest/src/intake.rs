//! Spans in, acknowledgement out. Every protocol ends here: counted, shown to who watches, stored.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::{Semaphore, broadcast};
use wirespan_store::{Arrival, Join, Sketch, Span, Store, StoreError};

use crate::{Batch, Limits, ends::Ends, names};

/// Requests that may be decoded at once; others wait their turn.
const AT_ONCE: usize = 4;
/// Batches that a slow watcher may fall behind.
const BEHIND: usize = 64;
/// Stored spans that are looked at again at the start.
const RECENT: usize = 16_384;
/// The most that a span's delay is measured at: clocks differ, and old spans are imported.
const LONGEST_DELAY: u64 = 3_600_000_000_000;

/// Where spans go. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    limits: Limits,
    turns: Semaphore,
    watchers: broadcast::Sender<Arc<Vec<Span>>>,
    accepted: AtomicU64,
    cut: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    transfer: Mutex<Sketch>,
    ends: Mutex<Ends>,
    joined: AtomicU64,
}

/// Spans that were not taken, by cause.
pub type Refusals = BTreeMap<&'static str, u64>;

/// How a request went that the store took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Spans refused for what they are.
    pub refused: u64,
    /// Why; empty when all is well.
    pub said: String,
}

impl Intake {
    /// Spans go into `store`, cut down to `limits`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, limits: Limits) -> Self {
        let inner = Inner {
            store,
            limits,
            turns: Semaphore::new(AT_ONCE),
            watchers: broadcast::channel(BEHIND).0,
            accepted: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            refused: Mutex::default(),
            transfer: Mutex::default(),
            ends: Mutex::default(),
            joined: AtomicU64::new(0),
        };
        Self { inner: inner.into() }
    }

    /// Looks at what is stored already: the other ends of its exchanges may still come. After a crash, two that are stored
    /// may not be joined yet.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn resume(&self) -> Result<(), StoreError> {
        let spans = self.inner.store.recent(RECENT)?;
        let joins = self.inner.meet(&spans);
        if joins.is_empty() { Ok(()) } else { self.inner.store.take(Arrival { spans: Vec::new(), joins }) }
    }

    /// The bounds of requests.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Every batch from now on, as it is stored.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Arc<Vec<Span>>> {
        self.inner.watchers.subscribe()
    }

    /// How many watch now.
    #[must_use]
    pub fn watchers(&self) -> usize {
        self.inner.watchers.receiver_count()
    }

    /// Spans taken since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.inner.accepted.load(Ordering::Relaxed)
    }

    /// Attributes left out for size since the start.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.inner.cut.load(Ordering::Relaxed)
    }

    /// Spans of one host joined to those of another since the start.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.inner.joined.load(Ordering::Relaxed)
    }

    /// Spans refused since the start.
    #[must_use]
    pub fn refused(&self) -> Refusals {
        self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From the end of a span to its arrival, in nanoseconds; by this host's clock and the sender's.
    #[must_use]
    pub fn transfer(&self) -> Sketch {
        self.inner.transfer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Decodes and stores on a thread that may wait, one of a bounded number.
    ///
    /// # Errors
    /// What `decode` refuses altogether, or the store does.
    pub async fn take<E: From<StoreError> + Send + 'static>(
        &self,
        decode: impl FnOnce(&Limits) -> Result<Batch, E> + Send + 'static,
    ) -> Result<Taken, E> {
        let turn = self.inner.turns.acquire().await.map_err(|_| E::from(StoreError::Closed))?;
        let limits = self.inner.limits;
        let decoded = tokio::task::spawn_blocking(move || decode(&limits)).await;
        // Decoding is what takes memory beyond what was sent; waiting for the disk does not.
        drop(turn);
        let batch = decoded.unwrap_or_else(|_| Err(StoreError::Closed.into()))?;
        let inner = self.inner.clone();
        let stored = tokio::task::spawn_blocking(move || inner.store(batch)).await;
        Ok(stored.unwrap_or(Err(StoreError::Closed))?)
    }
}

impl Inner {
    fn store(&self, mut batch: Batch) -> Result<Taken, StoreError> {
        for span in &mut batch.spans {
            let before = span.dropped.attributes;
            self.limits.apply(span);
            self.cut.fetch_add(u64::from(span.dropped.attributes - before), Ordering::Relaxed);
        }
        names::share(&mut batch.spans);
        let taken = Taken { refused: batch.refused(), said: batch.said() };
        batch.refused.iter().for_each(|(cause, spans)| self.refuse(cause.name(), *spans));
        if batch.spans.is_empty() {
            return Ok(taken);
        }
        let count = batch.spans.len() as u64;
        self.measure(&batch.spans);
        let watched = (self.watchers.receiver_count() > 0).then(|| Arc::new(batch.spans.clone()));
        let joins = self.meet(&batch.spans);
        let joined = joins.len() as u64;
        let arrival = Arrival { spans: batch.spans, joins };
        self.store.take(arrival).inspect_err(|_| self.refuse("store", count))?;
        self.accepted.fetch_add(count, Ordering::Relaxed);
        self.joined.fetch_add(joined, Ordering::Relaxed);
        if let Some(spans) = watched {
            // The last watcher may have gone.
            let _ = self.watchers.send(spans);
        }
        Ok(taken)
    }

    /// A sender that is refused sends again, and finds the other end still there.
    fn meet(&self, spans: &[Span]) -> Vec<Join> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).take(spans, Instant::now())
    }

    fn refuse(&self, cause: &'static str, spans: u64) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(cause).or_default() += spans;
    }

    /// One span stands for its batch.
    fn measure(&self, spans: &[Span]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        let delay = spans.last().map(|span| now.saturating_sub(span.end()));
        if let Some(delay) = delay.filter(|delay| *delay < LONGEST_DELAY) {
            self.transfer.lock().unwrap_or_else(PoisonError::into_inner).add(delay);
        }
    }
}
