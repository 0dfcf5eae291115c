//! Drains all CPUs' rings and gives their records as events in the order of time, in batches. One thread; sleeps
//! when there is nothing to do and costs the traced programs a wake-up only then. Where little comes, they go first.
//!
//! Each ring is nearly in order; across rings, and for sends (whose time is when the bytes left, before the record
//! was made), order needs a look-ahead: events younger than [`HOLD_NS`] wait for the next round. So do those that are younger than what a
//! ring may still hold: a record that is being made, by a processor that was taken away meanwhile, or what the budget left.

use std::{
    io,
    ops::RangeInclusive,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::Arc,
};

use aya::maps::{MapData, RingBuf};
use wirespan_proto::{
    abi::{self, RING_BYTES},
    event::{Event, Nanos},
};

use crate::{
    clock::{self, Offset},
    decode,
    memory::Mapping,
    ring::{self, Ring},
    turns::Turns,
};

pub use ring::Counters as Losses;

/// How long an event waits for an earlier one of another CPU. A hook takes microseconds; an interrupted one
/// (steal time of a virtual machine) may take a few hundred.
const HOLD_NS: u64 = 2_000_000;

/// No event waits longer for a record that is being made, nor once so many bytes wait.
const LATEST_NS: u64 = 100_000_000;
const MOST_HELD: usize = 16 << 20;

/// Most bytes read from one ring before the others have their turn and the events are given on.
const BUDGET: u64 = 256 << 10;

/// Shortest and longest pause between two rounds while events come in. A round costs some tens of microseconds, of which
/// most are for falling asleep and waking up; what a burst brings within the longest pause still fits.
const PAUSE_NS: RangeInclusive<u64> = 500_000..=8_000_000;

/// What may come into a ring during a pause, at the rate of the last round: a reader that gets its processor late
/// still finds everything, what it reads stays in its cache, and it does not keep a processor for long at a time.
const FILL: u64 = RING_BYTES as u64 / 32;

/// Where less comes into a ring within the longest pause, the traced programs go first.
const LITTLE: u64 = RING_BYTES as u64 / 8;

/// Rounds without an event before the reader asks to be woken instead.
const QUIET_ROUNDS: u32 = 10;

/// Longest sleep: a producer's look at `sleeping` may miss a reader that is just falling asleep.
const SLEEP_NS: u64 = 100_000_000;

/// Wakes the reader from elsewhere: to stop it, or to make it look at something.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Wakes it. Counts, does not block.
    pub fn wake(&self) {
        // SAFETY: eight bytes to an event counter that this value keeps open. It fails only when it would
        // overflow, and then the reader is awake.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const WAKE_ONCE).cast(), 8) };
    }
}

/// What is added to the event counter.
static WAKE_ONCE: u64 = 1;

/// Where a record of the batch lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    time: u64,
    start: u32,
    len: u32,
}

/// Records copied out of the rings, not yet given on.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Batch {
    fn push(&mut self, record: &[u8]) {
        let place =
            Place { time: decode::time(record), start: self.bytes.len() as u32, len: record.len() as u32 };
        self.bytes.extend_from_slice(record);
        self.places.push(place);
    }

    fn record(&self, place: Place) -> &[u8] {
        &self.bytes[place.start as usize..][..place.len as usize]
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }
}

/// Where the records come from.
pub(crate) enum Source {
    /// The mapped rings; an entry in the ring buffer wakes their reader.
    Mapped {
        /// Carries nothing else.
        wake: RingBuf<MapData>,
    },
    /// BPF's ring buffer. The mapped rings are counters only.
    Buffer(RingBuf<MapData>),
}

impl Source {
    /// Readable when there is a reason to look.
    fn descriptor(&self) -> i32 {
        match self {
            Self::Mapped { wake } => wake.as_raw_fd(),
            Self::Buffer(events) => events.as_raw_fd(),
        }
    }
}

/// Gives records of BPF's ring buffer until the budget is spent; gives the bytes read.
fn drain(events: &mut RingBuf<MapData>, mut visit: impl FnMut(&[u8])) -> u64 {
    let mut read = 0;
    while read < BUDGET {
        let Some(record) = events.next() else { break };
        read += record.len() as u64;
        visit(&record);
    }
    read
}

