//! BPF's own ring buffer (Linux 5.8) behind the two functions of `ring.rs`: before Linux 5.12 there is no instruction to
//! reserve with. Records have many sizes and the kernel reserves only constant ones, so a record is made in memory of
//! this CPU and copied. A program may interrupt another there: each depth has memory of its own.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, generated::bpf_ringbuf_output};
use wirespan_proto::abi::{ALIGN, COMMITTED, Control, Head, NESTING};

use super::atomic::{self, bound};
use crate::state::maps::{CONTROLS, DEPTH, EVENTS, SCRATCH};

/// `BPF_RB_NO_WAKEUP`, `include/uapi/linux/bpf.h`.
const NO_WAKEUP: u64 = 1;
/// `BPF_RB_FORCE_WAKEUP`, there.
const FORCE_WAKEUP: u64 = 2;

/// Memory for a record that is ours until [`commit`](Self::commit).
#[must_use = "a record that is not committed keeps its memory for ever"]
pub(crate) struct Reserved {
    control: *mut Control,
    depth: *mut u32,
    record: *mut u8,
    size: u32,
    stream_bytes: u32,
}

/// Takes memory for a record of `size` bytes that stands for `stream_bytes` bytes. `None`: nested too deeply, and counted.
#[inline(always)]
pub(crate) fn reserve(size: u32, stream_bytes: u32) -> Option<Reserved> {
    // SAFETY: no arguments; programs run with migration disabled, so the number stays true.
    let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
    let control = CONTROLS.get_ptr_mut(cpu)?;
    let depth = DEPTH.get_ptr_mut(0)?;
    // SAFETY: this CPU's own word. Who interrupts between this and the next access has put it back before we go on.
    let level = unsafe { core::ptr::read_volatile(depth) };
    if level >= NESTING {
        lose(control, stream_bytes);
        return None;
    }
    let record = SCRATCH.get_ptr_mut(cpu * NESTING + level)?.cast();
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(depth, level + 1) };
    Some(Reserved { control, depth, record, size: (size + ALIGN - 1) & !(ALIGN - 1), stream_bytes })
}

#[inline(always)]
fn lose(control: *mut Control, stream_bytes: u32) {
    // SAFETY: counters of a map value.
    unsafe {
        atomic::add(&raw mut (*control).lost_records, 1);
        atomic::add(&raw mut (*control).lost_bytes, u64::from(stream_bytes));
    }
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

    /// Hands the record to the reader, and wakes it if it sleeps. False: the ring buffer is full, and that is counted.
    #[inline(always)]
    pub(crate) fn commit(self, kind: u32) -> bool {
        let head = u64::from(self.size | COMMITTED) | u64::from(kind) << 32;
        const { assert!(size_of::<Head>() == 8) };
        // SAFETY: the record is ours; the helper copies it.
        let full = unsafe {
            core::ptr::write_volatile(self.record.cast::<u64>(), head);
            let size = u64::from(bound::<0xffff>(self.size));
            let events = (&raw const EVENTS).cast_mut().cast();
            bpf_ringbuf_output(events, self.record.cast(), size, self.wake()) != 0
        };
        if full {
            lose(self.control, self.stream_bytes);
        }
        // SAFETY: as in `reserve`.
        unsafe { core::ptr::write_volatile(self.depth, core::ptr::read_volatile(self.depth) - 1) };
        !full
    }

    /// Two that see it asleep both wake it: that is seldom, and harmless.
    #[inline(always)]
    fn wake(&self) -> u64 {
        // SAFETY: an aligned word of a map value.
        unsafe {
            let sleeping = &raw mut (*self.control).sleeping;
            if core::ptr::read_volatile(sleeping) == 0 {
                return NO_WAKEUP;
            }
            core::ptr::write_volatile(sleeping, 0);
            FORCE_WAKEUP
        }
    }
}

/// Counts something for the current CPU.
#[inline(always)]
pub(crate) fn count(which: impl FnOnce(*mut Control) -> *mut u64) {
    // SAFETY: as in `reserve`.
    let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
    if let Some(control) = CONTROLS.get_ptr_mut(cpu) {
        // SAFETY: a counter of the map value.
        unsafe { atomic::add(which(control), 1) }
    }
}
