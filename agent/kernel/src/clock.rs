//! The host's clocks. Kernel programs stamp with `CLOCK_MONOTONIC`, which stands still in suspend; events carry
//! `CLOCK_BOOTTIME`, which does not. The difference only changes at a suspend, so it is sampled, not counted.

use wirespan_proto::event::Nanos;

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours; the clocks exist on every Linux since 2.6.39, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Now, ns of `CLOCK_MONOTONIC`.
pub(crate) fn monotonic() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Now, on the clock of events.
pub(crate) fn boot() -> Nanos {
    Nanos(read(libc::CLOCK_BOOTTIME))
}

/// What to add to a stamp of the kernel programs.
pub(crate) fn boot_minus_monotonic() -> u64 {
    read(libc::CLOCK_BOOTTIME).saturating_sub(monotonic())
}
