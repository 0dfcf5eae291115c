//! Copies the first and the last bytes of a call out of the user's memory.
//!
//! The verifier follows every path; so what the loop carries goes through the ring's memory on each turn, where the
//! verifier does not follow single values, and is masked to the same range.

use core::mem::offset_of;

use aya_ebpf::helpers::{bpf_probe_read_user, generated};
use wirespan_proto::abi::{DataRecord, MAX_HEAD, MAX_IOVECS, TAIL};

use super::{
    atomic::bound,
    buffers::{Arguments, MMSGHDR_LEN},
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

/// Where a record that is being made has room for a number: this field is written last.
pub(crate) const SCRATCH: usize = offset_of!(DataRecord, cgroup);

/// What was copied.
#[derive(Clone, Copy, Default)]
pub(crate) struct Copied {
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) fault: bool,
}

/// Where the user's memory of one message is described.
#[derive(Clone, Copy)]
pub(crate) struct Vectors {
    /// The list, or the buffer itself.
    address: u64,
    /// Number of vectors, or the buffer's size.
    count: u64,
    /// A buffer and no list.
    single: bool,
}

/// Finds the user's memory of the message that the current call just moved; `len` is its length.
#[inline(always)]
pub(crate) fn locate(arguments: &Arguments, len: u32, thread: u32) -> Vectors {
    let Arguments { class, address, count, .. } = *arguments;
    if class.is_buffer() || class.is_vectors() {
        return Vectors { address, count, single: class.is_buffer() };
    }
    let message =
        if class.is_messages() { arguments.message(progress(arguments, len, thread)) } else { *arguments };
    // `struct user_msghdr`: the vectors' address at 16, their number at 24.
    // SAFETY: the helper checks the address.
    let [address, count]: [u64; 2] =
        unsafe { bpf_probe_read_user((message.address + 16) as *const _) }.unwrap_or_default();
    Vectors { address, count, single: false }
}