/// Reads a ring, and until when it is read: all of it, or as far as its last record. Gives the bytes read.
fn drain_ring(ring: &mut Ring, batch: &mut Batch, until: &mut u64, now: u64) -> u64 {
    let before = batch.places.len();
    let read = ring.drain(BUDGET, |record| batch.push(record));
    let newest = batch.places[before..].iter().map(|place| place.time).max();
    *until = if ring.is_settled() { now } else { newest.unwrap_or(0).max(*until) };
    read
}

/// The reading side of the kernel programs.
pub struct Reader {
    rings: Vec<Ring>,
    /// Of each ring, until when all is read.
    read_until: Vec<u64>,
    /// The rings live in it.
    _memory: Mapping,
    source: Source,
    waker: Waker,
    batch: Batch,
    held: Batch,
    /// What to add to a stamp of the kernel programs.
    boot: Offset,
    quiet: u32,
    full: bool,
    /// When it read last, and how long it may pause now.
    read_at: u64,
    pause_ns: u64,
    /// Does little come?
    little: bool,
    /// Of the thread that waits.
    turns: Option<Turns>,
}

impl Reader {
    /// `memory` holds a ring each `stride` bytes; of rings that are counters only, the counters.
    pub(crate) fn new(memory: Mapping, stride: usize, cpus: usize, source: Source) -> io::Result<Self> {
        let rings: Vec<_> = (0..cpus)
            // SAFETY: the mapping holds `cpus` rings one behind the other and outlives them.
            .map(|cpu| unsafe { Ring::new(memory.start().add(cpu * stride)) })
            .collect();
        // SAFETY: a fresh descriptor, or -1.
        let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if event < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, owned by nobody else.
        let waker = Waker(Arc::new(unsafe { OwnedFd::from_raw_fd(event) }));
        let (batch, held) = (Batch::default(), Batch::default());
        Ok(Self {
            read_until: vec![0; rings.len()],
            rings,
            _memory: memory,
            source,
            waker,
            batch,
            held,
            boot: Offset::boot(),
            quiet: 0,
            full: false,
            read_at: clock::monotonic(),
            pause_ns: *PAUSE_NS.start(),
            little: false,
            turns: None,
        })
    }

