//! The kernel programs. Comes in: sockets' reads and writes, sockets' and processes' lives. Goes out: records of
//! `wirespan_proto::abi` in per-CPU rings. Refuses: parsing beyond "is this worth copying", blocking, losing a
//! record without counting it.
//!
//! `hooks/` holds one file per tracepoint family, `state/` what outlives a hook (settings, maps, per-socket
//! state), `capture/` what a hook does with bytes (registers, copies, rings).
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
mod capture;
#[cfg(target_arch = "bpf")]
mod hooks;
#[cfg(target_arch = "bpf")]
mod state;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// `bpf_probe_read_*`, `bpf_ringbuf_*` and the socket helpers are for GPL-compatible programs; this crate is
/// MIT OR Apache-2.0 and may be used under the GPL, which is what the kernel asks.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(target_arch = "bpf"))]
fn main() {}
