//! Packed batches in, acknowledgements out: one thread writes them into the catalogue, several to a transaction, and
//! puts their spans into memory when they are on the disk. A second thread seals blocks and forgets old ones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::params;

use super::{Durability, arrived::Packer, joins, retain, seal, state::Shared};
use crate::{Arrival, Join, Span, StoreError, again::Marks, join::Joined, segment::Segment};

/// Packed bytes that may wait for the disk.
const WAITING: usize = 64 << 20;
/// Batches that may wait for the disk.
const BATCHES: usize = 1024;
/// Packed bytes of one transaction.
const GROUP: usize = 8 << 20;
/// The longest that a batch waits for others to share its flush.
const LONGEST: Duration = Duration::from_millis(200);
/// A flush of the disk may take this share of the time, one part in so many.
const SHARE: u32 = 4;
/// How long arrivals wait for a block to be sealed before they are refused.
const SEALING: Duration = Duration::from_secs(5);
/// Spans are sealed after so long even when they fill no block, so that they can grow too old.
const OLDEST: Duration = Duration::from_secs(6 * 3600);
/// How often a quiet store looks whether they have.
const LOOK: Duration = Duration::from_secs(60);
/// How often it looks whether a segment that is full can be sealed: the one before is being sealed.
const SOON: Duration = Duration::from_millis(100);
/// Sealed spans that are marked again at the start: three blocks.
const REMEMBERED: u64 = 122_880;
/// How often sealing is tried again on a full disk, and old blocks are looked for.
const AGAIN: Duration = Duration::from_secs(5);

struct Batch {
    packed: Vec<u8>,
    spans: Vec<Span>,
    joins: Vec<Join>,
    came: Instant,
    done: SyncSender<Result<(), StoreError>>,
}

/// The way to the writing thread.
#[derive(Clone)]
pub(super) struct Writer {
    batches: SyncSender<Batch>,
    waiting: Arc<AtomicUsize>,
    packer: Arc<Packer>,
}

/// A full segment, and the last row of `arrived` in it.
type Full = (Arc<Segment>, i64);

/// Starts both threads. They end when the last [`Writer`] is gone.
///
/// # Errors
/// There is no memory to pack batches in.
pub(super) fn start(shared: &Arc<Shared>) -> Result<(Writer, Vec<JoinHandle<()>>), StoreError> {
    let (batches, come) = mpsc::sync_channel(BATCHES);
    let (full, seals) = mpsc::sync_channel(1);
    let waiting = Arc::new(AtomicUsize::new(0));
    let packer = Arc::new(Packer::new()?);
    let writing = Writing {
        shared: shared.clone(),
        full,
        waiting: waiting.clone(),
        packer: packer.clone(),
        flush: Duration::ZERO,
        flushed: Instant::now(),
        marks: Marks::default(),
    };
    let sealing = shared.clone();
    let threads =
        vec![thread::spawn(move || writing.run(&come)), thread::spawn(move || run_sealing(&sealing, &seals))];
    Ok((Writer { batches, waiting, packer }, threads))
}

impl Writer {
    /// Waits until all is durable.
    pub(super) fn take(&self, Arrival { spans, joins }: Arrival) -> Result<(), StoreError> {
        let came = Instant::now();
        let packed = self.packer.pack(&spans)?;
        let bytes = packed.len();
        if self.waiting.fetch_add(bytes, Ordering::AcqRel) > WAITING {
            self.waiting.fetch_sub(bytes, Ordering::AcqRel);
            return Err(StoreError::Busy);
        }
        let (done, answer) = mpsc::sync_channel(1);
        let sent = self.batches.try_send(Batch { packed, spans, joins, came, done });
        if let Err(error) = sent {
            self.waiting.fetch_sub(bytes, Ordering::AcqRel);
            return Err(match error {
                mpsc::TrySendError::Full(_) => StoreError::Busy,
                mpsc::TrySendError::Disconnected(_) => StoreError::Closed,
            });
        }
        answer.recv().unwrap_or(Err(StoreError::Closed))
    }
}

