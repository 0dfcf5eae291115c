//! Comes in: the key of a task of asyncio, which is the context that a thread runs in. Goes out: the context of the task that waits for
//! it. Refuses: what does not prove to be what it should: another thread may change it meanwhile, and any address may
//! be wrong.
//!
//! What is called when a task or future is done (`fut_callback0`, `Modules/_asynciomodule.c`; Python 3.8 to 3.13) leads to who waits:
//! it wakes that task itself (`await task`), is a function with the future that is waited for in its closure (`gather`, `wait`), a method of
//! a task group, or a partial call with that future as its argument (`wait_for`, until 3.11). A task is known by its type
//! and event loop, a future that is waited for by its loop and by what it wakes. A word costs some 90 ns, so the way is short.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use wirespan_proto::{abi::RuntimeRecord, event::LogicalTask};

/// `PyObject::ob_type`, and of what has a `PyObject_VAR_HEAD` its length.
const TYPE: u64 = 8;
const LEN: u64 = 16;
/// `PyTupleObject::ob_item`.
const ITEMS: u64 = 24;
/// `PyCellObject::ob_ref`.
const CELL: u64 = 16;
/// `PyDictObject::ma_keys`.
const KEYS: u64 = 32;
/// Bytes of an entry of a dictionary, and of its value's place in it.
const ENTRY: (u64, u64) = (24, 16);
/// Cells of a closure that are looked at, the last first: they stand in the order of their names, `outer` before `return_exceptions`
/// (`gather`), `waiter` last (`wait`).
const MOST_CELLS: u64 = 2;
/// Tasks that are gone up by: `wait_for` until 3.11 has one of its own, for which another one may wait.
const MOST_TASKS: u32 = 2;

/// A task or future from its type on; zeros where it cannot be read.
#[derive(Clone, Copy)]
struct Future {
    kind: u64,
    event_loop: u64,
    callback: u64,
    /// That `callback` is called in.
    context: u64,
}

/// The context of who waits for this task, where it is the one that runs; 0 where that is not known.
#[inline(always)]
pub(super) unsafe fn waiter(place: &RuntimeRecord, key: u64) -> u64 {
    // SAFETY: all is read through a checking helper.
    unsafe {
        let mut task = running(place.address, place.offsets[0] != 0);
        let context = word(task.wrapping_add(u64::from(place.offsets[1])));
        if LogicalTask::awaited(context, 0).key() != key {
            return 0;
        }
        let mut found = 0;
        for _ in 0..MOST_TASKS {
            let (above, context, between) = above(place, task);
            if context == 0 {
                break;
            }
            (found, task) = (context, above);
            if !between {
                break;
            }
        }
        found
    }
}

/// The task that waits for this one and its context, 0 where that is not known; and whether it only waits as `wait_for` does.
#[inline(always)]
unsafe fn above(place: &RuntimeRecord, task: u64) -> (u64, u64, bool) {
    // SAFETY: as above.
    unsafe {
        let [_, of_task, closure, wakes, before, behind] = place.offsets.map(u64::from);
        let future = Future::at(task);
        if future.callback == 0 {
            return (0, 0, false);
        }
        let [kind, first, second]: [u64; 3] = words(future.callback.wrapping_add(TYPE));
        if kind == place.next {
            let (task, context) = future.enclosed(word(future.callback.wrapping_add(closure)), wakes);
            return (task, context, false);
        }
        let woken = if wakes == LEN { first } else { second };
        if future.is_task(woken) {
            return (woken, future.context, false);
        }
        // `im_self` of `PyMethodObject`, `args` of `partialobject`.
        let owner = second;
        if behind != 0 {
            let inside = if before == 0 { owner } else { word(owner.wrapping_sub(before)) };
            let task = word(inside.wrapping_add(behind));
            if future.is_task(task) {
                return (task, word(task.wrapping_add(of_task)), false);
            }
        }
        let (task, context) = future.waited_for(word(owner.wrapping_add(ITEMS)), wakes);
        (task, context, true)
    }
}

/// The task that an event loop runs, the one that began last.
#[inline(always)]
unsafe fn running(dictionary: u64, packed: bool) -> u64 {
    // SAFETY: as above.
    unsafe {
        let keys = word(dictionary.wrapping_add(KEYS));
        // `PyDictKeysObject` behind its count of references: until 3.10 the number of indices of a byte each, what looks up, what is left and the
        // number of entries; since 3.11 the logarithm of the former in its second byte, a version, what is left and the number.
        let head: [u64; 4] = words(keys.wrapping_add(8));
        let (entries, len) = if packed {
            (keys.wrapping_add(32).wrapping_add(1 << (head[0] >> 8 & 31)), head[2])
        } else {
            (keys.wrapping_add(40).wrapping_add(head[0]), head[3])
        };
        word(entries.wrapping_add(len.wrapping_sub(1).wrapping_mul(ENTRY.0)).wrapping_add(ENTRY.1))
    }
}

impl Future {
    #[inline(always)]
    unsafe fn at(address: u64) -> Self {
        // SAFETY: as above.
        let [kind, event_loop, callback, context] = unsafe { words(address.wrapping_add(TYPE)) };
        Self { kind, event_loop, callback, context }
    }

    /// Is this a task of the same event loop?
    #[inline(always)]
    unsafe fn is_task(&self, address: u64) -> bool {
        // SAFETY: as above.
        let [kind, event_loop]: [u64; 2] = unsafe { words(address.wrapping_add(TYPE)) };
        kind != 0 && kind == self.kind && event_loop == self.event_loop
    }

    /// The task that waits for this future, and its context.
    #[inline(always)]
    unsafe fn waited_for(&self, address: u64, wakes: u64) -> (u64, u64) {
        // SAFETY: as above.
        unsafe {
            let other = Self::at(address);
            if other.event_loop != self.event_loop {
                return (0, 0);
            }
            let task = word(other.callback.wrapping_add(wakes));
            if self.is_task(task) { (task, other.context) } else { (0, 0) }
        }
    }

    /// The same of the future in the closure of a function.
    #[inline(always)]
    unsafe fn enclosed(&self, cells: u64, wakes: u64) -> (u64, u64) {
        // SAFETY: as above.
        unsafe {
            let len = word(cells.wrapping_add(LEN));
            for last in 1..=MOST_CELLS {
                if last > len {
                    break;
                }
                let cell = word(cells.wrapping_add(ITEMS).wrapping_add(8 * (len - last)));
                let (task, context) = self.waited_for(word(cell.wrapping_add(CELL)), wakes);
                if context != 0 {
                    return (task, context);
                }
            }
            (0, 0)
        }
    }
}

/// A word of the program's memory, 0 where it cannot be read.
#[inline(always)]
unsafe fn word(address: u64) -> u64 {
    // SAFETY: as above.
    let [word] = unsafe { words(address) };
    word
}

/// Zeros where they cannot be read. All are initialised: kernels before 6.3 refuse what may read from a stack that is not.
#[inline(always)]
unsafe fn words<const N: usize>(address: u64) -> [u64; N] {
    let mut words = [0_u64; N];
    // SAFETY: the helper checks the address, and writes all or clears all.
    unsafe {
        bpf_probe_read_user((&raw mut words).cast::<c_void>(), 8 * N as u32, address as *const c_void);
    }
    words
}
