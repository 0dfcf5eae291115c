//! Comes in: bytes and gaps in the order of the stream. Goes out: its readable front, and who carried which byte.
//! Only memory: where the stream stands and what a gap means is its owner's business.

use std::collections::VecDeque;

use crate::event::Address;
use crate::held::Early;
use crate::stream::{Gap, Mark};

/// Calls remembered behind the reading position: enough to ask about the message just consumed.
const CALLS_READ: usize = 4;

/// Calls remembered in all. Beyond it every other one is forgotten: the first byte and the latest ones keep their
/// mark, those between get an earlier one.
const CALLS: usize = 128;

/// Capacity a store keeps for the next stream, bytes. Most events carry a message's head and fit.
const SPARE_BYTES: usize = 16 << 10;

/// What a run of the stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Captured bytes.
    Bytes,
    /// Missing ones.
    Gap(Gap),
}

/// Neighbouring bytes of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Captured or missing?
    pub(crate) kind: Kind,
    /// How many; at least 1.
    pub(crate) len: u64,
    /// Datagrams: from or to whom.
    pub(crate) peer: Option<Address>,
    /// Does a datagram begin here?
    pub(crate) starts: bool,
}

/// A call that carried bytes from `start` up to the next call's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Stream offset of its first byte not seen before.
    pub(crate) start: u64,
    /// Who and when.
    pub(crate) mark: Mark,
    /// Is the byte at `start` the call's first?
    pub(crate) begins: bool,
}

/// The unread bytes of a stream. Exists only while there is something to keep.
#[derive(Debug, Default)]
pub(crate) struct Store {
    bytes: Vec<u8>,
    read: usize,
    runs: VecDeque<Run>,
    calls: VecDeque<Call>,
    /// Events ahead of the stream.
    pub(crate) held: Early,
}

impl Store {
    /// Appends captured bytes.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8], peer: Option<Address>, starts: bool) {
        self.compact(bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.push_run(Run { kind: Kind::Bytes, len: bytes.len() as u64, peer, starts });
    }

    /// Appends a gap.
    pub(crate) fn push_gap(&mut self, gap: Gap, len: u64, peer: Option<Address>, starts: bool) {
        self.push_run(Run { kind: Kind::Gap(gap), len, peer, starts });
    }

    fn push_run(&mut self, run: Run) {
        match self.runs.back_mut() {
            Some(last) if last.kind == run.kind && !run.starts => last.len += run.len,
            _ => self.runs.push_back(run),
        }
    }

    /// Moves unread bytes to the front where that saves growing, at a constant cost per byte over time.
    fn compact(&mut self, more: usize) {
        let full = self.bytes.len() + more > self.bytes.capacity();
        if self.read > 0 && (self.read == self.bytes.len() || (full && self.read >= self.bytes.len() / 2)) {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
    }

    /// Drops `count` stream bytes from the front; never more than there are.
    pub(crate) fn consume(&mut self, mut count: u64) {
        while count > 0
            && let Some(run) = self.runs.front_mut()
        {
            let cut = run.len.min(count);
            count -= cut;
            if run.kind == Kind::Bytes {
                self.read += cut as usize;
            }
            run.len -= cut;
            run.starts = false;
            if run.len == 0 {
                self.runs.pop_front();
            }
        }
    }

    /// Drops the first run up to `count` bytes of it (a datagram whole). Answers stream bytes and captured bytes gone.
    pub(crate) fn shed(&mut self, count: u64) -> (u64, u64) {
        let Some(run) = self.runs.front().copied() else { return (0, 0) };
        let whole = run.peer.is_some() || run.kind != Kind::Bytes;
        let len = if whole { run.len } else { run.len.min(count) };
        self.consume(len);
        (len, if run.kind == Kind::Bytes { len } else { 0 })
    }

    /// The captured bytes at the front, which are `len`.
    pub(crate) fn bytes(&self, len: u64) -> &[u8] {
        self.bytes.get(self.read..self.read + len as usize).unwrap_or_default()
    }

    /// The first run.
    pub(crate) fn first(&self) -> Option<&Run> {
        self.runs.front()
    }

    /// The second run.
    pub(crate) fn second(&self) -> Option<&Run> {
        self.runs.get(1)
    }

    /// Remembers `call`, which is older than the stream's newest. `position` is the offset read up to.
    pub(crate) fn push_call(&mut self, call: Call, position: u64) {
        self.forget_calls(position);
        if self.calls.len() >= CALLS {
            let mut keep = false;
            self.calls.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.calls.push_back(call);
    }

    fn forget_calls(&mut self, position: u64) {
        while self.calls.get(CALLS_READ).is_some_and(|later| later.start <= position) {
            self.calls.pop_front();
        }
    }

    /// The call that carried the byte at `offset`; the oldest known where it was earlier.
    pub(crate) fn call(&self, offset: u64) -> Option<&Call> {
        let after = self.calls.partition_point(|call| call.start <= offset);
        self.calls.get(after.saturating_sub(1))
    }

    /// Memory the unread content needs: captured bytes, and what keeps track of them.
    pub(crate) fn content(&self) -> usize {
        self.bytes.len() - self.read + self.runs.len() * size_of::<Run>()
    }

    /// Memory in all, the unused included.
    pub(crate) fn cost(&self) -> usize {
        size_of::<Self>()
            + self.bytes.capacity()
            + self.runs.capacity() * size_of::<Run>()
            + self.calls.capacity() * size_of::<Call>()
            + self.held.cost()
    }

    /// Is there nothing to read and nothing held?
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.held.is_empty()
    }

    /// Forgets all it held, and memory beyond what an ordinary stream needs.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES);
        self.read = 0;
        self.calls.clear();
    }

    /// Gives back memory that an outgrown content left behind.
    pub(crate) fn shrink(&mut self, limit: usize) {
        if self.bytes.capacity() > limit.saturating_mul(2) {
            self.bytes.drain(..self.read);
            self.read = 0;
            self.bytes.shrink_to(limit);
        }
    }
}