    /// A handle that wakes this reader.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// What the rings lost so far.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.rings.iter().map(Ring::counters).fold(Losses::default(), |sum, one| Losses {
            lost_records: sum.lost_records + one.lost_records,
            lost_bytes: sum.lost_bytes + one.lost_bytes,
            ignored: sum.ignored + one.ignored,
            faults: sum.faults + one.faults,
            io_uring: sum.io_uring + one.io_uring,
            stood_in: sum.stood_in + one.stood_in,
        })
    }

    /// Now, on the clock of events.
    #[must_use]
    pub fn now(&self) -> Nanos {
        clock::boot()
    }

    /// Reads a round and gives the events whose order is settled. Gives their number.
    pub fn poll(&mut self, visit: impl FnMut(&Event<'_>)) -> usize {
        let now = clock::monotonic();
        self.read(now);
        let crowded = self.batch.bytes.len() > MOST_HELD;
        let settled = if crowded { now } else { settled(now, &self.read_until) };
        self.give(settled.saturating_sub(HOLD_NS), visit)
    }

    /// Gives everything that is left, settled or not: for the end.
    pub fn finish(&mut self, visit: impl FnMut(&Event<'_>)) -> usize {
        self.turns.iter().for_each(Turns::equal);
        self.read(clock::monotonic());
        self.give(u64::MAX, visit)
    }

    fn read(&mut self, now: u64) {
        std::mem::swap(&mut self.batch, &mut self.held);
        let batch = &mut self.batch;
        let before = batch.places.len();
        let most = match &mut self.source {
            Source::Mapped { .. } => {
                let rings = self.rings.iter_mut().zip(&mut self.read_until);
                let read = rings.map(|(ring, until)| drain_ring(ring, batch, until, now));
                read.max().unwrap_or_default()
            }
            // In order as it is.
            Source::Buffer(events) => {
                self.read_until.fill(now);
                drain(events, |record| batch.push(record))
            }
        };
        self.full = most >= BUDGET;
        let time = now.saturating_sub(self.read_at);
        (self.pause_ns, self.little) = (pause(most, time), little(most, time));
        self.read_at = now;
        self.quiet = if batch.places.len() > before { 0 } else { self.quiet + 1 };
        // Stable, so that records of one moment keep their ring's order.
        batch.places.sort_by_key(|place| place.time);
    }

    fn give(&mut self, settled: u64, mut visit: impl FnMut(&Event<'_>)) -> usize {
        let clock = self.boot.now();
        let ready = self.batch.places.partition_point(|place| place.time <= settled);
        let (now, later) = self.batch.places.split_at(ready);
        for place in now {
            // What does not decode was not made by our programs; there is nothing to tell of it.
            if let Some(event) = decode::event(self.batch.record(*place), clock) {
                visit(&event);
            }
        }
        for place in later {
            self.held.push(self.batch.record(*place));
        }
        self.batch.clear();
        ready
    }

    /// Waits until there may be something to read. Returns at once while a ring is being read in turns.
    pub fn wait(&mut self) {
        if self.full {
            return;
        }
        let turns = self.turns.get_or_insert_with(Turns::of_this_thread);
        if self.quiet < QUIET_ROUNDS || !self.held.places.is_empty() {
            turns.pause(self.pause_ns, self.little);
            self.sleep(self.pause_ns, false);
            return;
        }
        turns.equal();
        self.rings.iter().for_each(|ring| ring.set_sleeping(true));
        // BPF's ring buffer is readable as long as something is in it: that sleep is none.
        if matches!(self.source, Source::Buffer(_)) || self.rings.iter().all(Ring::is_empty) {
            self.sleep(SLEEP_NS, true);
        }
        self.rings.iter().for_each(|ring| ring.set_sleeping(false));
        if let Source::Mapped { wake } = &mut self.source {
            while wake.next().is_some() {}
        }
    }

    fn sleep(&self, ns: u64, wakeable: bool) {
        let event = self.waker.0.as_raw_fd();
        let poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut fds = [poll(event), poll(self.source.descriptor())];
        let count = if wakeable { 2 } else { 1 };
        let time = libc::timespec { tv_sec: 0, tv_nsec: ns as libc::c_long };
        // SAFETY: descriptors and arrays of ours. An interrupted or failed sleep is a short one.
        unsafe {
            libc::ppoll(fds.as_mut_ptr(), count, &raw const time, std::ptr::null());
            let mut spent = 0_u64;
            libc::read(event, (&raw mut spent).cast(), 8);
        }
    }
}

/// Until when all that happened is read, of rings that are read until then.
fn settled(now: u64, read_until: &[u64]) -> u64 {
    let until = read_until.iter().copied().min().unwrap_or(now);
    until.clamp(now.saturating_sub(LATEST_NS), now)
}

/// How long the reader may pause that found `most` bytes in a ring, which came within `time` ns.
fn pause(most: u64, time: u64) -> u64 {
    let fills_in = FILL.saturating_mul(time) / most.max(1);
    fills_in.clamp(*PAUSE_NS.start(), *PAUSE_NS.end())
}

/// The same two: is it so little that it may wait?
fn little(most: u64, time: u64) -> bool {
    most.saturating_mul(*PAUSE_NS.end()) <= LITTLE.saturating_mul(time)
}

const _: () = assert!(std::mem::offset_of!(abi::DataRecord, time) == 8);
const _: () = assert!(std::mem::offset_of!(abi::LifeRecord, time) == 8);
const _: () = assert!(std::mem::offset_of!(abi::ExecRecord, time) == 8);
const _: () = assert!(std::mem::offset_of!(abi::ProcessRecord, time) == 8);
const _: () = assert!(std::mem::offset_of!(abi::ThreadRecord, time) == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_younger_than_a_record_in_the_making_waits_but_not_for_ever() {
        let ms = |ms: u64| ms * 1_000_000;
        assert_eq!(settled(ms(500), &[ms(500), ms(500)]), ms(500));
        assert_eq!(settled(ms(500), &[ms(500), ms(470)]), ms(470));
        assert_eq!(settled(ms(500), &[0, ms(500)]), ms(400));
        // A clock stamp that is ahead, paced by the kernel.
        assert_eq!(settled(ms(500), &[ms(503), ms(503)]), ms(500));
    }

    #[test]
    fn the_more_comes_in_the_shorter_the_pause() {
        // Nothing; 1 MB, 20 MB and 40 MB a second; a burst.
        let found =
            [(0, 2_000_000), (8_000, 8_000_000), (100_000, 5_000_000), (80_000, 2_000_000), (BUDGET, 1_000)];
        let pauses = found.map(|(most, time)| pause(most, time) / 100_000);
        assert_eq!(pauses, [80, 80, 16, 8, 5]);
        assert_eq!(found.map(|(most, time)| little(most, time)), [true, true, false, false, false]);
    }
}
