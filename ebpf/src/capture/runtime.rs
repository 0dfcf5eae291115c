//! Which logical task the current thread runs: a word of its thread-local storage, at the place that the daemon found in
//! the program; the number that the runtime gives to the next task; of a task that writes what others hand it, the one that did; and
//! of one that another waits for, that one.
//! Processes without such a place pay one load.

use aya_ebpf::helpers::bpf_probe_read_user;
use wirespan_proto::{
    abi::{NO_FIELD, RuntimeRecord, TASK_AWAITED, TASK_IS_WORD, runtime_slot},
    event::{LogicalTask, Writers},
};

use super::{
    awaited,
    memory::Memory,
    stand_in::{self, Given},
};
use crate::state::{globals::offset, maps::RUNTIMES};

/// Is it looked for who gave a task its work, or waits for it? The verifier of Linux 5.10 would follow the whole capture once more for
/// each outcome, and gives up.
const OTHERS: bool = cfg!(not(feature = "older"));

/// The task key of the current thread: its logical task, else the thread itself.
#[inline(always)]
pub(crate) fn task(pid_tgid: u64) -> u64 {
    // SAFETY: the helper gives the current task; what is the program's is read through a checking helper.
    let logical = place(pid_tgid).and_then(|place| unsafe { logical(place, false) });
    logical.map_or(u64::from(pid_tgid as u32), LogicalTask::key)
}

/// The same for `DataRecord::task`, with the next task's number where that is known, and whether it is. What is `sent` may have been
/// handed over by another task.
#[inline(always)]
pub(crate) fn numbered(pid_tgid: u64, sent: bool) -> (u64, u8) {
    let thread = (u64::from(pid_tgid as u32), 0);
    let Some(place) = place(pid_tgid) else { return thread };
    // SAFETY: as above.
    let Some(task) = (unsafe { logical(place, sent) }) else { return thread };
    // SAFETY: as above.
    let next = if place.next == 0 || place.kind == TASK_AWAITED { None } else { unsafe { read(place.next) } };
    next.map_or((task.key(), 0), |next| (LogicalTask::with_next(task.id(), next), 1))
}

/// Such a key with who waits for the task, where that is known: of what is sent, and who connects. Apart from the key, which is known
/// before the copy, so that the verifier does not follow the copy once more for each outcome of this.
#[inline(always)]
pub(crate) fn awaited(task: u64, pid_tgid: u64) -> u64 {
    if !OTHERS || !LogicalTask::is_address(task) {
        return task;
    }
    let Some(place) = place(pid_tgid).filter(|place| place.kind == TASK_AWAITED) else { return task };
    // SAFETY: what is the program's is read through a checking helper.
    LogicalTask::with_waiter(task, unsafe { awaited::waiter(place, task) })
}

/// Where the process of this thread keeps its tasks.
#[inline(always)]
fn place(pid_tgid: u64) -> Option<&'static RuntimeRecord> {
    let pid = (pid_tgid >> 32) as u32;
    let place = RUNTIMES.get(runtime_slot(pid))?;
    (place.pid == pid && offset!(thread_pointer) != NO_FIELD as usize).then_some(place)
}

/// `None` where the thread runs no task, or its memory cannot be read.
#[inline(always)]
unsafe fn logical(place: &RuntimeRecord, sent: bool) -> Option<LogicalTask> {
    // SAFETY: the verifier checks the load from the task; the rest is read through a checking helper.
    unsafe {
        let pointer: u64 = Given::read(stand_in::task(), offset!(thread_pointer));
        let word = read(pointer.wrapping_add(place.word as u64))?;
        if place.kind == TASK_IS_WORD {
            return Some(LogicalTask::new(word, 0));
        }
        if OTHERS && sent && place.kind != TASK_AWAITED && place.address != 0 {
            return giving(place, word);
        }
        let id = read(word.wrapping_add(u64::from(place.id)))?;
        if place.kind == TASK_AWAITED {
            return Some(LogicalTask::awaited(id, 0));
        }
        let starter =
            if place.starter == NO_FIELD { None } else { read(word.wrapping_add(u64::from(place.starter))) };
        Some(LogicalTask::new(id, starter.unwrap_or(0)))
    }
}

/// Who handed over what this task sends. The task itself where it sends its own, or where the other does not wait yet.
#[inline(always)]
unsafe fn giving(place: &RuntimeRecord, task: u64) -> Option<LogicalTask> {
    // SAFETY: as above. What the program changes meanwhile gives words that are read through the helper, too.
    unsafe {
        let starter = |task: u64| task.wrapping_add(u64::from(place.starter));
        let words: [u64; 1 + Writers::BEGAN as usize] =
            bpf_probe_read_user(starter(task) as *const _).unwrap_or_default();
        let giver = if words[Writers::BEGAN as usize] == place.address { giver(place, task) } else { None };
        let started = giver.map_or(Some(words[0]), |giver| read(starter(giver)));
        let id = read(giver.unwrap_or(task).wrapping_add(u64::from(place.id)))?;
        Some(LogicalTask::new(id, started.unwrap_or(0)))
    }
}

/// The one that waits for what this task sends.
#[inline(always)]
unsafe fn giver(place: &RuntimeRecord, task: u64) -> Option<u64> {
    // SAFETY: as above.
    unsafe {
        let [stack_end, connection, channel, waiting, ..] = place.offsets;
        let stack_end = read(task.wrapping_add(u64::from(stack_end)))?;
        let connection = read(stack_end.wrapping_sub(u64::from(connection)))?;
        let channel = read(connection.wrapping_add(u64::from(channel)))?;
        let waiting = read(channel.wrapping_add(u64::from(waiting)))?;
        read(waiting)
    }
}

/// A word of the program's memory; neither identities nor pointers are 0.
#[inline(always)]
unsafe fn read(address: u64) -> Option<u64> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const u64) }.ok().filter(|word| *word != 0)
}

/// The process has another program now, or none: its memory means something else.
#[inline(always)]
pub(crate) fn forget(pid: u32) {
    if let Some(place) = RUNTIMES.get_ptr_mut(runtime_slot(pid)) {
        // SAFETY: a map value; one store of an aligned word.
        unsafe {
            if (*place).pid == pid {
                (*place).pid = 0;
            }
        }
    }
}
