//! Comes in: a [`Data`] event as the kernel told it. Goes out: the same as a checked extent of its stream. Refuses
//! offsets that would leave 64 bits; believes the captured bytes no further than the event's length.

use crate::event::{Address, Data, DataFlags, Direction, Transport};
use crate::stream::{Gap, Mark};

/// How far behind the newest byte a TCP event may stand before it is taken for one far ahead: offsets are 32 bits
/// and wrap, so "behind" and "ahead" differ by convention only.
const TCP_BEHIND: u32 = 1 << 30;

/// First unwrapped TCP offset is this plus the sequence number: looking back never leaves the positive numbers.
const TCP_BASE: u64 = 1 << 32;

/// One extent of a stream: bytes, then a hole, then bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// Unwrapped stream offset of the first byte.
    pub(crate) offset: u64,
    /// Captured bytes before the hole.
    pub(crate) head: &'a [u8],
    /// Bytes not captured.
    pub(crate) hole: u64,
    /// Why they were not.
    pub(crate) gap: Gap,
    /// Captured bytes behind the hole.
    pub(crate) tail: &'a [u8],
    /// Who and when.
    pub(crate) mark: Mark,
    /// Datagrams: from or to whom.
    pub(crate) peer: Option<Address>,
    /// Is the first byte that of a call?
    pub(crate) begins: bool,
    /// Does the stream end here?
    pub(crate) ends: bool,
    /// How far beyond the last byte the end may stand: TCP counts the FIN it has read (`found_fin_ok` in
    /// `tcp_recvmsg_locked`, net/ipv4/tcp.c).
    pub(crate) slack: u64,
    /// How far the other stream must have come before: the peer had acknowledged so much when these bytes were read.
    pub(crate) after: u64,
}

impl<'a> Piece<'a> {
    /// The extent of `data`, whose offset unwraps to `offset`. `None` where it does not fit into 64 bits.
    #[inline]
    pub(crate) fn new(data: &Data<'a>, offset: u64) -> Option<Self> {
        offset.checked_add(u64::from(data.len))?;
        let len = usize::try_from(data.len).ok()?;
        let head = data.head.get(..len).unwrap_or(data.head);
        let tail = last(data.tail, len - head.len());
        let datagram = data.flags.contains(DataFlags::DATAGRAM);
        let ends = data.len == 0 && data.direction == Direction::Received && !datagram;
        Some(Self {
            offset,
            head,
            hole: (len - head.len() - tail.len()) as u64,
            gap: gap(data.flags),
            tail,
            mark: Mark { time: data.time, task: data.task },
            peer: datagram.then_some(data.socket.peer),
            begins: true,
            ends,
            slack: u64::from(ends && data.socket.transport == Transport::Tcp),
            after: 0,
        })
    }

    /// Bytes of the stream it covers.
    pub(crate) fn len(&self) -> u64 {
        self.head.len() as u64 + self.hole + self.tail.len() as u64
    }

    /// Stream offset behind its last byte.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(self.len())
    }

    /// The same without its first `count` bytes.
    pub(crate) fn skip(self, count: u64) -> Self {
        let count = count.min(self.len());
        let (head, left) = behind(self.head, count);
        let hole = self.hole.saturating_sub(left);
        let (tail, _) = behind(self.tail, left.saturating_sub(self.hole));
        Self { offset: self.offset.saturating_add(count), head, hole, tail, begins: false, ..self }
    }
}

/// `bytes` without the first `count`, and how much of `count` is left.
fn behind(bytes: &[u8], count: u64) -> (&[u8], u64) {
    let cut = usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len());
    (bytes.get(cut..).unwrap_or_default(), count - cut as u64)
}

/// The last `count` bytes of `bytes`, or all.
fn last(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default()
}

/// Why an event with these flags has fewer bytes than its length.
fn gap(flags: DataFlags) -> Gap {
    if flags.contains(DataFlags::IO_URING) {
        Gap::IoUring
    } else if flags.contains(DataFlags::FAULT) {
        Gap::Lost
    } else {
        Gap::NotCopied
    }
}

/// The 64-bit offset of an event that tells `offset`; `newest` is the offset behind the stream's newest byte.
pub(crate) fn unwrap_offset(transport: Transport, offset: u64, newest: Option<u64>) -> u64 {
    match (transport, newest) {
        (Transport::Udp | Transport::Unix, _) => offset,
        (Transport::Tcp, None) => TCP_BASE + u64::from(offset as u32),
        (Transport::Tcp, Some(newest)) => {
            let ahead = (offset as u32).wrapping_sub(newest as u32);
            let behind = ahead.wrapping_neg();
            if behind != 0 && behind <= TCP_BEHIND {
                newest.saturating_sub(u64::from(behind))
            } else {
                newest.saturating_add(u64::from(ahead))
            }
        }
    }
}
