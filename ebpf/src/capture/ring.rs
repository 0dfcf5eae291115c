//! A memory-mapped ring per CPU. One producer CPU, but not one producer: a program may interrupt another, so a
//! place is reserved by compare-and-exchange and a record is committed by its own head, written last. The reader
//! stops at the first uncommitted record and clears what it has read, so a stale byte can never look committed.
//!
//! A record that begins before the ring's end may lie beyond it, in the slack, in one piece: positions count as if
//! it wrapped, so nothing else is there.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, generated::bpf_ringbuf_output};
use wirespan_proto::abi::{ALIGN, ARCH_X86_64, COMMITTED, Control, Head, RING_BYTES};

use super::atomic;
use crate::state::{
    globals::setting,
    maps::{RINGS, Ring, WAKE},
};

/// Tries before a producer that is interrupted again and again gives up and counts a loss.
const TRIES: u32 = 4;

/// `BPF_RB_FORCE_WAKEUP`, `include/uapi/linux/bpf.h`.
const FORCE_WAKEUP: u64 = 2;

/// A place in the ring that is ours until [`commit`](Self::commit).
#[must_use = "an uncommitted record stops the reader for ever"]
pub(crate) struct Reserved {
    control: *mut Control,
    record: *mut u8,
    size: u32,
}

/// Reserves room for a record of `size` bytes that stands for `stream_bytes` bytes. `None`: full, and counted.
#[inline(always)]
pub(crate) fn reserve(size: u32, stream_bytes: u32) -> Option<Reserved> {
    // SAFETY: no arguments; programs run with migration disabled, so the number stays true.
    let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
    let ring: *mut Ring = RINGS.get_ptr_mut(cpu)?;
    // SAFETY: the map's value is a `Ring`.
    let control = unsafe { &raw mut (*ring).control };
    let size = (size + ALIGN - 1) & !(ALIGN - 1);
    match claim(control, size) {
        Some(position) => {
            // Positions are multiples of ALIGN. The verifier must see it: on arm64 the head is written by an atomic
            // exchange, and those it takes at aligned places alone.
            let offset = (position as u32 & (RING_BYTES - ALIGN)) as usize;
            // SAFETY: `offset` is below RING_BYTES and the slack is larger than any record.
            let record = unsafe { (&raw mut (*ring).records).cast::<u8>().add(offset) };
            Some(Reserved { control, record, size })
        }
        None => {
            // SAFETY: counters of the same map value.
            unsafe {
                atomic::add(&raw mut (*control).lost_records, 1);
                atomic::add(&raw mut (*control).lost_bytes, u64::from(stream_bytes));
            }
            None
        }
    }
}

#[inline(always)]
fn claim(control: *mut Control, size: u32) -> Option<u64> {
    for _ in 0..TRIES {
        // SAFETY: aligned words of a map value; the reader only moves `consumed` forward.
        let (reserved, consumed) = unsafe {
            (
                core::ptr::read_volatile(&raw const (*control).reserved),
                core::ptr::read_volatile(&raw const (*control).consumed),
            )
        };
        if reserved - consumed + u64::from(size) > u64::from(RING_BYTES) {
            return None;
        }
        // SAFETY: as above.
        let held = unsafe {
            atomic::compare_exchange(&raw mut (*control).reserved, reserved, reserved + u64::from(size))
        };
        if held == reserved {
            return Some(reserved);
        }
    }
    None
}

impl Reserved {
    /// Where the record goes, its head included.
    #[inline(always)]
    pub(crate) fn record(&self) -> *mut u8 {
        self.record
    }

    /// Counts a user buffer that could not be read.
    #[inline(always)]
    pub(crate) fn count_fault(&self) {
        // SAFETY: a counter of the map value.
        unsafe { atomic::add(&raw mut (*self.control).faults, 1) }
    }

    /// Hands the record to the reader, and wakes it if it sleeps. The load of `sleeping` may overtake the store of
    /// the head; a full barrier would cost every record what only a falling-asleep reader needs, so the reader
    /// bounds its sleep instead. True: nothing can go wrong any more, as it can in the module that stands in.
    #[inline(always)]
    pub(crate) fn commit(self, kind: u32) -> bool {
        let head = u64::from(self.size | COMMITTED) | u64::from(kind) << 32;
        let at = self.record.cast::<u64>();
        const { assert!(size_of::<Head>() == 8) };
        // SAFETY: the record is ours and aligned to a cache line.
        unsafe {
            if setting!(arch) == ARCH_X86_64 {
                // x86-64 keeps stores in order.
                atomic::compiler_fence();
                core::ptr::write_volatile(at, head);
            } else {
                atomic::exchange(at, head);
            }
        }
        self.wake();
        true
    }

    #[inline(always)]
    fn wake(&self) {
        // SAFETY: aligned words of a map value.
        unsafe {
            let sleeping = &raw mut (*self.control).sleeping;
            if core::ptr::read_volatile(sleeping) != 0 && atomic::exchange(sleeping, 0) != 0 {
                let mut nothing = 0u64;
                // Full: a wake-up is on its way already.
                bpf_ringbuf_output(
                    (&raw const WAKE).cast_mut().cast(),
                    (&raw mut nothing).cast(),
                    8,
                    FORCE_WAKEUP,
                );
            }
        }
    }
}

/// Counts something in the current CPU's ring.
#[inline(always)]
pub(crate) fn count(which: impl FnOnce(*mut Control) -> *mut u64) {
    // SAFETY: as in `reserve`.
    let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
    if let Some(ring) = RINGS.get_ptr_mut(cpu) {
        // SAFETY: a counter of the map value.
        unsafe { atomic::add(which(&raw mut (*ring).control), 1) }
    }
}
