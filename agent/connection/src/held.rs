//! Comes in: events ahead of their stream. Goes out: the same in the order of offsets, once what they wait for is
//! there or given up. Its owner bounds it.

use std::collections::VecDeque;

use crate::event::{Address, Nanos};
use crate::piece::Piece;
use crate::stream::{Gap, Mark};

/// A [`Piece`] that owns its bytes.
#[derive(Debug)]
pub(crate) struct Held {
    offset: u64,
    bytes: Box<[u8]>,
    head: usize,
    hole: u64,
    gap: Gap,
    mark: Mark,
    peer: Option<Address>,
    ends: bool,
    slack: u64,
    after: u64,
}

impl Held {
    fn new(piece: &Piece<'_>) -> Self {
        Self {
            offset: piece.offset,
            bytes: [piece.head, piece.tail].concat().into_boxed_slice(),
            head: piece.head.len(),
            hole: piece.hole,
            gap: piece.gap,
            mark: piece.mark,
            peer: piece.peer,
            ends: piece.ends,
            slack: piece.slack,
            after: piece.after,
        }
    }

    /// The extent it covers.
    pub(crate) fn piece(&self) -> Piece<'_> {
        let (head, tail) = self.bytes.split_at_checked(self.head).unwrap_or_default();
        Piece {
            offset: self.offset,
            head,
            hole: self.hole,
            gap: self.gap,
            tail,
            mark: self.mark,
            peer: self.peer,
            begins: true,
            ends: self.ends,
            slack: self.slack,
            after: self.after,
        }
    }

    fn cost(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

/// Events ahead of their stream, by offset.
#[derive(Debug, Default)]
pub(crate) struct Early {
    events: VecDeque<Held>,
    cost: usize,
}

impl Early {
    /// Holds a copy of `piece`; says no where the same extent is held already.
    pub(crate) fn insert(&mut self, piece: &Piece<'_>) -> bool {
        let at = self.events.partition_point(|held| held.offset <= piece.offset);
        let known = |held: &Held| held.piece().end() >= piece.end() && (held.ends || !piece.ends);
        if at.checked_sub(1).and_then(|before| self.events.get(before)).is_some_and(known) {
            return false;
        }
        let held = Held::new(piece);
        self.cost += held.cost();
        self.events.insert(at, held);
        true
    }

    /// Takes the first event out.
    pub(crate) fn pop(&mut self) -> Option<Held> {
        let held = self.events.pop_front()?;
        self.cost -= held.cost();
        Some(held)
    }

    /// Takes the first event out if it continues a stream that reaches up to `arrived`, and the other one up to `other`.
    pub(crate) fn pop_reached(&mut self, arrived: u64, other: u64) -> Option<Held> {
        let first = self.events.front()?;
        let reached = first.offset <= arrived.saturating_add(first.slack) && first.after <= other;
        reached.then(|| self.pop()).flatten()
    }

    /// When the first event happened that waits for what stands at `offset` of the other stream.
    pub(crate) fn awaits(&self, offset: u64) -> Option<Nanos> {
        self.events.iter().find(|held| held.after > offset).map(|held| held.mark.time)
    }

    /// When the event that waits longest happened.
    pub(crate) fn since(&self) -> Option<Nanos> {
        self.events.iter().map(|held| held.mark.time).min()
    }

    /// Number of events held.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Is none held?
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Memory of the events held, bytes.
    pub(crate) fn pending(&self) -> usize {
        self.cost
    }

    /// Memory in all, the unused included.
    pub(crate) fn cost(&self) -> usize {
        self.cost + (self.events.capacity() - self.events.len()) * size_of::<Held>()
    }
}
