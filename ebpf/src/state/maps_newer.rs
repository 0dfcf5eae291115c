//! The maps that only Linux 5.12 and later can have.

use aya_ebpf::{
    btf_maps::SkStorage,
    macros::{btf_map, map},
    maps::{Array, LruHashMap, RingBuf},
};
use wirespan_proto::abi::{Control, RING_BYTES, SLACK};

use super::maps::{MMAPABLE, SocketState};

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

/// State by socket, for hooks that are handed the socket.
#[btf_map]
pub(crate) static WS_SOCKETS: SkStorage<SocketState> = SkStorage::new();

/// The `io_uring` request that a thread tried last. Only threads that use `io_uring` appear.
#[map(name = "WS_URING_TRIED")]
pub(crate) static URING_TRIED: LruHashMap<u32, u64> = LruHashMap::with_max_entries(1024, 0);

/// The `io_uring` request that waits for a file, by file and direction.
#[map(name = "WS_URING_ARMED")]
pub(crate) static URING_ARMED: LruHashMap<u64, u64> = LruHashMap::with_max_entries(16384, 0);
