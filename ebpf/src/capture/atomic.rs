//! The four atomic operations that the rings need, as instructions: `core` offers none for this target
//! (`atomic_cas` is off), although the instruction set has them since Linux 5.12.
//! `Documentation/bpf/standardization/instruction-set.rst`, section "Atomic operations".

use core::arch::asm;

/// Exchanges `*at` with `new` if it holds `expected`; gives what it held. Full barrier.
#[cfg(not(feature = "older"))]
#[inline(always)]
pub(crate) unsafe fn compare_exchange(at: *mut u64, expected: u64, new: u64) -> u64 {
    let held;
    // SAFETY: the caller gives an aligned pointer into a map value.
    unsafe {
        asm!("r0 = cmpxchg_64({at} + 0, r0, {new})", at = in(reg) at, new = in(reg) new,
             inlateout("r0") expected => held);
    }
    held
}

/// Exchanges `*at` with `new`; gives what it held. Full barrier.
#[cfg(not(feature = "older"))]
#[inline(always)]
pub(crate) unsafe fn exchange(at: *mut u64, new: u64) -> u64 {
    let mut value = new;
    // SAFETY: as above.
    unsafe {
        asm!("{value} = xchg_64({at} + 0, {value})", at = in(reg) at, value = inout(reg) value);
    }
    value
}

/// Adds to a counter. No order.
#[inline(always)]
pub(crate) unsafe fn add(at: *mut u64, count: u64) {
    // SAFETY: as above.
    unsafe {
        asm!("lock *(u64 *)({at} + 0) += {count}", at = in(reg) at, count = in(reg) count);
    }
}

/// Keeps the compiler from moving stores across. The processor's order is the caller's concern.
#[cfg(not(feature = "older"))]
#[inline(always)]
pub(crate) fn compiler_fence() {
    // SAFETY: no instruction at all.
    unsafe { asm!("") }
}

/// `value & MASK`, in a way the compiler cannot drop where it knows the bound and the verifier does not.
#[inline(always)]
pub(crate) fn bound<const MASK: u32>(value: u32) -> u32 {
    let mut value = u64::from(value);
    // SAFETY: pure arithmetic on a register.
    unsafe {
        asm!("{value} &= {mask}", value = inout(reg) value, mask = const MASK, options(pure, nomem));
    }
    value as u32
}