struct Writing {
    shared: Arc<Shared>,
    full: SyncSender<Full>,
    waiting: Arc<AtomicUsize>,
    packer: Arc<Packer>,
    /// How long the last flush took, and when it ended.
    flush: Duration,
    flushed: Instant,
    marks: Marks,
}

impl Writing {
    fn run(mut self, come: &Receiver<Batch>) {
        self.remember();
        self.rotate();
        loop {
            let first = match come.recv_timeout(self.pause()) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.rotate();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let batches = self.gather(first, come);
            let bytes: usize = batches.iter().map(|batch| batch.packed.len()).sum();
            self.take(batches);
            self.waiting.fetch_sub(bytes, Ordering::AcqRel);
        }
    }

    /// How long nothing may come before [`Self::rotate`] is tried again: not long when a full segment waits for its turn.
    fn pause(&self) -> Duration {
        let full = self.shared.read().active.spans.len() >= self.shared.settings.block_spans;
        if full { SOON } else { LOOK }
    }

    /// The batches of one transaction: what waits, and what comes until the disk may be flushed again.
    fn gather(&self, first: Batch, come: &Receiver<Batch>) -> Vec<Batch> {
        let mut bytes = first.packed.len();
        let mut batches = vec![first];
        if self.shared.settings.durability == Durability::Strict {
            return batches;
        }
        let until = self.flushed + (self.flush * SHARE).min(LONGEST);
        while bytes < GROUP {
            let wait = until.saturating_duration_since(Instant::now());
            match come.recv_timeout(wait) {
                Ok(batch) => {
                    bytes += batch.packed.len();
                    batches.push(batch);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        batches
    }

    fn take(&mut self, mut batches: Vec<Batch>) {
        if let Err(refuse) = self.room() {
            batches.into_iter().for_each(|batch| answer(batch.done, Err(refuse())));
            return;
        }
        let started = Instant::now();
        let written = self.leave_out(&mut batches).and_then(|()| self.write(&batches));
        self.flushed = Instant::now();
        self.flush = self.flushed - started;
        match written {
            Ok((last, fit)) => self.keep(batches, last, fit),
            Err(error) => {
                let full = matches!(error, StoreError::Full(_));
                let directory = self.shared.settings.directory.clone();
                let mut error = Some(error);
                for batch in batches {
                    let again = || if full { StoreError::Full(directory.clone()) } else { StoreError::Busy };
                    answer(batch.done, Err(error.take().unwrap_or_else(again)));
                }
            }
        }
    }

    /// Refuses when memory is full of spans whose block cannot be written.
    fn room(&mut self) -> Result<(), fn() -> StoreError> {
        let crowded = |shared: &Shared| {
            let state = shared.read();
            state.sealing.is_some() && state.active.spans.len() >= shared.settings.block_spans
        };
        while crowded(&self.shared) {
            if !self.shared.wait_sealed(SEALING) {
                return Err(|| StoreError::Busy);
            }
        }
        Ok(())
    }

    /// Marks what the last process left, as far back as a sender that saw it end would send again.
    fn remember(&mut self) {
        let blocks = {
            let state = self.shared.read();
            state.active.spans.iter().for_each(|span| self.marks.know(span.id, span.start));
            state.blocks.clone()
        };
        let mut room = REMEMBERED;
        for block in blocks.iter().rev() {
            let Some(rest) = room.checked_sub(block.spans) else { break };
            room = rest;
            match self.shared.all_of(block.id) {
                Ok(spans) => spans.iter().for_each(|hit| self.marks.know(hit.id, hit.start)),
                Err(error) => report(Err(error)),
            }
        }
    }

    /// Takes away what is here already: on the disk, or in the same transaction.
    fn leave_out(&mut self, batches: &mut [Batch]) -> Result<(), StoreError> {
        let mut doubts = self.marks.doubts(batches.iter().flat_map(|batch| &batch.spans));
        for trace in doubts.open() {
            doubts.learn(trace, &self.shared.in_memory(trace)?);
        }
        for trace in doubts.open() {
            doubts.learn(trace, &self.shared.in_blocks(trace)?);
        }
        for batch in batches {
            let repeated = doubts.leave_out(&mut batch.spans);
            if repeated > 0 {
                batch.packed = self.packer.pack(&batch.spans)?;
                self.shared.repeated.fetch_add(repeated, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// One transaction, on the disk when this returns; the answer is its last row, and the joins that fit.
    fn write(&self, batches: &[Batch]) -> Result<(i64, Vec<Join>), StoreError> {
        let mut connection = self.shared.connections.write();
        let write = || -> rusqlite::Result<(i64, Vec<Join>)> {
            let transaction = connection.transaction()?;
            let (mut last, mut fit) = (0, Vec::new());
            for batch in batches {
                fit.extend(joins::record(&transaction, &batch.joins)?);
                transaction
                    .prepare_cached("INSERT INTO arrived (bytes) VALUES (?)")?
                    .execute(params![batch.packed])?;
                last = transaction.last_insert_rowid();
            }
            joins::count(&transaction, &fit)?;
            transaction.commit()?;
            Ok((last, fit))
        };
        let mut write = write;
        write().map_err(|error| self.shared.connections.trouble(error))
    }

    fn keep(&mut self, batches: Vec<Batch>, last: i64, fit: Vec<Join>) {
        let mut state = self.shared.write();
        let mut done = Vec::with_capacity(batches.len());
        for batch in batches {
            state.since.get_or_insert_with(Instant::now);
            state.add(batch.spans);
            done.push((batch.came, batch.done));
        }
        fit.iter().for_each(|join| state.join(join));
        state.last = last;
        drop(state);
        for (came, done) in done {
            self.shared.measure(came.elapsed().as_nanos() as u64);
            answer(done, Ok(()));
        }
        self.rotate();
    }

    /// Hands a full segment to the sealing thread, when that is free.
    fn rotate(&self) {
        let mut state = self.shared.write();
        let old = state.since.is_some_and(|since| since.elapsed() > OLDEST);
        let full = old || state.active.spans.len() >= self.shared.settings.block_spans;
        if !full || state.sealing.is_some() {
            return;
        }
        state.since = None;
        let next = Segment::after(state.active.handover());
        state.joined.rotate_left(1);
        state.joined[1] = Joined::default();
        let full = Arc::new(std::mem::replace(&mut state.active, next));
        state.sealing = Some(full.clone());
        // The channel has room: only one segment is sealed at a time. A thread that is gone has said why.
        let _ = self.full.try_send((full, state.last));
    }
}

/// The caller may have gone away.
fn answer(done: SyncSender<Result<(), StoreError>>, result: Result<(), StoreError>) {
    let _ = done.send(result);
}

fn run_sealing(shared: &Shared, seals: &Receiver<Full>) {
    let mut pending: Option<Full> = None;
    loop {
        report(retain::retain(shared));
        if pending.is_none() {
            match seals.recv_timeout(AGAIN) {
                Ok(full) => pending = Some(full),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let Some((segment, last)) = &pending else { continue };
        match seal::seal(shared, segment, *last) {
            Ok(()) => {
                pending = None;
                shared.announce();
            }
            Err(error) => {
                report(Err(error));
                // Nothing comes while one is pending: this only waits, and notices the end.
                if matches!(seals.recv_timeout(AGAIN), Err(RecvTimeoutError::Disconnected)) {
                    return;
                }
            }
        }
    }
}

fn report(result: Result<(), StoreError>) {
    if let Err(error) = result {
        eprintln!("wirespan: {error}");
    }
}
