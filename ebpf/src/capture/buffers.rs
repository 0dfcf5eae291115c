//! Where the user's bytes are: the system call's arguments still stand in the registers that were saved when the
//! thread entered the kernel (`arch/x86/include/asm/ptrace.h`, `arch/arm64/include/asm/ptrace.h`; both layouts are
//! part of the user-space ABI).
//!
//! A call is classified by a table, not by branches: to the verifier the class is then one unknown number, and not
//! one more path for each system call.

use aya_ebpf::helpers::bpf_probe_read_user;
use wirespan_proto::abi::ARCH_X86_64;

use super::memory::Memory;
use crate::state::globals::setting;

/// How the arguments of a call describe its bytes: a shape in the low bits, then facts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    /// Not a call that moves user bytes through a socket.
    pub(crate) const UNKNOWN: Self = Self(0);
    /// A buffer: its address, its size.
    const BUFFER: u8 = 1;
    /// I/O vectors: their address, their number.
    const VECTORS: u8 = 2;
    /// The address of a `struct user_msghdr`.
    const MESSAGE: u8 = 3;
    /// `struct mmsghdr`s: their address, their number.
    const MESSAGES: u8 = 4;
    /// `sendfile`, `splice`: the bytes never were the user's.
    pub(crate) const FILLER: Self = Self(5 | Self::WRITES);
    /// `io_uring`, here or on one of its threads.
    pub(crate) const IO_URING: Self = Self(6);
    /// A 32-bit program.
    pub(crate) const COMPAT: Self = Self(7);

    const SHAPE: u8 = 7;
    const WRITES: u8 = 8;
    /// The third argument holds flags.
    const FLAGS_THIRD: u8 = 16;
    /// The fourth argument holds flags; of calls with a buffer, the fifth names the peer.
    const FLAGS_FOURTH: u8 = 32;

    /// Does the user's memory hold the bytes?
    pub(crate) fn readable(self) -> bool {
        self.0 & Self::SHAPE >= Self::BUFFER && self.0 & Self::SHAPE <= Self::MESSAGES
    }

    pub(crate) fn is_buffer(self) -> bool {
        self.0 & Self::SHAPE == Self::BUFFER
    }

    pub(crate) fn is_vectors(self) -> bool {
        self.0 & Self::SHAPE == Self::VECTORS
    }

    pub(crate) fn is_message(self) -> bool {
        self.0 & Self::SHAPE == Self::MESSAGE
    }

    pub(crate) fn is_messages(self) -> bool {
        self.0 & Self::SHAPE == Self::MESSAGES
    }

    /// Does the call write?
    pub(crate) fn writes(self) -> bool {
        self.0 & Self::WRITES != 0
    }
}

/// `include/uapi/asm-generic/errno.h`.
#[cfg(not(feature = "older"))]
const ENOSYS: i64 = 38;

/// Calls are looked up by the low bits of their number; no architecture has more of them.
const CALLS: usize = 512;

type Table = [u8; CALLS];

const fn table(entries: &[(usize, u8)]) -> Table {
    let mut table = [0; CALLS];
    let mut index = 0;
    while index < entries.len() {
        table[entries[index].0] = entries[index].1;
        index += 1;
    }
    table
}

const READ: u8 = Class::BUFFER;
const WRITE: u8 = Class::BUFFER | Class::WRITES;
const READV: u8 = Class::VECTORS;
const WRITEV: u8 = Class::VECTORS | Class::WRITES;
const RECVFROM: u8 = Class::BUFFER | Class::FLAGS_FOURTH;
const SENDTO: u8 = Class::BUFFER | Class::WRITES | Class::FLAGS_FOURTH;
const RECVMSG: u8 = Class::MESSAGE | Class::FLAGS_THIRD;
const SENDMSG: u8 = Class::MESSAGE | Class::WRITES | Class::FLAGS_THIRD;
const RECVMMSG: u8 = Class::MESSAGES | Class::FLAGS_FOURTH;
const SENDMMSG: u8 = Class::MESSAGES | Class::WRITES | Class::FLAGS_FOURTH;
const FILLER: u8 = Class::FILLER.0;
const IO_URING: u8 = Class::IO_URING.0;

/// `arch/x86/entry/syscalls/syscall_64.tbl`.
static X86_64: Table = table(&[
    (0, READ),
    (1, WRITE),
    (19, READV),
    (20, WRITEV),
    (40, FILLER),
    (44, SENDTO),
    (45, RECVFROM),
    (46, SENDMSG),
    (47, RECVMSG),
    (275, FILLER),
    (299, RECVMMSG),
    (307, SENDMMSG),
    (327, READV),
    (328, WRITEV),
    (425, IO_URING),
    (426, IO_URING),
]);

/// `include/uapi/asm-generic/unistd.h`. The registers of `io_uring`'s threads are all zero (`arch/arm64/kernel/process.c`,
/// `copy_thread`), and 0 is `io_setup`, in which no socket moves bytes.
static ARM64: Table = table(&[
    (0, IO_URING),
    (63, READ),
    (64, WRITE),
    (65, READV),
    (66, WRITEV),
    (71, FILLER),
    (76, FILLER),
    (206, SENDTO),
    (207, RECVFROM),
    (211, SENDMSG),
    (212, RECVMSG),
    (243, RECVMMSG),
    (269, SENDMMSG),
    (286, READV),
    (287, WRITEV),
    (425, IO_URING),
    (426, IO_URING),
]);