/// Which message of a `sendmmsg` or `recvmmsg` this is. The hook fires once for each of them and nothing tells
/// which: they are counted per thread, and the count is checked against the length that the kernel has written
/// behind the message before.
#[inline(always)]
fn progress(arguments: &Arguments, len: u32, thread: u32) -> u32 {
    // SAFETY: only this thread uses its entry.
    let index = match unsafe { PROGRESS.get(thread) } {
        Some(last) if last.vector == arguments.address && u64::from(last.index) < arguments.count => {
            let before = arguments.message(last.index - 1).address + MMSGHDR_LEN;
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
#[cfg(not(feature = "older"))]
#[inline(always)]
pub(crate) fn forget(thread: u32) {
    let _ = PROGRESS.remove(thread);
}

/// The first four bytes of the message; zero where it is shorter or cannot be read.
#[inline(always)]
pub(crate) fn peek(vectors: &Vectors) -> [u8; 4] {
    // SAFETY: the helper checks the addresses.
    unsafe {
        let mut first = Iovec { base: vectors.address, len: vectors.count };
        if !vectors.single {
            first = bpf_probe_read_user(vectors.address as *const _).unwrap_or_default();
        }
        if first.len < 4 {
            return [0; 4];
        }
        bpf_probe_read_user(first.base as *const _).unwrap_or_default()
    }
}

/// Copies up to `want` bytes from the beginning of a message of `len` bytes behind the record's fixed part, and up to
/// [`TAIL`] bytes from its end behind them where the beginning does not reach that far. `PAIR`: the first two of several vectors are read
/// at once, which the verifiers of Linux 5.10 and 6.1 do not accept.
#[inline(always)]
pub(crate) unsafe fn copy<const PAIR: bool>(
    vectors: &Vectors,
    len: u32,
    want: u32,
    record: *mut u8,
) -> Copied {
    // SAFETY: the ring's slack has room for two heads and a tail behind any record's beginning.
    unsafe {
        let to = record.add(size_of::<DataRecord>());
        let scratch = record.add(SCRATCH).cast();
        let want = opaque(scratch, u64::from(want)) as u32;
        let Some(mut walk) = walk::<PAIR>(vectors, len, want, scratch, to) else {
            return Copied { head: 0, tail: 0, fault: true };
        };
        // Had the call moved less than the vectors describe, nobody would know where in them the message ends.
        // A record of a message that is wanted whole has no room for an end.
        if want < len && walk.copied.head < len && walk.whole && walk.total == u64::from(len) {
            walk.copied.tail = copy_end(walk.last, len, walk.copied.head, to);
        }
        walk.copied
    }
}

impl Vectors {
    /// The first two of several; the outer `None` where they cannot be read.
    #[inline(always)]
    fn pair(&self) -> Option<Option<[Iovec; 2]>> {
        if self.single || self.count < 2 {
            return Some(None);
        }
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_user(self.address as *const [Iovec; 2]) }.ok().map(Some)
    }

    /// The vector at `index`, of a message of `len` bytes; `None` where it cannot be read.
    #[inline(always)]
    fn at(&self, index: u32, len: u32) -> Option<Iovec> {
        if self.single {
            // What was moved of the buffer is its beginning.
            return Some(Iovec { base: self.address, len: u64::from(len) });
        }
        let address = self.address + u64::from(index) * size_of::<Iovec>() as u64;
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_user(address as *const Iovec) }.ok()
    }
}

/// What going through the vectors gave.
#[derive(Default)]
struct Walk {
    copied: Copied,
    /// The vector seen last.
    last: Iovec,
    /// Their lengths.
    total: u64,
    /// Were they all seen?
    whole: bool,
}

/// Goes through the vectors until the message is copied whole. `None`: memory that cannot be read.
#[inline(always)]
unsafe fn walk<const PAIR: bool>(
    vectors: &Vectors,
    len: u32,
    want: u32,
    scratch: *mut u64,
    to: *mut u8,
) -> Option<Walk> {
    let mut walk = Walk::default();
    let pair = if PAIR { vectors.pair()? } else { None };
    for index in 0..MAX_IOVECS {
        // SAFETY: the scratch is ours; `to` has room for two heads; the helper checks the user's address.
        unsafe {
            let vector = match (pair, index) {
                (Some([first, _]), 0) => first,
                (Some([_, second]), 1) => second,
                _ => vectors.at(index, len)?,
            };
            let room = opaque(scratch, u64::from(want - walk.copied.head));
            let size = bound::<HEAD_MASK>(opaque(scratch, room.min(vector.len)) as u32);
            let at = bound::<HEAD_MASK>(opaque(scratch, u64::from(walk.copied.head)) as u32);
            if generated::bpf_probe_read_user(to.add(at as usize).cast(), size, vector.base as *const _) != 0
            {
                return None;
            }
            walk.copied.head = at + size;
            walk.total += vector.len;
            walk.last = vector;
        }
        if vectors.single || u64::from(index) + 1 >= vectors.count {
            walk.whole = true;
            break;
        }
        if walk.copied.head >= len {
            break;
        }
    }
    Some(walk)
}

/// The same value, of which the verifier then knows nothing.
#[inline(always)]
unsafe fn opaque(scratch: *mut u64, value: u64) -> u64 {
    // SAFETY: the caller's memory.
    unsafe {
        core::ptr::write_volatile(scratch, value);
        core::ptr::read_volatile(scratch)
    }
}

/// The end of the last vector, not reaching back into what the head has.
#[inline(always)]
unsafe fn copy_end(last: Iovec, len: u32, head: u32, to: *mut u8) -> u32 {
    let missing = len - head;
    let mut size = if missing < TAIL { missing } else { TAIL };
    if last.len < u64::from(size) {
        size = last.len as u32;
    }
    let size = bound::<127>(size);
    let at = bound::<HEAD_MASK>(head);
    let from = last.base + last.len - u64::from(size);
    // SAFETY: `to` has room for two heads and a tail; the helper checks the user's address.
    let failed =
        unsafe { generated::bpf_probe_read_user(to.add(at as usize).cast(), size, from as *const _) != 0 };
    if failed { 0 } else { size }
}
