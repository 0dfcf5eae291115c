//! Puts one data record together: the same for every plan, once the plan has found socket, offset and buffer.

use aya_ebpf::helpers::generated::bpf_get_current_cgroup_id;
use wirespan_proto::{
    abi::{DataRecord, KIND_DATA, POLICY_FULL, POLICY_HEADS, SocketRecord, TAIL},
    event::DataFlags,
};

use super::{
    buffers::{Arguments, Shape},
    copy::{self, Copied},
    ring,
};
use crate::state::globals::setting;

/// Calls of at most this many bytes are copied whatever they look like: continued heads, sizes of chunks.
const SMALL: u32 = 512;

/// What the plan found out about one call.
pub(crate) struct Call {
    pub(crate) time: u64,
    pub(crate) pid_tgid: u64,
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) direction: u8,
    pub(crate) flags: DataFlags,
    pub(crate) policy: u8,
    pub(crate) lost: u32,
    pub(crate) retransmits: u32,
}

/// Emits the record; `describe` writes the socket. False: the ring was full.
#[inline(always)]
pub(crate) fn emit(call: &Call, arguments: &Arguments, describe: impl FnOnce(*mut SocketRecord)) -> bool {
    let mut vectors = copy::vectors();
    let mut flags = call.flags.with(shape_flags(arguments.shape));
    let readable = call.len > 0
        && flags.0 & (DataFlags::FILLER.0 | DataFlags::IO_URING.0 | DataFlags::COMPAT.0) == 0
        && copy::locate(arguments, call.len, call.pid_tgid as u32, &mut vectors);
    let want = if readable { wanted(call, &vectors) } else { 0 };
    let room = if readable { want + TAIL } else { 0 };
    let Some(reserved) = ring::reserve(size_of::<DataRecord>() as u32 + room, call.len) else {
        return false;
    };
    let record = reserved.record().cast::<DataRecord>();
    let mut copied = Copied::default();
    if readable {
        // SAFETY: the ring's slack has room for two heads and a tail behind any record's beginning.
        copied = unsafe { copy::copy(&vectors, call.len, want, reserved.record().add(size_of::<DataRecord>())) };
    }
    if copied.fault {
        flags = flags.with(DataFlags::FAULT);
        ring::count(|control| unsafe {
            // SAFETY: a field of the control block.
            &raw mut (*control).faults
        });
    } else if readable && want == 0 {
        flags = flags.with(DataFlags::POLICY);
    }
    // SAFETY: the record is ours until committed.
    unsafe {
        describe(&raw mut (*record).socket);
        (*record).time = call.time;
        (*record).offset = call.offset;
        (*record).pid_tgid = call.pid_tgid;
        (*record).task = u64::from(call.pid_tgid as u32);
        (*record).cgroup = bpf_get_current_cgroup_id();
        (*record).len = call.len;
        (*record).lost = call.lost;
        (*record).retransmits = call.retransmits;
        (*record).waited_ns = 0;
        (*record).flags = flags.0;
        (*record).head_len = copied.head as u16;
        (*record).tail_len = copied.tail as u16;
        (*record).direction = call.direction;
        (*record).reserved = 0;
    }
    reserved.commit(KIND_DATA);
    true
}

#[inline(always)]
fn shape_flags(shape: Shape) -> DataFlags {
    match shape {
        Shape::Filler | Shape::Unknown => DataFlags::FILLER,
        Shape::IoUring => DataFlags::IO_URING,
        Shape::Compat => DataFlags::COMPAT,
        _ => DataFlags::default(),
    }
}

/// How many bytes of the call's beginning are worth copying.
#[inline(always)]
fn wanted(call: &Call, vectors: &copy::Vectors) -> u32 {
    let limit = if call.policy == POLICY_FULL {
        wirespan_proto::abi::MAX_HEAD
    } else {
        setting!(head_bytes)
    };
    let want = if call.len < limit { call.len } else { limit };
    if call.policy == POLICY_HEADS && call.len > SMALL && !begins_message(copy::peek(vectors)) {
        return 0;
    }
    want
}

/// Could a message begin so? Methods are upper-case letters; responses begin with `HTTP`.
#[inline(always)]
fn begins_message(bytes: [u8; 4]) -> bool {
    bytes[0].is_ascii_uppercase() && bytes[1].is_ascii_uppercase() && bytes[2].is_ascii_uppercase()
}