#[inline(always)]
fn look_up(table: &'static Table, number: u64) -> Class {
    let at = number as usize;
    if at >= CALLS {
        return Class::UNKNOWN;
    }
    // SAFETY: within the table; volatile, or the compiler would make branches of it again.
    Class(unsafe { core::ptr::read_volatile(table.as_ptr().add(at)) })
}

/// The arguments of the current system call, read as they are asked for.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) class: Class,
    pub(crate) fd: u32,
    /// The second argument: where buffer, vectors or message are.
    pub(crate) address: u64,
    /// The third: how large, how many.
    pub(crate) count: u64,
    registers: *const u8,
}

impl Arguments {
    /// Reads them from a `struct pt_regs`.
    #[inline(always)]
    pub(crate) unsafe fn read<M: Memory>(registers: *const u8) -> Self {
        // SAFETY: all offsets lie within the structure.
        unsafe {
            // x86-64: cs at 136 is the 32-bit code segment for 32-bit programs; orig_ax; di, si, dx.
            // arm64: pstate at 264, whose bit 4 says AArch32; syscallno; orig_x0 (x0 holds the result), x1, x2.
            let (compat, table, number, [a0, a1, a2]) = if setting!(arch) == ARCH_X86_64 {
                (
                    M::read::<u16>(registers, 136) == 0x23,
                    &X86_64,
                    M::read::<u64>(registers, 120),
                    [112, 104, 96],
                )
            } else {
                let number = u64::from(M::read::<u32>(registers, 280));
                (M::read::<u64>(registers, 264) & 0x10 != 0, &ARM64, number, [272, 8, 16])
            };
            Self {
                class: if compat { Class::COMPAT } else { look_up(table, number) },
                fd: M::read::<u64>(registers, a0) as u32,
                address: M::read(registers, a1),
                count: M::read(registers, a2),
                registers,
            }
        }
    }

    /// The arguments where the hook runs inside the call itself. Work that `io_uring` put off runs behind the end of
    /// whatever call its task makes next, and its threads make none: then the registers describe other bytes.
    #[cfg(not(feature = "older"))]
    #[inline(always)]
    pub(crate) unsafe fn read_inside<M: Memory>(registers: *const u8) -> Self {
        // SAFETY: ax, x0 and orig_x0 lie within the structure.
        unsafe {
            let mut arguments = Self::read::<M>(registers);
            let inside = if setting!(arch) == ARCH_X86_64 {
                // `arch/x86/entry/entry_64.S`: from a call's begin until its result is known, ax says so.
                M::read::<i64>(registers, 80) == -ENOSYS
            } else {
                // `arch/arm64/kernel/syscall.c`: until then x0 is what it was. A call whose result is its descriptor's
                // number is taken for one that has not ended.
                M::read::<u64>(registers, 0) == M::read::<u64>(registers, 272)
            };
            if !inside {
                arguments.class = Class::IO_URING;
            }
            arguments
        }
    }

    /// The bytes were found elsewhere than in the registers: `len` of them at `address`, or not (0).
    #[cfg(not(feature = "older"))]
    #[inline(always)]
    pub(crate) fn found(&mut self, address: u64, len: u32) {
        if address != 0 {
            (self.class, self.address, self.count) = (Class(Class::BUFFER), address, u64::from(len));
        }
    }

    /// The call's flags (`MSG_…`); 0 where it has none.
    #[inline(always)]
    pub(crate) unsafe fn flags<M: Memory>(&self) -> u32 {
        if self.class.0 & Class::FLAGS_THIRD != 0 {
            return self.count as u32;
        }
        if self.class.0 & Class::FLAGS_FOURTH == 0 {
            return 0;
        }
        // SAFETY: r10 and x3 lie within the structure.
        unsafe { M::read::<u64>(self.registers, if setting!(arch) == ARCH_X86_64 { 56 } else { 24 }) as u32 }
    }

    /// Where the user named the peer, or had it named (`struct sockaddr *`); 0 where not.
    #[inline(always)]
    pub(crate) unsafe fn name<M: Memory>(&self) -> u64 {
        // SAFETY: r8 and x4 lie within the structure; a helper checks the user's address.
        unsafe {
            if self.class.is_message() {
                return bpf_probe_read_user(self.address as *const u64).unwrap_or(0);
            }
            let named = self.class.is_buffer() && self.class.0 & Class::FLAGS_FOURTH != 0;
            let at = if setting!(arch) == ARCH_X86_64 { 72 } else { 32 };
            if named { M::read(self.registers, at) } else { 0 }
        }
    }

    /// One message of a call with several.
    #[inline(always)]
    pub(crate) fn message(&self, index: u32) -> Self {
        Self { class: Class(Class::MESSAGE), address: self.address + u64::from(index) * MMSGHDR, ..*self }
    }
}

/// Size of `struct mmsghdr`, `include/linux/socket.h`: a `user_msghdr` of 56 bytes, the length, padding.
pub(crate) const MMSGHDR: u64 = 64;
/// Offset of the length in it.
pub(crate) const MMSGHDR_LEN: u64 = 56;
