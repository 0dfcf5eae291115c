//! `sched:sched_process_exec (struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`,
//! `sched:sched_process_fork (struct task_struct *parent, struct task_struct *child)`,
//! `sched:sched_process_exit (struct task_struct *p, …)`: `fs/exec.c`, `kernel/fork.c`, `kernel/exit.c`; the same
//! since Linux 3.4; read from 6.18. BTF tracepoints, because the arguments are typed and need no helper calls.

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_current_cgroup_id, bpf_ktime_get_ns, bpf_probe_read_user},
    },
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use wirespan_proto::abi::{
    ExecRecord, FILTER_ONLY, KIND_BIRTH, KIND_DEATH, KIND_EXEC, KIND_EXIT, KIND_FORK, MAX_EXEC,
    ProcessRecord, ThreadRecord,
};

use crate::{
    capture::{
        atomic::bound,
        memory::{Memory, Typed},
        ring, runtime,
    },
    state::{
        filter,
        globals::{offset, setting},
    },
};

/// Most bytes of each of the two: half of the record.
const HALF: u32 = MAX_EXEC / 2;

/// A program started.
#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn ws_exec(ctx: BtfTracePointContext) -> i32 {
    let task: *const u8 = ctx.arg(0);
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    runtime::forget(pid);
    if setting!(filter) != FILTER_ONLY || filter::wanted(pid) {
        // SAFETY: the tracepoint hands over the current task.
        unsafe { exec(task, pid) }
    }
    0
}

#[inline(always)]
unsafe fn exec(task: *const u8, pid: u32) {
    // SAFETY: typed pointers, checked by the verifier; user memory is read through the helper.
    unsafe {
        let mm: usize = Typed::read(task, offset!(task_mm));
        if mm == 0 {
            return;
        }
        let mm = mm as *const u8;
        let (args, args_len) =
            area(Typed::read(mm, offset!(mm_arg_start)), Typed::read(mm, offset!(mm_arg_end)));
        let (env, env_len) =
            area(Typed::read(mm, offset!(mm_env_start)), Typed::read(mm, offset!(mm_env_end)));
        let size = size_of::<ExecRecord>() as u32 + args_len + env_len;
        let Some(reserved) = ring::reserve(size, 0) else { return };
        let at = reserved.record().add(size_of::<ExecRecord>());
        let args_len = read_user(at, args, args_len);
        let env_len = read_user(at.add(bound::<{ 2 * HALF - 1 }>(args_len) as usize), env, env_len);
        let parent: usize = Typed::read(task, offset!(task_real_parent));
        let record = reserved.record().cast::<ExecRecord>();
        (*record).time = bpf_ktime_get_ns();
        (*record).cgroup = bpf_get_current_cgroup_id();
        (*record).pid = pid;
        (*record).parent = Typed::read(parent as *const u8, offset!(task_tgid));
        (*record).args_len = args_len;
        (*record).env_len = env_len;
        reserved.commit(KIND_EXEC);
    }
}

#[inline(always)]
fn area(start: u64, end: u64) -> (u64, u32) {
    let len = end.wrapping_sub(start);
    (start, if len < u64::from(HALF) { len as u32 } else { HALF })
}

/// Copies; gives how much.
#[inline(always)]
unsafe fn read_user(to: *mut u8, from: u64, len: u32) -> u32 {
    let len = bound::<{ 2 * HALF - 1 }>(len);
    // SAFETY: the ring's slack is larger than the record; the helper checks the user's address.
    let failed = len == 0 || unsafe { bpf_probe_read_user(to.cast(), len, from as *const _) } != 0;
    if failed { 0 } else { len }
}

/// A task was born.
#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn ws_fork(ctx: BtfTracePointContext) -> i32 {
    let task: *const u8 = ctx.arg(0);
    let child: *const u8 = ctx.arg(1);
    // SAFETY: typed pointers, checked by the verifier.
    let (parent, child, thread): (u32, u32, u32) = unsafe {
        (
            Typed::read(task, offset!(task_tgid)),
            Typed::read(child, offset!(task_tgid)),
            Typed::read(child, offset!(task_pid)),
        )
    };
    if child == thread {
        filter::inherit(parent, child);
        if setting!(filter) != FILTER_ONLY || filter::wanted(child) {
            process(KIND_FORK, child, parent);
        }
    } else if filter::followed(parent) {
        // SAFETY: as above. The parent is the current task.
        unsafe {
            let (by, rests): (u32, u64) =
                (Typed::read(task, offset!(task_pid)), Typed::read(task, offset!(task_nvcsw)));
            told(KIND_BIRTH, parent, thread, by, rests as u32);
        }
    }
    0
}

/// A task ended.
#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn ws_exit(ctx: BtfTracePointContext) -> i32 {
    let task: *const u8 = ctx.arg(0);
    // SAFETY: typed pointers, checked by the verifier.
    let (pid, live): (u32, u32) = unsafe {
        let signal: usize = Typed::read(task, offset!(task_signal));
        (Typed::read(task, offset!(task_tgid)), Typed::read(signal as *const u8, offset!(signal_live)))
    };
    // The last thread: the kernel has counted it out already.
    if live == 0 {
        if setting!(filter) != FILTER_ONLY || filter::wanted(pid) {
            process(KIND_EXIT, pid, 0);
        }
        filter::forget(pid);
        runtime::forget(pid);
    } else if filter::followed(pid) {
        told(KIND_DEATH, pid, bpf_get_current_pid_tgid() as u32, 0, 0);
    }
    0
}

/// A thread's birth or end.
#[inline(always)]
fn told(kind: u32, pid: u32, tid: u32, by: u32, rests: u32) {
    let Some(reserved) = ring::reserve(size_of::<ThreadRecord>() as u32, 0) else { return };
    let record = reserved.record().cast::<ThreadRecord>();
    // SAFETY: the record is ours until committed.
    unsafe {
        (*record).time = bpf_ktime_get_ns();
        (*record).pid = pid;
        (*record).tid = tid;
        (*record).by = by;
        (*record).rests = rests;
    }
    reserved.commit(kind);
}

#[inline(always)]
fn process(kind: u32, pid: u32, parent: u32) {
    let Some(reserved) = ring::reserve(size_of::<ProcessRecord>() as u32, 0) else { return };
    let record = reserved.record().cast::<ProcessRecord>();
    // SAFETY: the record is ours until committed.
    unsafe {
        (*record).time = bpf_ktime_get_ns();
        (*record).pid = pid;
        (*record).parent = parent;
    }
    reserved.commit(kind);
}
