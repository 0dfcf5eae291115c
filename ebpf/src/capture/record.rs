//! Puts one data record together: the same for every plan, once the plan has found socket, place and arguments.

use wirespan_proto::{
    abi::{DataRecord, KIND_DATA, MAX_HEAD, POLICY_FULL, POLICY_HEADS, SENT, SocketRecord, TAIL},
    event::DataFlags,
};

use super::{
    buffers::{Arguments, Class},
    copy::{self, Copied, Vectors},
    place::Place,
    ring, runtime, stand_in,
};
use crate::state::globals::setting;

/// Calls of at most this many bytes are copied whatever they look like: continued heads, sizes of chunks.
const SMALL: u32 = 512;

/// What the plan found out about one call.
pub(crate) struct Call {
    pub(crate) place: Place,
    pub(crate) pid_tgid: u64,
    pub(crate) len: u32,
    pub(crate) direction: u8,
    pub(crate) flags: DataFlags,
    pub(crate) policy: u8,
    pub(crate) lost: u32,
    pub(crate) rests: u32,
    pub(crate) task: *const u8,
}

/// Emits the record; `describe` writes the socket. `PAIR`: see [`copy::copy`]. False: the ring was full.
#[inline(always)]
pub(crate) fn emit<const PAIR: bool>(
    call: &Call,
    arguments: &Arguments,
    describe: impl FnOnce(*mut SocketRecord),
) -> bool {
    let mut flags = call.flags.with(class_flags(arguments.class));
    let readable = call.len > 0 && arguments.class.readable() && !call.flags.contains(DataFlags::FILLER);
    let mut vectors = None;
    let mut want = 0;
    if readable {
        let found = copy::locate(arguments, call.len, call.pid_tgid as u32);
        want = wanted(call, &found);
        vectors = Some(found);
    }
    // Only of a call that is not copied whole the end is wanted, too.
    let room = if want < call.len { want + TAIL } else { want };
    let room = if readable { room } else { 0 };
    let Some(reserved) = ring::reserve(size_of::<DataRecord>() as u32 + room, call.len) else {
        return false;
    };
    flags = if readable && want == 0 { flags.with(DataFlags::POLICY) } else { flags };
    let record = reserved.record().cast::<DataRecord>();
    // SAFETY: the record is ours until committed, and has room for what is wanted.
    let fault = unsafe {
        describe(&raw mut (*record).socket);
        write(record, call, flags);
        let copied = match &vectors {
            Some(vectors) => copy::copy::<PAIR>(vectors, call.len, want, reserved.record()),
            None => Copied::default(),
        };
        complete(record, call, copied);
        copied.fault
    };
    if fault {
        reserved.count_fault();
    }
    reserved.commit(KIND_DATA)
}

/// What is known before the copy, and written before it: what nobody needs any more cannot make the verifier follow the
/// copy once more. [`copy::SCRATCH`] is left out.
#[inline(always)]
unsafe fn write(record: *mut DataRecord, call: &Call, flags: DataFlags) {
    // SAFETY: the caller owns the record.
    unsafe {
        (*record).time = call.place.time;
        (*record).socket.rtt_us = call.place.rtt_us;
        (*record).offset = call.place.offset;
        (*record).pid_tgid = call.pid_tgid;
        let (task, numbered) = runtime::numbered(call.pid_tgid, call.direction == SENT);
        (*record).task = task;
        (*record).len = call.len;
        (*record).lost = call.lost;
        (*record).retransmits = call.place.retransmits;
        (*record).rests = call.rests;
        (*record).flags = flags.0;
        (*record).direction = call.direction;
        (*record).numbered = numbered;
    }
}

/// What is known after the copy.
#[inline(always)]
unsafe fn complete(record: *mut DataRecord, call: &Call, copied: Copied) {
    // SAFETY: the caller owns the record, and has the current task.
    unsafe {
        (*record).cgroup = stand_in::cgroup(call.task);
        if call.direction == SENT {
            (*record).task = runtime::awaited((*record).task, call.pid_tgid);
        }
        (*record).head_len = copied.head as u16;
        (*record).tail_len = copied.tail as u16;
        if copied.fault {
            (*record).flags |= DataFlags::FAULT.0;
        }
    }
}

#[inline(always)]
fn class_flags(class: Class) -> DataFlags {
    if class.readable() {
        return DataFlags::default();
    }
    match class {
        Class::IO_URING => DataFlags::IO_URING,
        Class::COMPAT => DataFlags::COMPAT,
        _ => DataFlags::FILLER,
    }
}

/// How many bytes of the call's beginning are worth copying.
#[inline(always)]
fn wanted(call: &Call, vectors: &Vectors) -> u32 {
    if call.policy == POLICY_HEADS && call.len > SMALL && !begins_message(copy::peek(vectors)) {
        return 0;
    }
    let limit = if call.policy == POLICY_FULL { MAX_HEAD } else { setting!(head_bytes) };
    if call.len < limit { call.len } else { limit }
}

/// Could a message begin so? Methods are upper-case letters; responses begin with `HTTP`.
#[inline(always)]
fn begins_message(bytes: [u8; 4]) -> bool {
    bytes[0].is_ascii_uppercase() && bytes[1].is_ascii_uppercase() && bytes[2].is_ascii_uppercase()
}
