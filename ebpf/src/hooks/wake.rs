//! `sched:sched_waking (struct task_struct *p)`, `kernel/sched/core.c`; the same since Linux 4.3; read from 6.18. A BTF
//! tracepoint: the task that is woken is typed.
//!
//! Attached only once a process was seen that hands work from thread to thread. Whoever hands work over wakes the other at
//! a futex, and both have its address as the first argument of the system call that they are in: what the other waits
//! for is nothing else, and no interrupt looks like it.

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_current_task_btf, bpf_ktime_get_ns, bpf_task_pt_regs},
    },
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use wirespan_proto::abi::{ARCH_X86_64, KIND_WAKE, WakeRecord};

use crate::{
    capture::{
        memory::{Memory, Typed},
        ring, runtime, stand_in,
    },
    state::{
        filter,
        globals::{offset, setting},
    },
};

/// Numbers of `futex`, `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h`.
const FUTEX_X86_64: u64 = 202;
const FUTEX_ARM64: u32 = 98;

/// A task is about to be woken.
#[btf_tracepoint(function = "sched_waking")]
pub(crate) fn ws_wake(ctx: BtfTracePointContext) -> i32 {
    let woken: *const u8 = ctx.arg(0);
    let pid_tgid = bpf_get_current_pid_tgid();
    let pid = (pid_tgid >> 32) as u32;
    // SAFETY: the tracepoint hands over a task in use.
    unsafe {
        let theirs: u32 = Typed::read(woken, offset!(task_tgid));
        if theirs == pid && filter::wakes(pid) {
            handed(woken, pid_tgid);
        }
    }
    0
}

/// Tells of it where both are at the same futex.
#[inline(always)]
unsafe fn handed(woken: *const u8, pid_tgid: u64) {
    // SAFETY: typed tasks; the record is ours until committed.
    unsafe {
        let address = futex(bpf_task_pt_regs(bpf_get_current_task_btf()) as *const u8);
        if address == 0 || address != futex(bpf_task_pt_regs(woken.cast_mut().cast()) as *const u8) {
            return;
        }
        let Some(reserved) = ring::reserve(size_of::<WakeRecord>() as u32, 0) else { return };
        let record = reserved.record().cast::<WakeRecord>();
        (*record).time = bpf_ktime_get_ns();
        (*record).pid_tgid = pid_tgid;
        (*record).task = runtime::task(pid_tgid);
        (*record).address = address;
        (*record).rests = Typed::read::<u64>(stand_in::task(), offset!(task_nvcsw)) as u32;
        (*record).tid = Typed::read(woken, offset!(task_pid));
        reserved.commit(KIND_WAKE);
    }
}

/// The futex that a task's system call is about; 0 where it is in no such call.
#[inline(always)]
unsafe fn futex(registers: *const u8) -> u64 {
    // SAFETY: typed registers, `struct pt_regs`. x86-64: orig_ax at 120, di at 112. arm64: syscallno at 280, orig_x0 at 272.
    unsafe {
        if setting!(arch) == ARCH_X86_64 {
            if Typed::read::<u64>(registers, 120) == FUTEX_X86_64 { Typed::read(registers, 112) } else { 0 }
        } else if Typed::read::<u32>(registers, 280) == FUTEX_ARM64 {
            Typed::read(registers, 272)
        } else {
            0
        }
    }
}
