//! The maps that stand in for `maps_newer.rs` before Linux 5.12.

use aya_ebpf::{
    macros::map,
    maps::{Array, LruHashMap, PerCpuArray, RingBuf},
};
use wirespan_proto::abi::{Control, SLACK};

use super::maps::{MMAPABLE, SocketState};

/// Counters of each CPU; no ring behind them. The daemon sets the number of entries and maps them into its memory.
#[map(name = "WS_RINGS")]
pub(crate) static CONTROLS: Array<Control> = Array::with_max_entries(1, MMAPABLE);

/// All CPUs' records. The daemon sets its size.
#[map(name = "WS_EVENTS")]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Where records are made before they are copied into the ring buffer: `abi::NESTING` to a CPU. The daemon sets the
/// number of entries.
#[map(name = "WS_SCRATCH")]
pub(crate) static SCRATCH: Array<[u8; SLACK as usize]> = Array::with_max_entries(1, 0);

/// How many records the programs of this CPU are making.
#[map(name = "WS_DEPTH")]
pub(crate) static DEPTH: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// What is remembered of a TCP socket since its birth, by its address.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Known {
    pub(crate) state: SocketState,
    /// Stands in for the cookie.
    pub(crate) identity: u64,
}

/// Removed as the socket is closed.
#[map(name = "WS_SOCKETS")]
pub(crate) static KNOWN: LruHashMap<u64, Known> = LruHashMap::with_max_entries(65536, 0);
