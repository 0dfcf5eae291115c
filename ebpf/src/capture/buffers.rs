//! Where the user's bytes are: the system call's arguments still stand in the registers that were saved when the
//! thread entered the kernel (`arch/x86/include/asm/ptrace.h`, `arch/arm64/include/asm/ptrace.h`; both layouts are
//! part of the user-space ABI).

use wirespan_proto::abi::ARCH_X86_64;

use super::memory::Memory;
use crate::state::globals::setting;

/// How the arguments describe the buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not a call that moves user bytes through a socket: lengths only.
    Unknown,
    /// `sendfile`, `splice` and their like: the bytes never were the user's.
    Filler,
    /// Done by `io_uring`, here or on one of its threads.
    IoUring,
    /// A 32-bit program.
    Compat,
    /// `address`, `count` bytes.
    Buffer,
    /// `count` I/O vectors at `address`.
    Vectors,
    /// A `struct user_msghdr` at `address`.
    Message,
    /// `count` `struct mmsghdr` at `address`.
    Messages,
}

/// The arguments of the current system call, as far as they describe its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) shape: Shape,
    pub(crate) address: u64,
    pub(crate) count: u64,
    /// The call's flags argument (`MSG_…`); 0 where it has none.
    pub(crate) flags: u32,
    /// The file descriptor.
    pub(crate) fd: u32,
    /// Does the call write?
    pub(crate) writes: bool,
}

/// One saved register.
#[inline(always)]
unsafe fn register<M: Memory>(registers: *const u8, offset: usize) -> u64 {
    // SAFETY: `registers` is a `struct pt_regs`; the offsets below lie within it.
    unsafe { M::read(registers, offset) }
}

/// Reads the arguments from the saved registers.
#[inline(always)]
pub(crate) unsafe fn arguments<M: Memory>(registers: *const u8) -> Arguments {
    // SAFETY: forwarded.
    unsafe {
        if setting!(arch) == ARCH_X86_64 {
            // orig_ax at 120, cs at 136; arguments in di, si, dx, r10.
            let compat = M::read::<u16>(registers, 136) == 0x23;
            let number = register::<M>(registers, 120);
            let shape = if compat { (Shape::Compat, false) } else { x86_64(number) };
            shaped(
                shape,
                register::<M>(registers, 112),
                register::<M>(registers, 104),
                register::<M>(registers, 96),
                register::<M>(registers, 56),
            )
        } else {
            // x0 holds the result at exit, orig_x0 (272) the first argument; syscallno at 280; pstate at 264,
            // whose bit 4 says AArch32.
            let compat = register::<M>(registers, 264) & 0x10 != 0;
            let number = u64::from(M::read::<u32>(registers, 280));
            let shape = if compat { (Shape::Compat, false) } else { arm64(number) };
            shaped(
                shape,
                register::<M>(registers, 272),
                register::<M>(registers, 8),
                register::<M>(registers, 16),
                register::<M>(registers, 24),
            )
        }
    }
}

#[inline(always)]
fn shaped(shape: (Shape, bool), a0: u64, a1: u64, a2: u64, a3: u64) -> Arguments {
    let (shape, writes) = shape;
    let flags = match shape {
        Shape::Buffer | Shape::Messages => a3,
        Shape::Message => a2,
        _ => 0,
    };
    Arguments { shape, address: a1, count: a2, flags: flags as u32, fd: a0 as u32, writes }
}

/// `arch/x86/entry/syscalls/syscall_64.tbl`. `read` and `write` have no fourth argument: what stands there is not
/// used by callers of this shape but [`Arguments::flags`], which is only looked at for `recv*`.
#[inline(always)]
fn x86_64(number: u64) -> (Shape, bool) {
    match number {
        0 => (Shape::Buffer, false),
        1 => (Shape::Buffer, true),
        19 | 327 => (Shape::Vectors, false),
        20 | 328 => (Shape::Vectors, true),
        44 => (Shape::Buffer, true),
        45 => (Shape::Buffer, false),
        46 => (Shape::Message, true),
        47 => (Shape::Message, false),
        307 => (Shape::Messages, true),
        299 => (Shape::Messages, false),
        40 | 275 => (Shape::Filler, true),
        425 | 426 => (Shape::IoUring, false),
        _ => (Shape::Unknown, false),
    }
}

/// `include/uapi/asm-generic/unistd.h`.
#[inline(always)]
fn arm64(number: u64) -> (Shape, bool) {
    match number {
        63 => (Shape::Buffer, false),
        64 => (Shape::Buffer, true),
        65 | 286 => (Shape::Vectors, false),
        66 | 287 => (Shape::Vectors, true),
        206 => (Shape::Buffer, true),
        207 => (Shape::Buffer, false),
        211 => (Shape::Message, true),
        212 => (Shape::Message, false),
        269 => (Shape::Messages, true),
        243 => (Shape::Messages, false),
        71 | 76 => (Shape::Filler, true),
        425 | 426 => (Shape::IoUring, false),
        _ => (Shape::Unknown, false),
    }
}

/// Is this call `read` or `write`, which have no flags?
#[inline(always)]
pub(crate) unsafe fn flagless<M: Memory>(registers: *const u8) -> bool {
    // SAFETY: as in `arguments`.
    unsafe {
        if setting!(arch) == ARCH_X86_64 {
            register::<M>(registers, 120) <= 1
        } else {
            matches!(M::read::<u32>(registers, 280), 63 | 64)
        }
    }
}
