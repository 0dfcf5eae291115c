//! What programs ask the kernel of sockets and tasks, and what stands in before Linux 5.12: `bpf_get_current_task_btf` and
//! `bpf_sk_storage_get` came to tracepoints with 5.11, `bpf_get_socket_cookie` with 5.12.
//!
//! Where a typed pointer leads to it, a load is taken rather than a helper: every call and return costs some 20 ns where the kernel
//! guards its returns (`Documentation/admin-guide/hw-vuln/srso.rst`).

#[cfg(not(feature = "older"))]
mod newer {
    use aya_ebpf::helpers::generated::{
        bpf_get_current_cgroup_id, bpf_get_current_task_btf, bpf_get_socket_cookie, bpf_sk_storage_get,
        bpf_skc_to_tcp_sock,
    };
    use wirespan_proto::abi::NO_FIELD;

    use crate::{
        capture::memory::{Memory, Probed, Typed},
        state::{
            globals::offset,
            maps::{SocketState, WS_SOCKETS},
        },
    };

    /// `BPF_SK_STORAGE_GET_F_CREATE`, `include/uapi/linux/bpf.h`.
    const CREATE: u64 = 1;

    /// How to read a task or a socket that a function here gave.
    pub(crate) type Given = Typed;

    /// The current task.
    #[inline(always)]
    pub(crate) fn task() -> *const u8 {
        // SAFETY: no arguments.
        unsafe { bpf_get_current_task_btf() as *const u8 }
    }

    /// Process and thread of the current task, as `bpf_get_current_pid_tgid` has them.
    #[inline(always)]
    pub(crate) unsafe fn pid_tgid(task: *const u8) -> u64 {
        // SAFETY: the task is typed.
        unsafe {
            let (pid, tgid): (u32, u32) =
                (Given::read(task, offset!(task_pid)), Given::read(task, offset!(task_tgid)));
            u64::from(tgid) << 32 | u64::from(pid)
        }
    }

    /// The id of the current task's cgroup, as `bpf_get_current_cgroup_id` has it.
    #[inline(always)]
    pub(crate) unsafe fn cgroup(task: *const u8) -> u64 {
        // SAFETY: the task is typed, and by it what it leads to.
        unsafe {
            if offset!(task_cgroups) == NO_FIELD as usize {
                return bpf_get_current_cgroup_id();
            }
            let set: usize = Given::read(task, offset!(task_cgroups));
            let group: usize = Given::read(set as *const u8, offset!(css_set_cgroup));
            let node: usize = Given::read(group as *const u8, offset!(cgroup_node));
            Given::read(node as *const u8, offset!(node_id))
        }
    }

    /// The socket as a `tcp_sock`, or null.
    #[inline(always)]
    pub(crate) unsafe fn tcp(sk: *const u8) -> *const u8 {
        // SAFETY: the helper checks what it is given.
        unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()).cast() }
    }

    /// What names the socket for as long as it lives, and no other one ever.
    #[inline(always)]
    pub(crate) unsafe fn cookie(sk: *const u8) -> u64 {
        // SAFETY: the caller's socket is typed and in use.
        unsafe {
            // Given to the socket when it is first asked for.
            match Typed::read(sk, offset!(skc_cookie)) {
                0 => bpf_get_socket_cookie(sk.cast_mut().cast()),
                cookie => cookie,
            }
        }
    }

    /// The same of a socket that came out of memory; 0 where nobody has asked for its cookie yet.
    #[inline(always)]
    pub(crate) unsafe fn name(sk: *const u8) -> u64 {
        // SAFETY: read through a checking helper.
        unsafe { Probed::read(sk, offset!(skc_cookie)) }
    }

    /// What is remembered of the socket, made if it is `born`; null where it is not there.
    #[inline(always)]
    pub(crate) unsafe fn remembered(sk: *const u8, born: bool) -> *mut SocketState {
        let map = (&raw const WS_SOCKETS).cast_mut().cast();
        let flags = if born { CREATE } else { 0 };
        // SAFETY: as above.
        unsafe { bpf_sk_storage_get(map, sk.cast_mut().cast(), core::ptr::null_mut(), flags).cast() }
    }

    /// The socket is closed. The kernel frees what is remembered with it.
    #[inline(always)]
    pub(crate) fn closed(_sk: *const u8) {}
}

