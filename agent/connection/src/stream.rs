//! One direction of one connection: the bytes that were captured, where they stand, and what is missing.

use wirespan_proto::event::{Nanos, Task};

/// Why bytes of a stream are not there. Their number is always exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gap {
    /// The kernel did not copy them on purpose (beyond the head size, bulk, `sendfile`).
    NotCopied,
    /// They should have been copied and were lost (ring full, reader too slow, unreadable buffer).
    Lost,
    /// Done by `io_uring`: only lengths are known.
    IoUring,
}

/// What follows the readable bytes at the front of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    More,
    /// This many bytes of the stream are not there (at least 1).
    Gap(Gap, u64),
    /// The stream ended in order (FIN, end of file, or the connection was closed).
    End,
    /// The stream was cut: the connection was reset or timed out. The number is the socket's errno.
    Broken(u16),
}

/// Where a byte came from: the event that carried it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// When the call that carried the byte happened.
    pub time: Nanos,
    /// Who made the call.
    pub task: Task,
}

/// The readable front of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Front<'a> {
    /// Stream offset of `bytes[0]`, unwrapped to 64 bits. For TCP the low 32 bits are the sequence number.
    pub offset: u64,
    /// All contiguous bytes from `offset`; empty where a gap or the end comes first. Of datagrams: one; what was not
    /// copied of it is the gap behind.
    pub bytes: &'a [u8],
    /// What comes behind `bytes`.
    pub next: Next,
    /// Did a call (or datagram) begin at `offset`?
    pub boundary: bool,
}

/// Reading side of one direction. Implemented by the stream store; a trait so that parsers can be driven from
/// plain bytes in tests.
pub trait Stream {
    /// What can be read now.
    fn front(&self) -> Front<'_>;
    /// How many bytes the front has, and what comes behind them.
    fn ahead(&self) -> (u64, Next) {
        let front = self.front();
        (front.bytes.len() as u64, front.next)
    }
    /// Drops `count` stream bytes from the front, readable ones and gaps alike. Counting beyond what has been
    /// seen is allowed: later bytes are dropped as they arrive.
    fn consume(&mut self, count: u64);
    /// Where the byte at stream offset `offset` came from. `offset` lies in the front or in the last bytes consumed.
    fn mark(&self, offset: u64) -> Mark;
    /// Bytes of this stream that were lost (not: not copied) so far.
    fn lost(&self) -> u64;
}
