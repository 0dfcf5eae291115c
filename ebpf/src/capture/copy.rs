//! Copies the first and the last bytes of a call out of the user's memory.

use aya_ebpf::helpers::{bpf_probe_read_user, generated};
use wirespan_proto::abi::{MAX_HEAD, MAX_IOVECS, TAIL};

use super::{
    atomic::bound,
    buffers::{Arguments, Shape},
};
use crate::state::maps::{PROGRESS, Progress};

/// Covers `MAX_HEAD`; the ring's slack is larger than two of these.
const HEAD_MASK: u32 = 2 * MAX_HEAD - 1;

/// `struct iovec`, `include/uapi/linux/uio.h`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Iovec {
    base: u64,
    len: u64,
}

/// The user's memory of one message: one buffer is one vector.
pub(crate) struct Vectors {
    /// Unused ones are empty.
    list: [Iovec; MAX_IOVECS],
}

/// What was copied.
#[derive(Clone, Copy, Default)]
pub(crate) struct Copied {
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) fault: bool,
}

/// Finds the user's memory of the message that the current call just moved; `len` is its length.
#[inline(always)]
pub(crate) fn locate(arguments: &Arguments, len: u32, thread: u32, into: &mut Vectors) -> bool {
    let (address, count) = match arguments.shape {
        Shape::Buffer => {
            into.list[0] = Iovec { base: arguments.address, len: arguments.count };
            return true;
        }
        Shape::Vectors => (arguments.address, arguments.count),
        Shape::Message => message(arguments.address),
        Shape::Messages => {
            let index = progress(arguments, len, thread);
            // `struct mmsghdr`: a `user_msghdr` of 56 bytes, the length, padding.
            message(arguments.address + u64::from(index) * 64)
        }
        _ => return false,
    };
    gather(address, count, into)
}

/// `struct user_msghdr`, `include/linux/socket.h`: the vectors' address at 16, their number at 24.
#[inline(always)]
fn message(address: u64) -> (u64, u64) {
    // SAFETY: the helper checks the address.
    let parts: [u64; 2] = unsafe { bpf_probe_read_user((address + 16) as *const _) }.unwrap_or_default();
    (parts[0], parts[1])
}

#[inline(always)]
fn gather(address: u64, count: u64, into: &mut Vectors) -> bool {
    let count = if count < MAX_IOVECS as u64 { count as u32 } else { MAX_IOVECS as u32 };
    let size = bound::<0xff>(count * size_of::<Iovec>() as u32);
    if size == 0 || size > size_of::<Vectors>() as u32 {
        return false;
    }
    // SAFETY: `size` fits the list; the helper checks the user's address.
    unsafe {
        generated::bpf_probe_read_user((&raw mut into.list).cast(), size, address as *const _) == 0
    }
}

/// Which message of a `sendmmsg` or `recvmmsg` this is. The hook fires once for each of them and nothing tells
/// which: they are counted per thread, and the count is checked against the length that the kernel has written
/// behind the message before.
#[inline(always)]
fn progress(arguments: &Arguments, len: u32, thread: u32) -> u32 {
    // SAFETY: only this thread uses its entry.
    let index = match unsafe { PROGRESS.get(thread) } {
        Some(last) if last.vector == arguments.address && u64::from(last.index) < arguments.count => {
            let before = arguments.address + u64::from(last.index - 1) * 64 + 56;
            // SAFETY: the helper checks the address.
            let written: u32 = unsafe { bpf_probe_read_user(before as *const _) }.unwrap_or(u32::MAX);
            if written == last.last { last.index } else { 0 }
        }
        _ => 0,
    };
    let next = Progress { vector: arguments.address, index: index + 1, last: len };
    // The map makes room by dropping the least recently used; failing that, memory is out and capture is lossy
    // anyway.
    let _ = PROGRESS.insert(thread, next, 0);
    index
}

/// The current call of this thread ended without a message: whatever it counted is over.
#[inline(always)]
pub(crate) fn forget(thread: u32) {
    let _ = PROGRESS.remove(thread);
}

/// An empty list.
#[inline(always)]
pub(crate) fn vectors() -> Vectors {
    Vectors { list: [Iovec { base: 0, len: 0 }; MAX_IOVECS] }
}

/// The first four bytes of the message; zero where it is shorter or cannot be read.
#[inline(always)]
pub(crate) fn peek(vectors: &Vectors) -> [u8; 4] {
    let first = vectors.list[0];
    if first.len < 4 {
        return [0; 4];
    }
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(first.base as *const _) }.unwrap_or_default()
}

/// Copies up to `want` bytes from the beginning of a message of `len` bytes to `to`, and up to [`TAIL`] bytes from
/// its end behind them where the beginning does not reach that far.
#[inline(always)]
pub(crate) unsafe fn copy(vectors: &Vectors, len: u32, want: u32, to: *mut u8) -> Copied {
    let mut copied = Copied::default();
    // Where the message ends: within which vector, and how far.
    let mut rest = len;
    let mut last = Iovec::default();
    for vector in &vectors.list {
        if rest == 0 {
            break;
        }
        let here = if vector.len < u64::from(rest) { vector.len as u32 } else { rest };
        rest -= here;
        last = Iovec { base: vector.base, len: u64::from(here) };
        if !copied.fault && copied.head < want {
            let room = want - copied.head;
            let count = bound::<HEAD_MASK>(if here < room { here } else { room });
            let at = bound::<HEAD_MASK>(copied.head);
            // SAFETY: `to` has room for two heads; the helper checks the user's address.
            let failed = count > 0
                && unsafe {
                    generated::bpf_probe_read_user(to.add(at as usize).cast(), count, vector.base as *const _)
                } != 0;
            copied.fault = failed;
            if !failed {
                copied.head += count;
            }
        }
    }
    if rest == 0 && copied.head < len && !copied.fault {
        // SAFETY: as above.
        copied.tail = unsafe { copy_end(last, len - copied.head, copied.head, to) };
    }
    copied
}

/// The end of the last vector, not reaching back into what the head has.
#[inline(always)]
unsafe fn copy_end(last: Iovec, missing: u32, head: u32, to: *mut u8) -> u32 {
    let mut count = TAIL;
    if missing < count {
        count = missing;
    }
    if last.len < u64::from(count) {
        count = last.len as u32;
    }
    let count = bound::<127>(count);
    let at = bound::<HEAD_MASK>(head);
    let from = last.base + last.len - u64::from(count);
    // SAFETY: `to` has room for two heads and a tail; the helper checks the user's address.
    let failed = count == 0
        || unsafe { generated::bpf_probe_read_user(to.add(at as usize).cast(), count, from as *const _) } != 0;
    if failed { 0 } else { count }
}
