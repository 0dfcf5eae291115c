//! Two ways to read kernel memory. Where the hook hands over a typed pointer, a plain load does: the verifier
//! checks it against the kernel's own types and a fault reads as zero. Where a pointer came out of memory, it takes
//! a helper call.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// How to read a field of `T` at `base + offset`.
pub(crate) trait Memory {
    /// Reads it; zero where it cannot be read.
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T;
}

/// Loads through pointers the verifier knows.
pub(crate) struct Typed;

impl Memory for Typed {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        // SAFETY: the verifier proves the access, or refuses the program.
        unsafe { core::ptr::read_volatile(base.add(offset).cast()) }
    }
}

/// Reads through a helper, from any address.
pub(crate) struct Probed;

impl Memory for Probed {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset).cast()) }.unwrap_or_default()
    }
}
