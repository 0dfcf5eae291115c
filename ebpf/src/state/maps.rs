//! The maps. Names are what `bpftool map` shows and what the daemon asks for.

use aya_ebpf::{
    btf_maps::SkStorage,
    macros::{btf_map, map},
    maps::{Array, LruHashMap, RingBuf},
};
use wirespan_proto::abi::{
    Control, POLICY_SLOTS, PolicySlot, RING_BYTES, RUNTIME_SLOTS, RuntimeRecord, SLACK,
};

/// `BPF_F_MMAPABLE`, `include/uapi/linux/bpf.h` (Linux 5.5).
const MMAPABLE: u32 = 1 << 10;

/// One CPU's ring: positions, then records, then room for the one that begins last.
#[repr(C)]
pub(crate) struct Ring {
    pub(crate) control: Control,
    pub(crate) records: [u8; (RING_BYTES + SLACK) as usize],
}

/// A ring per CPU; the daemon sets the number of entries and maps them into its memory.
#[map(name = "WS_RINGS")]
pub(crate) static RINGS: Array<Ring> = Array::with_max_entries(1, MMAPABLE);

/// Carries no data: an entry wakes a sleeping reader.
#[map(name = "WS_WAKE")]
pub(crate) static WAKE: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Per-connection capture policies; the daemon maps it into its memory and writes them there.
#[map(name = "WS_POLICIES")]
pub(crate) static POLICIES: Array<PolicySlot> = Array::with_max_entries(POLICY_SLOTS, MMAPABLE);

/// Where processes keep the identities of their logical tasks; the daemon maps it into its memory and writes them there.
#[map(name = "WS_RUNTIMES")]
pub(crate) static RUNTIMES: Array<RuntimeRecord> = Array::with_max_entries(RUNTIME_SLOTS, MMAPABLE);

/// Verdicts by process id. Consulted only where a filter is set.
#[map(name = "WS_PROCESSES")]
pub(crate) static PROCESSES: LruHashMap<u32, u8> = LruHashMap::with_max_entries(16384, 0);

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

/// State by socket, for hooks that are handed the socket.
#[btf_map]
pub(crate) static WS_SOCKETS: SkStorage<SocketState> = SkStorage::new();

/// State by cookie, for hooks that only have a file descriptor.
#[map(name = "WS_SOCKETS_FD")]
pub(crate) static SOCKETS_FD: LruHashMap<u64, SocketState> = LruHashMap::with_max_entries(32768, 0);

/// The `io_uring` request that a thread tried last. Only threads that use `io_uring` appear.
#[map(name = "WS_URING_TRIED")]
pub(crate) static URING_TRIED: LruHashMap<u32, u64> = LruHashMap::with_max_entries(1024, 0);

/// The `io_uring` request that waits for a file, by file and direction.
#[map(name = "WS_URING_ARMED")]
pub(crate) static URING_ARMED: LruHashMap<u64, u64> = LruHashMap::with_max_entries(16384, 0);

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
