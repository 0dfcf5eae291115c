//! The reader's side of one CPU's ring: `wirespan_proto::abi::Control`, then records. The producer's side is
//! `ebpf/src/capture/ring.rs`.
//!
//! What holds between the two: a record is whole once its first word says [`COMMITTED`]; until then the word is 0,
//! because the reader clears every possible place of a head before it gives room back. So it can stop at the first
//! uncommitted record and nothing older can look like a newer one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use wirespan_proto::abi::{ALIGN, COMMITTED, Control, RING_BYTES, SLACK};

/// Bytes from one ring to the next in the mapped array.
pub(crate) const STRIDE: usize = size_of::<Control>() + (RING_BYTES + SLACK) as usize;

/// Bytes that are read before their room is given back. Every producer looks at how far the reader is; as long as nothing
/// is told there, it finds that in its own cache.
const GIVE: u64 = 16 << 10;

/// One CPU's ring as the reader sees it.
#[derive(Debug)]
pub(crate) struct Ring {
    start: *mut u8,
}

// SAFETY: one reader owns it; the producers share it only through atomic words, see the methods.
unsafe impl Send for Ring {}

/// Counters of one ring, or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records that found the ring full.
    pub lost_records: u64,
    /// Stream bytes whose record found the ring full.
    pub lost_bytes: u64,
    /// Data events left out because the connection's policy said so.
    pub ignored: u64,
    /// User buffers that could not be read.
    pub faults: u64,
    /// Calls that drive `io_uring`, where the plan cannot see what moves through it.
    pub io_uring: u64,
    /// Events of programs that the kernel left out, seen by those that stand in for them: nothing is lost.
    pub stood_in: u64,
}

impl Ring {
    /// The ring that begins at `start`.
    ///
    /// # Safety
    /// `start` is aligned to 8 and begins [`STRIDE`] bytes that outlive the ring and that only producers and this
    /// reader touch. Where there are only a [`Control`]'s bytes, nothing is drained and no one asks if it is empty.
    pub(crate) unsafe fn new(start: *mut u8) -> Self {
        Self { start }
    }

    fn word(&self, field: usize) -> &AtomicU64 {
        // SAFETY: `field` is the offset of an aligned word of `Control`, shared only atomically.
        unsafe { AtomicU64::from_ptr(self.start.add(field).cast()) }
    }

    fn head(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: below RING_BYTES + SLACK and aligned to ALIGN; heads are shared only atomically.
        unsafe { AtomicU32::from_ptr(self.start.add(size_of::<Control>() + offset as usize).cast()) }
    }

    /// Gives every committed record to `visit`, oldest first, until `budget` bytes are read. Gives the bytes read.
    pub(crate) fn drain(&mut self, budget: u64, mut visit: impl FnMut(&[u8])) -> u64 {
        let start = self.word(std::mem::offset_of!(Control, consumed)).load(Ordering::Relaxed);
        let (mut position, mut given) = (start, start);
        while position - start < budget {
            let offset = position as u32 & (RING_BYTES - 1);
            let size = self.head(offset).load(Ordering::Acquire);
            if size & COMMITTED == 0 {
                break;
            }
            let size = size & !COMMITTED;
            assert!(
                size.is_multiple_of(ALIGN) && (ALIGN..=SLACK).contains(&size),
                "a head that no producer writes: {size}"
            );
            // SAFETY: committed: the producers are done with these bytes, and they do not reach beyond the slack.
            visit(unsafe {
                std::slice::from_raw_parts(
                    self.start.add(size_of::<Control>() + offset as usize),
                    size as usize,
                )
            });
            self.clear(offset, size);
            position += u64::from(size);
            if position - given >= GIVE {
                self.give(position);
                given = position;
            }
        }
        self.give(position);
        position - start
    }

    /// Gives the room before `position` back.
    fn give(&self, position: u64) {
        self.word(std::mem::offset_of!(Control, consumed)).store(position, Ordering::Release);
    }

    /// Clears every place of these bytes where a head may stand. Bytes in the slack are no such places, but their
    /// doubles at the ring's beginning are cleared by whoever lies there.
    fn clear(&self, offset: u32, size: u32) {
        for place in (offset..offset + size).step_by(ALIGN as usize) {
            self.head(place).store(0, Ordering::Relaxed);
        }
    }

    /// Is there nothing to read?
    pub(crate) fn is_empty(&self) -> bool {
        let position = self.word(std::mem::offset_of!(Control, consumed)).load(Ordering::Relaxed);
        self.head(position as u32 & (RING_BYTES - 1)).load(Ordering::Acquire) & COMMITTED == 0
    }

    /// Is all read that was begun? Else a record is being made, or the budget is spent.
    pub(crate) fn is_settled(&self) -> bool {
        let load = |field| self.word(field).load(Ordering::Acquire);
        load(std::mem::offset_of!(Control, reserved)) == load(std::mem::offset_of!(Control, consumed))
    }

    /// Says whether the next producer shall wake the reader.
    pub(crate) fn set_sleeping(&self, sleeping: bool) {
        self.word(std::mem::offset_of!(Control, sleeping)).store(u64::from(sleeping), Ordering::SeqCst);
    }

