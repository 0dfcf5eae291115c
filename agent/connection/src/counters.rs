//! What passed this stage and what did not. Goes out to the daemon's metrics.

use crate::stream::Gap;

/// Counters since the start. `bytes` is the sum of `captured`, `not_copied`, `io_uring` and `lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events taken, of any kind.
    pub events: u64,
    /// Stream bytes accounted for, each counted once.
    pub bytes: u64,
    /// Of these: captured.
    pub captured: u64,
    /// Of these: left out on purpose by the kernel programs.
    pub not_copied: u64,
    /// Of these: done by `io_uring`, only the length is known.
    pub io_uring: u64,
    /// Of these: should have been captured and were not.
    pub lost: u64,
    /// Captured bytes dropped unread, because a stream or all of them together were over their limit.
    pub shed: u64,
    /// Events that told only what was known.
    pub duplicates: u64,
    /// Events that came before one they follow in the stream.
    pub out_of_order: u64,
    /// Events with offsets that cannot be, or without a socket.
    pub implausible: u64,
    /// Events of a connection that came after its close.
    pub late: u64,
    /// Events the kernel programs could not hand over, as counted by them per socket.
    pub ring_lost: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections removed because their socket closed.
    pub closed: u64,
    /// Connections removed to make room for others.
    pub evicted: u64,
    /// Connections removed because nothing happened on them.
    pub idle: u64,
}

impl Counters {
    /// `len` stream bytes were captured.
    pub(crate) fn captured(&mut self, len: u64) {
        self.bytes = self.bytes.saturating_add(len);
        self.captured = self.captured.saturating_add(len);
    }

    /// `len` stream bytes are missing because of `gap`. Saturates: a wild offset can claim any length.
    pub(crate) fn missing(&mut self, gap: Gap, len: u64) {
        let counter = match gap {
            Gap::NotCopied => &mut self.not_copied,
            Gap::IoUring => &mut self.io_uring,
            Gap::Lost => &mut self.lost,
        };
        *counter = counter.saturating_add(len);
        self.bytes = self.bytes.saturating_add(len);
    }
}
