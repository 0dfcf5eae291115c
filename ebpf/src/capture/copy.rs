//! Copies the first and the last bytes of a call out of the user's memory.
//!
//! The verifier follows every path; so what the loop carries is masked to the same range on each turn, and the list
//! of vectors stands in the ring (in the place of the record's fixed part, which is written last), where the verifier
//! does not follow single values.

use aya_ebpf::helpers::{bpf_probe_read_user, generated};
use wirespan_proto::abi::{DataRecord, Head, MAX_HEAD, MAX_IOVECS, TAIL};

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

/// Where the list of vectors stands in a record that is being made.
const SCRATCH: usize = 16;

const _: () = assert!(SCRATCH >= size_of::<Head>());
const _: () = assert!(SCRATCH + MAX_IOVECS * size_of::<Iovec>() <= size_of::<DataRecord>());

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
/// [`TAIL`] bytes from its end behind them where the beginning does not reach that far.
#[inline(always)]
pub(crate) unsafe fn copy(vectors: &Vectors, len: u32, want: u32, record: *mut u8) -> Copied {
    // SAFETY: the ring's slack has room for two heads and a tail behind any record's beginning.
    unsafe {
        let list = record.add(SCRATCH).cast::<Iovec>();
        let count = gather(vectors, len, list);
        let to = record.add(size_of::<DataRecord>());
        let mut copied = copy_beginning(list, want, to);
        if copied.head < len && !copied.fault && total(list) == u64::from(len) {
            copied.tail = copy_end(list, count, len, copied.head, to);
        }
        copied
    }
}

/// Writes the list of vectors, unused ones empty. Gives their number.
#[inline(always)]
unsafe fn gather(vectors: &Vectors, len: u32, list: *mut Iovec) -> u32 {
    // SAFETY: the list has `MAX_IOVECS` places; the helper checks the user's address.
    unsafe {
        for index in 0..MAX_IOVECS {
            core::ptr::write_volatile(list.add(index), Iovec::default());
        }
        if vectors.single {
            // What was moved of the buffer is its beginning.
            *list = Iovec { base: vectors.address, len: u64::from(len) };
            return 1;
        }
        let count = if vectors.count < MAX_IOVECS as u64 { vectors.count as u32 } else { MAX_IOVECS as u32 };
        let size = bound::<127>(count * size_of::<Iovec>() as u32);
        if size > (MAX_IOVECS * size_of::<Iovec>()) as u32 {
            return 0;
        }
        generated::bpf_probe_read_user(list.cast(), size, vectors.address as *const _);
        // With more vectors than are looked at the sum falls short, and no end is copied.
        count
    }
}

#[inline(always)]
unsafe fn total(list: *const Iovec) -> u64 {
    let mut total = 0;
    for index in 0..MAX_IOVECS {
        // SAFETY: a place of the list.
        total += unsafe { core::ptr::read_volatile(&raw const (*list.add(index)).len) };
    }
    total
}

#[inline(always)]
unsafe fn copy_beginning(list: *const Iovec, want: u32, to: *mut u8) -> Copied {
    let mut head = 0;
    for index in 0..MAX_IOVECS {
        // SAFETY: a place of the list; `to` has room for two heads; the helper checks the user's address.
        let failed = unsafe {
            let vector = core::ptr::read_volatile(list.add(index));
            let room = want - head;
            let count =
                bound::<HEAD_MASK>(if vector.len < u64::from(room) { vector.len as u32 } else { room });
            let at = bound::<HEAD_MASK>(head);
            head = at + count;
            generated::bpf_probe_read_user(to.add(at as usize).cast(), count, vector.base as *const _) != 0
        };
        if failed {
            return Copied { head: 0, tail: 0, fault: true };
        }
        if head >= want {
            break;
        }
    }
    Copied { head, tail: 0, fault: false }
}

/// The end of the last vector, not reaching back into what the head has.
#[inline(always)]
unsafe fn copy_end(list: *const Iovec, count: u32, len: u32, head: u32, to: *mut u8) -> u32 {
    let index = bound::<7>(count.wrapping_sub(1));
    if index >= MAX_IOVECS as u32 {
        return 0;
    }
    // SAFETY: a place of the list; `to` has room for two heads and a tail; the helper checks the user's address.
    unsafe {
        let last = core::ptr::read_volatile(list.add(index as usize));
        let missing = len - head;
        let mut size = if missing < TAIL { missing } else { TAIL };
        if last.len < u64::from(size) {
            size = last.len as u32;
        }
        let size = bound::<127>(size);
        let at = bound::<HEAD_MASK>(head);
        let from = last.base + last.len - u64::from(size);
        let failed = generated::bpf_probe_read_user(to.add(at as usize).cast(), size, from as *const _) != 0;
        if failed { 0 } else { size }
    }
}
