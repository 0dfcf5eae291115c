//! The maps. Names are what `bpftool map` shows and what the daemon asks for.

use aya_ebpf::{
    macros::map,
    maps::{Array, LruHashMap, PerCpuArray, ProgramArray},
};
use wirespan_proto::abi::{POLICY_SLOTS, PolicySlot, RUNTIME_SLOTS, RuntimeRecord};

#[cfg(not(feature = "older"))]
pub(crate) use super::maps_newer::*;
#[cfg(feature = "older")]
pub(crate) use super::maps_older::*;

/// `BPF_F_MMAPABLE`, `include/uapi/linux/bpf.h` (Linux 5.5).
pub(super) const MMAPABLE: u32 = 1 << 10;

/// Per-connection capture policies; the daemon maps it into its memory and writes them there.
#[map(name = "WS_POLICIES")]
pub(crate) static POLICIES: Array<PolicySlot> = Array::with_max_entries(POLICY_SLOTS, MMAPABLE);

/// Is every hook in its place? A request that is seen while its response is not would be taken for the next one's.
#[map(name = "WS_OPEN")]
pub(crate) static OPEN: Array<u32> = Array::with_max_entries(1, 0);
/// The event that the first program told of.
#[repr(C, align(64))]
pub(crate) struct Told {
    pub(crate) event: u32,
}

/// By the event's low bits, each in a line of its own. The daemon sets the number of entries.
#[map(name = "WS_TOLD")]
pub(crate) static TOLD: Array<Told> = Array::with_max_entries(1, 0);

/// Where processes keep the identities of their logical tasks; the daemon maps it into its memory and writes them there.
#[map(name = "WS_RUNTIMES")]
pub(crate) static RUNTIMES: Array<RuntimeRecord> = Array::with_max_entries(RUNTIME_SLOTS, MMAPABLE);

/// Verdicts by process id. Consulted only where a filter is set.
#[map(name = "WS_PROCESSES")]
pub(crate) static PROCESSES: LruHashMap<u32, u8> = LruHashMap::with_max_entries(16384, 0);

/// Processes whose threads' births and ends are told, those that answer requests; and of some their wake-ups (`FOLLOW_…`).
#[map(name = "WS_FOLLOWED")]
pub(crate) static FOLLOWED: LruHashMap<u32, u8> = LruHashMap::with_max_entries(4096, 0);

/// Set of ports, 64 to an entry. Consulted only where a port filter is set.
#[map(name = "WS_PORTS")]
pub(crate) static PORTS: Array<u64> = Array::with_max_entries(1024, 0);

/// What is remembered of a socket. Freed by the kernel with the socket.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct SocketState {
    /// Bytes received since first seen: the stream offset where the transport has none.
    pub(crate) received: u64,
    /// Bytes sent since first seen.
    pub(crate) sent: u64,
    /// Thread that called `connect`.
    pub(crate) connector: u64,
    /// Records lost so far.
    pub(crate) lost: u32,
    /// Did the daemon hear of this socket?
    pub(crate) seen: u32,
}

/// State by cookie, for hooks that only have a file descriptor.
#[map(name = "WS_SOCKETS_FD")]
pub(crate) static SOCKETS_FD: LruHashMap<u64, SocketState> = LruHashMap::with_max_entries(32768, 0);

/// How far a thread got within its `sendmmsg` or `recvmmsg`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Progress {
    /// The vector of messages.
    pub(crate) vector: u64,
    /// Messages seen.
    pub(crate) index: u32,
    /// Length of the last one.
    pub(crate) last: u32,
}

/// By thread id. Only threads that use those calls appear.
#[map(name = "WS_PROGRESS")]
pub(crate) static PROGRESS: LruHashMap<u32, Progress> = LruHashMap::with_max_entries(4096, 0);

/// The program that tells what a system call moved.
#[map(name = "WS_MOVES")]
pub(crate) static MOVES: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// A system call that moved bytes, as one program hands it to the next.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Moved {
    /// The socket's address.
    pub(crate) sk: u64,
    /// What names the socket.
    pub(crate) identity: u64,
    /// `MSG_…`
    pub(crate) flags: u32,
    /// Which of the call's messages is looked at.
    pub(crate) message: u32,
    pub(crate) direction: u8,
    pub(crate) transport: u8,
    pub(crate) reserved: [u8; 6],
}

/// Nothing gets between the two on their CPU.
#[map(name = "WS_MOVED")]
pub(crate) static MOVED: PerCpuArray<Moved> = PerCpuArray::with_max_entries(1, 0);
