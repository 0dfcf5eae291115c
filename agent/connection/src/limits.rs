//! How much memory and patience this stage has. Comes in from the configuration; nothing here is decided elsewhere.

/// Bounds of the connection stage. All sizes in bytes, all times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections tracked at a time, at least 1. One more evicts the least recently used.
    pub max_connections: usize,
    /// Captured bytes held per direction until the next stage reads them. Beyond it, the oldest become a gap.
    pub stream_bytes: usize,
    /// Memory of all streams together, measured by what is allocated. Beyond it, the heaviest streams are emptied.
    pub total_bytes: usize,
    /// Events held per direction because an earlier one is missing.
    pub pending_events: usize,
    /// Memory of the events held per direction because an earlier one is missing.
    pub pending_bytes: usize,
    /// How long a hole is waited for, in the time of events, before it is called lost.
    pub reorder_ns: u64,
    /// How long a closed connection stays when the kernel says that the program has bytes left to read.
    pub linger_ns: u64,
    /// A connection without events for this long is forgotten.
    pub idle_ns: u64,
    /// Closed sockets remembered, so that their late events do not open them again.
    pub remembered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 131_072,
            stream_bytes: 256 << 10,
            total_bytes: 64 << 20,
            pending_events: 64,
            pending_bytes: 128 << 10,
            reorder_ns: 100_000_000,
            linger_ns: 1_000_000_000,
            idle_ns: 3_600_000_000_000,
            remembered: 4096,
        }
    }
}
