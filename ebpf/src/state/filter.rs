//! Which processes and ports are looked at. Without filters: one comparison with the daemon's own process id.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
#[cfg(not(feature = "older"))]
use wirespan_proto::abi::FOLLOW_WAKES;
use wirespan_proto::abi::{FILTER_ALL, FILTER_ONLY, PORTS_ALL, PORTS_ONLY, VERDICT_CAPTURE, VERDICT_IGNORE};

use super::{globals::setting, maps};

/// The current thread, where its process is to be looked at.
#[inline(always)]
pub(crate) fn current() -> Option<u64> {
    let pid_tgid = bpf_get_current_pid_tgid();
    looked_at(pid_tgid).then_some(pid_tgid)
}

/// Is this thread's process to be looked at? Nobody's before all hooks are in their places.
#[inline(always)]
pub(crate) fn looked_at(pid_tgid: u64) -> bool {
    maps::OPEN.get(0).copied().unwrap_or(0) != 0 && wanted((pid_tgid >> 32) as u32)
}

/// Is this process to be looked at? A process without a verdict is, unless only listed ones are.
#[inline(always)]
pub(crate) fn wanted(pid: u32) -> bool {
    if pid == setting!(own_pid) {
        return false;
    }
    match setting!(filter) {
        FILTER_ALL => true,
        FILTER_ONLY => verdict(pid) == VERDICT_CAPTURE,
        _ => verdict(pid) != VERDICT_IGNORE,
    }
}

#[inline(always)]
fn verdict(pid: u32) -> u8 {
    // SAFETY: the value is one byte; a concurrent update gives the old or the new one.
    unsafe { maps::PROCESSES.get(pid) }.copied().unwrap_or(0)
}

/// Children of a listed process are listed as they are born, so that none of their calls is missed.
#[inline(always)]
pub(crate) fn inherit(parent: u32, child: u32) {
    if setting!(filter) != FILTER_ALL {
        let verdict = verdict(parent);
        if verdict != 0 {
            // An LRU map makes room; the only failure left is out of memory, where the child goes unseen.
            let _ = maps::PROCESSES.insert(child, verdict, 0);
        }
    }
}

/// Does the daemon want to hear of this process's threads?
#[inline(always)]
pub(crate) fn followed(pid: u32) -> bool {
    // SAFETY: nobody looks at the value.
    unsafe { maps::FOLLOWED.get(pid) }.is_some()
}

/// Does it want to hear of its wake-ups?
#[cfg(not(feature = "older"))]
#[inline(always)]
pub(crate) fn wakes(pid: u32) -> bool {
    // SAFETY: the value is one byte; a concurrent update gives the old or the new one.
    unsafe { maps::FOLLOWED.get(pid) }.copied() == Some(FOLLOW_WAKES)
}

/// Forgets a process that ended.
#[inline(always)]
pub(crate) fn forget(pid: u32) {
    if followed(pid) {
        // Gone by now, then: nothing to forget.
        let _ = maps::FOLLOWED.remove(pid);
    }
    if setting!(filter) != FILTER_ALL {
        // Not there: nothing to forget.
        let _ = maps::PROCESSES.remove(pid);
    }
}

/// Is a connection between these ports to be looked at?
#[inline(always)]
pub(crate) fn ports(local: u16, peer: u16) -> bool {
    match setting!(ports) {
        PORTS_ALL => true,
        PORTS_ONLY => listed(local) || listed(peer),
        _ => !(listed(local) || listed(peer)),
    }
}

#[inline(always)]
fn listed(port: u16) -> bool {
    maps::PORTS.get(u32::from(port >> 6)).is_some_and(|word| word & (1 << (port & 63)) != 0)
}