    /// What the producers counted.
    pub(crate) fn counters(&self) -> Counters {
        let load = |field| self.word(field).load(Ordering::Relaxed);
        Counters {
            lost_records: load(std::mem::offset_of!(Control, lost_records)),
            lost_bytes: load(std::mem::offset_of!(Control, lost_bytes)),
            ignored: load(std::mem::offset_of!(Control, ignored)),
            faults: load(std::mem::offset_of!(Control, faults)),
            io_uring: load(std::mem::offset_of!(Control, io_uring)),
            stood_in: load(std::mem::offset_of!(Control, stood_in)),
        }
    }
}

#[cfg(test)]
mod tests {
    //! The producer in Rust, step by step as the kernel program does it, against the real reader.
    use super::*;

    struct Shared {
        memory: Vec<u64>,
    }

    impl Shared {
        fn new() -> Self {
            Self { memory: vec![0; STRIDE / 8] }
        }

        fn start(&self) -> *mut u8 {
            self.memory.as_ptr().cast_mut().cast()
        }

        fn reader(&self) -> Ring {
            // SAFETY: as large as a ring; the tests keep `self` alive and touch it only through rings.
            unsafe { Ring::new(self.start()) }
        }
    }

    /// A place reserved and not yet committed.
    struct Reserved {
        offset: u32,
        size: u32,
    }

    fn reserve(ring: &Ring, size: u32) -> Option<Reserved> {
        let size = size.next_multiple_of(ALIGN);
        let reserved = ring.word(std::mem::offset_of!(Control, reserved));
        loop {
            let at = reserved.load(Ordering::SeqCst);
            let consumed = ring.word(std::mem::offset_of!(Control, consumed)).load(Ordering::SeqCst);
            if at - consumed + u64::from(size) > u64::from(RING_BYTES) {
                return None;
            }
            let next = at + u64::from(size);
            if reserved.compare_exchange(at, next, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return Some(Reserved { offset: at as u32 & (RING_BYTES - 1), size });
            }
        }
    }

    fn commit(ring: &Ring, reserved: &Reserved, payload: u64) {
        // SAFETY: the place is reserved for this producer.
        unsafe {
            let at = ring.start.add(size_of::<Control>() + reserved.offset as usize);
            // Fill the record so that a stale byte read as a head would be noticed.
            for word in 1..reserved.size as usize / 8 {
                at.cast::<u64>().add(word).write(payload | u64::from(COMMITTED));
            }
        }
        ring.head(reserved.offset).store(reserved.size | COMMITTED, Ordering::Release);
    }

    fn drained(ring: &mut Ring) -> Vec<u64> {
        let mut seen = Vec::new();
        ring.drain(u64::MAX, |record| {
            seen.push(u64::from_ne_bytes(record[8..16].try_into().unwrap()) & !u64::from(COMMITTED));
        });
        seen
    }

    #[test]
    fn a_reader_stops_at_the_first_uncommitted_record() {
        let shared = Shared::new();
        let mut ring = shared.reader();
        let outer = reserve(&ring, 200).unwrap();
        let nested = reserve(&ring, 300).unwrap();
        commit(&ring, &nested, 4);
        assert_eq!(drained(&mut ring), [0; 0], "the outer one is not whole yet");
        assert!(!ring.is_settled());
        commit(&ring, &outer, 2);
        assert_eq!(drained(&mut ring), [2, 4]);
        assert!(ring.is_empty() && ring.is_settled());
    }

    #[test]
    fn nothing_stale_looks_committed_after_many_laps() {
        let shared = Shared::new();
        let mut ring = shared.reader();
        // Sizes that shift every lap, so that heads come to stand on old payload.
        for lap in 0..20_000_u64 {
            let size = 64 + (lap * 977 % 9000) as u32;
            let reserved = reserve(&ring, size).expect("the reader keeps up");
            assert_eq!(drained(&mut ring), [0; 0], "reserved is not committed");
            commit(&ring, &reserved, lap << 1);
            assert_eq!(drained(&mut ring), [lap << 1]);
        }
    }

    #[test]
    fn full_is_full_and_room_comes_back() {
        let shared = Shared::new();
        let mut ring = shared.reader();
        let mut count = 0;
        while let Some(reserved) = reserve(&ring, 4096) {
            commit(&ring, &reserved, count << 1);
            count += 1;
        }
        assert_eq!(count, u64::from(RING_BYTES / 4096));
        assert_eq!(drained(&mut ring).len() as u64, count);
        assert!(reserve(&ring, 4096).is_some());
    }

    /// Two producers, as one interrupted by another, against a reader on its own thread: every record arrives
    /// once, and each producer's in order.
    #[test]
    fn torture() {
        const EACH: u64 = 200_000;
        let shared = Shared::new();
        let mut reader = shared.reader();
        let mut seen = [0_u64; 2];
        std::thread::scope(|scope| {
            for producer in 0..2_u64 {
                let ring = shared.reader();
                scope.spawn(move || {
                    let mut made = 0;
                    while made < EACH {
                        let size = 64 + ((made * 31 + producer * 17) % 700) as u32;
                        match reserve(&ring, size) {
                            Some(reserved) => {
                                commit(&ring, &reserved, made << 2 | producer << 1);
                                made += 1;
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                });
            }
            while seen != [EACH, EACH] {
                let records = drained(&mut reader);
                if records.is_empty() {
                    std::thread::yield_now();
                }
                for payload in records {
                    let producer = (payload >> 1 & 1) as usize;
                    assert_eq!(payload >> 2, seen[producer], "lost or repeated");
                    seen[producer] += 1;
                }
            }
        });
    }
}
