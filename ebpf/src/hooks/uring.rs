//! `io_uring:io_uring_submit_req`: `(struct io_kiocb *req)`, before a request is tried for the first time (Linux 6.4);
//! `io_uring:io_uring_poll_arm`: `(struct io_kiocb *req, int mask, int events)`, when it has to wait. Read from 6.18.
//!
//! Programs that do not use `io_uring` never come here. What is remembered is for `sock.rs`.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    capture::{
        memory::{Memory, Probed, Typed},
        uring,
    },
    state::{filter, globals::offset},
};

/// A request is about to be tried.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub(crate) fn ws_uring_submit(ctx: BtfTracePointContext) -> i32 {
    let request: *const u8 = ctx.arg(0);
    // SAFETY: the tracepoint hands over a request in use.
    let kind = unsafe { uring::kind(Typed::read(request, offset!(req_opcode))) };
    if kind != 0
        && let Some(pid_tgid) = filter::current()
    {
        uring::tried(pid_tgid as u32, request);
    }
    0
}

/// A request waits for its file.
#[btf_tracepoint(function = "io_uring_poll_arm")]
pub(crate) fn ws_uring_arm(ctx: BtfTracePointContext) -> i32 {
    let request: *const u8 = ctx.arg(0);
    // SAFETY: as above.
    unsafe {
        let kind = uring::kind(Typed::read(request, offset!(req_opcode)));
        if kind != 0 && filter::current().is_some() {
            uring::armed(Probed::read(request, offset!(req_file)), kind, request);
        }
    }
    0
}
