//! Comes in: the context that a thread of CPython's runs in. Goes out: the context of the task of asyncio that waits for the one
//! that runs. Refuses: what does not prove to be what it should: another thread may change it meanwhile, and any address may
//! be wrong.
//!
//! What is called when a task or future is done (`fut_callback0`, `Modules/_asynciomodule.c`; Python 3.8 to 3.13) leads to who waits:
//! it wakes that task itself (`await task`), is a function with the future that is waited for in its closure (`gather`, `wait`), a method of
//! a task group, or a partial call with that future as its argument (`wait_for`, until 3.11). A task is known by its type
//! and event loop, a future that is waited for by its loop and by what it wakes.

use aya_ebpf::helpers::bpf_probe_read_user;
use wirespan_proto::abi::RuntimeRecord;

use super::runtime::read;

/// `PyObject::ob_type`, and of what has a `PyObject_VAR_HEAD` its length.
const TYPE: u64 = 8;
const LEN: u64 = 16;
/// `PyTupleObject::ob_item`.
const ITEMS: u64 = 24;
/// `PyCellObject::ob_ref`.
const CELL: u64 = 16;
/// `PyDictObject::ma_keys`.
const KEYS: u64 = 32;
/// `im_self` of `PyMethodObject`, `args` of `partialobject`.
const OWNER: u64 = 24;
/// Bytes of an entry of a dictionary, and of its value's place in it.
const ENTRY: (u64, u64) = (24, 16);
/// Cells of a closure that are looked at; `gather` and `wait` have up to six.
const MOST_CELLS: u64 = 8;

/// Tasks that are gone up by.
const MOST_TASKS: u32 = 2;

/// A task or future from its type on.
struct Future {
    kind: u64,
    event_loop: u64,
    callback: u64,
    /// That `callback` is called in.
    context: u64,
}

/// Who waits, and whether only as `wait_for` until 3.11 does: by a task of its own, for which another one may wait.
struct Waiter {
    task: u64,
    context: u64,
    between: bool,
}

/// The context of who waits for the task that runs in this context.
#[inline(always)]
pub(super) unsafe fn waiter(place: &RuntimeRecord, context: u64) -> Option<u64> {
    // SAFETY: all is read through a checking helper.
    unsafe {
        let mut task = running(place.address, place.offsets[0] != 0)?;
        if read(task.wrapping_add(u64::from(place.offsets[1])))? != context {
            return None;
        }
        let mut found = None;
        for _ in 0..MOST_TASKS {
            let Some(above) = above(place, task) else { break };
            (found, task) = (Some(above.context), above.task);
            if !above.between {
                break;
            }
        }
        found
    }
}

/// Who waits for this task.
#[inline(always)]
unsafe fn above(place: &RuntimeRecord, task: u64) -> Option<Waiter> {
    // SAFETY: as above.
    unsafe {
        let [_, of_task, closure, wakes, before, behind] = place.offsets.map(u64::from);
        let future = future(task)?;
        if future.callback == 0 {
            return None;
        }
        let (context, between) = (future.context, false);
        if let Some(task) = future.wakes(future.callback, wakes) {
            return Some(Waiter { task, context, between });
        }
        let owner = read(future.callback.wrapping_add(OWNER))?;
        if behind != 0 {
            let inside = if before == 0 { owner } else { read(owner.wrapping_sub(before)).unwrap_or(0) };
            let task = read(inside.wrapping_add(behind)).unwrap_or(0);
            if future.is_task(task) {
                return Some(Waiter { task, context: read(task.wrapping_add(of_task))?, between });
            }
        }
        if let Some(argument) = read(owner.wrapping_add(ITEMS))
            && let Some((task, context)) = future.waited_for(argument, wakes)
        {
            return Some(Waiter { task, context, between: true });
        }
        let cells = read(future.callback.wrapping_add(closure))?;
        let len = read(cells.wrapping_add(LEN))?;
        for cell in 0..MOST_CELLS {
            if cell >= len {
                break;
            }
            if let Some(cell) = read(cells.wrapping_add(ITEMS + 8 * cell))
                && let Some(held) = read(cell.wrapping_add(CELL))
                && let Some((task, context)) = future.waited_for(held, wakes)
            {
                return Some(Waiter { task, context, between });
            }
        }
        None
    }
}

/// The task that an event loop runs, the one that began last.
#[inline(always)]
unsafe fn running(dictionary: u64, packed: bool) -> Option<u64> {
    // SAFETY: as above.
    unsafe {
        let keys = read(dictionary.wrapping_add(KEYS))?;
        // `PyDictKeysObject` behind its count of references: until 3.10 the number of indices of a byte each, what looks up, what is left and the
        // number of entries; since 3.11 the logarithm of the former in its second byte, a version, what is left and the number.
        let head: [u64; 4] = bpf_probe_read_user(keys.wrapping_add(8) as *const _).ok()?;
        let (entries, len) = if packed {
            (keys.wrapping_add(32).wrapping_add(1 << (head[0] >> 8 & 31)), head[2])
        } else {
            (keys.wrapping_add(40).wrapping_add(head[0]), head[3])
        };
        read(entries.wrapping_add(len.wrapping_sub(1).wrapping_mul(ENTRY.0)).wrapping_add(ENTRY.1))
    }
}

#[inline(always)]
unsafe fn future(address: u64) -> Option<Future> {
    // SAFETY: as above.
    let words: [u64; 4] = unsafe { bpf_probe_read_user(address.wrapping_add(TYPE) as *const _) }.ok()?;
    let [kind, event_loop, callback, context] = words;
    Some(Future { kind, event_loop, callback, context })
}

impl Future {
    /// Is this a task of the same event loop?
    #[inline(always)]
    unsafe fn is_task(&self, address: u64) -> bool {
        // SAFETY: as above.
        let words: [u64; 2] =
            unsafe { bpf_probe_read_user(address.wrapping_add(TYPE) as *const _) }.unwrap_or_default();
        words == [self.kind, self.event_loop]
    }

    /// The task that this wakes.
    #[inline(always)]
    unsafe fn wakes(&self, callback: u64, wakes: u64) -> Option<u64> {
        // SAFETY: as above.
        unsafe { read(callback.wrapping_add(wakes)).filter(|task| self.is_task(*task)) }
    }

    /// The task that waits for this future, and its context.
    #[inline(always)]
    unsafe fn waited_for(&self, address: u64, wakes: u64) -> Option<(u64, u64)> {
        // SAFETY: as above.
        unsafe {
            let other = future(address).filter(|other| other.event_loop == self.event_loop)?;
            Some((self.wakes(other.callback, wakes)?, other.context))
        }
    }
}