#[cfg(feature = "older")]
mod older {
    use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_get_current_task, bpf_ktime_get_ns};

    use crate::{
        capture::memory::Probed,
        state::maps::{KNOWN, Known, SocketState},
    };

    /// Marks an identity that was made from address and time.
    const MADE: u64 = 1 << 54;
    /// Bits that the address keeps: sockets are aligned to 64 bytes, and the kernel's own addresses differ in 46 bits.
    const ADDRESS_BITS: u32 = 40;
    /// Bits of the time of birth, in ms.
    const TIME_MASK: u64 = (1 << 14) - 1;

    /// A socket just born. Not on the stack, where the compiler would fill it by a function call.
    static FRESH: Known =
        Known { state: SocketState { received: 0, sent: 0, connector: 0, lost: 0, seen: 0 }, identity: 0 };

    /// How to read a task or a socket that a function here gave.
    pub(crate) type Given = Probed;

    /// The current task.
    #[inline(always)]
    pub(crate) fn task() -> *const u8 {
        // SAFETY: no arguments.
        unsafe { bpf_get_current_task() as *const u8 }
    }

    /// The id of the current task's cgroup.
    #[inline(always)]
    pub(crate) unsafe fn cgroup(_task: *const u8) -> u64 {
        // SAFETY: no arguments.
        unsafe { bpf_get_current_cgroup_id() }
    }

    /// The socket as a `tcp_sock`: the hooks ask only of TCP sockets, which are one.
    #[inline(always)]
    pub(crate) unsafe fn tcp(sk: *const u8) -> *const u8 {
        sk
    }

    /// What names the socket, given at its birth; 0 for those older than the daemon.
    #[inline(always)]
    pub(crate) unsafe fn cookie(sk: *const u8) -> u64 {
        // SAFETY: a map value; the identity does not change.
        unsafe { KNOWN.get(sk as u64) }.map_or(0, |known| known.identity)
    }

    /// As [`cookie`]: it makes no difference here where the pointer came from.
    #[inline(always)]
    pub(crate) unsafe fn name(sk: *const u8) -> u64 {
        // SAFETY: forwarded.
        unsafe { cookie(sk) }
    }

    /// What is remembered of the socket, made if it is `born`; null where it is not there.
    #[inline(always)]
    pub(crate) unsafe fn remembered(sk: *const u8, born: bool) -> *mut SocketState {
        if born {
            // Memory is out: the socket goes by its inode's number, like one older than the daemon.
            let _ = KNOWN.insert(sk as u64, &FRESH, 0);
        }
        let Some(known) = KNOWN.get_ptr_mut(sk as u64) else { return core::ptr::null_mut() };
        // SAFETY: fields of the map value.
        unsafe {
            if born {
                // Through memory: the verifier lets nobody calculate with a pointer that it knows as one.
                let address = &raw mut (*known).identity;
                core::ptr::write_volatile(address, sk as u64);
                *address = identity(core::ptr::read_volatile(address));
            }
            &raw mut (*known).state
        }
    }

    /// No two sockets of one address are born in the same ms.
    #[inline(always)]
    fn identity(address: u64) -> u64 {
        // SAFETY: no arguments.
        let time = unsafe { bpf_ktime_get_ns() } >> 20 & TIME_MASK;
        MADE | time << ADDRESS_BITS | address >> 6 & ((1 << ADDRESS_BITS) - 1)
    }

    /// The socket is closed: its address may be another's soon.
    #[inline(always)]
    pub(crate) fn closed(sk: *const u8) {
        // Not there: nothing to forget.
        let _ = KNOWN.remove(sk as u64);
    }
}

#[cfg(not(feature = "older"))]
pub(crate) use newer::*;
#[cfg(feature = "older")]
pub(crate) use older::*;
