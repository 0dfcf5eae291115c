//! Comes in: the events of one direction of a connection. Goes out: a [`Stream`]. Refuses to guess: bytes that did not
//! come are gaps of exact length.

use crate::counters::Counters;
use crate::event::{Address, Nanos};
use crate::held::Held;
use crate::limits::Limits;
use crate::piece::Piece;
use crate::store::{Call, Kind, Run, Store};
use crate::stream::{Front, Gap, Mark, Next, Stream};

/// An event further ahead than this is not waited for: so much cannot be on its way. It restarts the stream behind
/// a gap.
const FAR: u64 = 1 << 30;

/// One direction of a connection.
///
/// It begins with the first event seen. What it keeps for the next stage is given up when all of it is read: between
/// messages it holds nothing beyond the struct.
#[derive(Debug, Default)]
pub struct Half {
    /// Offset of the first byte ever seen.
    start: u64,
    /// Offset of the first byte not consumed.
    position: u64,
    /// Offset behind the last byte accounted for. Unread are `shed` bytes, then the runs of `store`.
    arrived: u64,
    /// Bytes of [`Gap::Lost`] before everything in `store`.
    shed: u64,
    lost: u64,
    newest: Option<Call>,
    ending: Ending,
    ended: Nanos,
    begun: bool,
    /// Was the other stream waited for in vain? Then it is not waited for again until it moves.
    vain: bool,
    /// How far the other stream has come, as far as this one was told.
    other: u64,
    store: Option<Box<Store>>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Not yet.
    #[default]
    Open,
    /// In order.
    Orderly,
    /// By this errno.
    Broken(u16),
}

/// What the bytes of an event belong to.
#[derive(Clone, Copy)]
struct Origin {
    peer: Option<Address>,
    starts: bool,
}

impl Half {
    /// From or to whom the datagram at the front is; `None` for transports that are streams.
    #[must_use]
    pub fn peer(&self) -> Option<Address> {
        self.store.as_ref()?.first()?.peer
    }

    /// Stream bytes seen so far, captured or not.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.arrived - self.start
    }

    /// Is all that has come read, and nothing held?
    #[inline]
    pub(crate) fn is_read(&self) -> bool {
        self.shed == 0 && self.store.is_none()
    }

    /// Memory held for unread bytes, beyond the struct.
    #[inline]
    pub(crate) fn cost(&self) -> usize {
        self.store.as_ref().map_or(0, |store| store.cost())
    }

    /// Offset behind the newest byte, if the stream has begun.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.begun.then_some(self.arrived)
    }

    /// Has the end been seen?
    pub(crate) fn has_ended(&self) -> bool {
        self.ending != Ending::Open
    }

    /// Is an event held until an earlier one comes?
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.store.as_ref().is_some_and(|store| !store.held.is_empty())
    }

    /// Takes in an event of this direction.
    pub(crate) fn take(&mut self, piece: &Piece<'_>, limits: &Limits, counters: &mut Counters) {
        self.begin(piece.offset);
        let ahead = piece.offset.saturating_sub(self.arrived);
        if ahead <= piece.slack && piece.after <= self.other {
            self.place(piece, counters);
            if self.waits() {
                self.drain(counters);
            }
        } else if ahead > FAR {
            self.give_up(counters);
            self.lose_until(piece.offset, counters);
            self.place(piece, counters);
        } else {
            self.hold(piece, limits, counters);
        }
        self.settle(piece.mark.time, limits, counters);
        self.trim(limits, counters);
    }

    /// The other stream has come so far: what waited for it goes on.
    pub(crate) fn other_reached(&mut self, offset: u64, counters: &mut Counters) {
        self.other = offset;
        self.vain = false;
        if self.waits() {
            self.drain(counters);
        }
    }

    /// Was the other stream waited for in vain?
    pub(crate) fn waits_in_vain(&self) -> bool {
        self.vain
    }

    /// When the first event happened that waits for what stands at `offset` of the other stream.
    pub(crate) fn awaits(&self, offset: u64) -> Option<Nanos> {
        self.store.as_ref()?.held.awaits(offset)
    }

    /// Gives up holes that have been waited for long enough at `now`.
    #[inline]
    pub(crate) fn settle(&mut self, now: Nanos, limits: &Limits, counters: &mut Counters) {
        while self.waits()
            && let Some(since) = self.store.as_ref().and_then(|store| store.held.since())
            && now.since(since) >= limits.reorder_ns
        {
            self.give_up_first(counters);
        }
    }

    /// Gives up every hole: nothing more is waited for.
    pub(crate) fn give_up(&mut self, counters: &mut Counters) {
        while self.waits() {
            self.give_up_first(counters);
        }
    }

    /// The stream ended at `time`; an end seen before stands.
    pub(crate) fn end(&mut self, ending: Ending, time: Nanos) {
        if self.ending == Ending::Open {
            self.ending = ending;
            self.ended = time;
        }
    }

    /// Puts `spare` memory to use, if there is need of it.
    #[inline]
    pub(crate) fn lend(&mut self, spare: &mut Option<Box<Store>>) {
        if self.store.is_none() {
            self.store = spare.take();
        }
    }

    /// Gives up memory that holds nothing, for another stream to use.
    #[inline]
    pub(crate) fn rest(&mut self, spare: &mut Option<Box<Store>>) {
        if let Some(mut store) = self.store.take_if(|store| store.is_empty()) {
            store.clear();
            spare.get_or_insert(store);
        }
    }

    /// Turns everything unread into one gap and frees its memory.
    pub(crate) fn empty(&mut self, counters: &mut Counters) {
        self.give_up(counters);
        self.shed_to(0, counters);
        self.store = None;
    }

    fn begin(&mut self, offset: u64) {
        if !self.begun {
            self.begun = true;
            self.start = offset;
            self.arrived = offset;
            self.position = self.position.saturating_add(offset);
        }
    }

    fn hold(&mut self, piece: &Piece<'_>, limits: &Limits, counters: &mut Counters) {
        if !self.store().held.insert(piece) {
            counters.duplicates += 1;
            return;
        }
        counters.out_of_order += 1;
        while self.over_pending(limits) {
            self.give_up_first(counters);
        }
    }

    fn over_pending(&self, limits: &Limits) -> bool {
        self.store.as_ref().is_some_and(|store| {
            store.held.len() > limits.pending_events || store.held.pending() > limits.pending_bytes
        })
    }

    fn give_up_first(&mut self, counters: &mut Counters) {
        if let Some(held) = self.store().held.pop() {
            self.vain |= held.piece().after > self.other;
            self.lose_until(held.piece().offset, counters);
            self.place(&held.piece(), counters);
            self.drain(counters);
        }
    }

    /// Places what is no longer ahead.
    fn drain(&mut self, counters: &mut Counters) {
        while let Some(held) = self.pop_reached() {
            self.place(&held.piece(), counters);
        }
    }

    fn pop_reached(&mut self) -> Option<Held> {
        let (arrived, other) = (self.arrived, if self.vain { u64::MAX } else { self.other });
        self.store.as_mut()?.held.pop_reached(arrived, other)
    }

    /// Appends what `piece` adds to the bytes already there. It does not begin behind them.
    #[inline]
    fn place(&mut self, piece: &Piece<'_>, counters: &mut Counters) {
        match self.arrived.saturating_sub(piece.offset) {
            0 => self.add(piece, counters),
            known if known < piece.len() => self.add(&piece.skip(known), counters),
            _ => counters.duplicates += u64::from(piece.len() > 0),
        }
        if piece.ends {
            self.end(Ending::Orderly, piece.mark.time);
        }
    }

    #[inline]
    fn add(&mut self, fresh: &Piece<'_>, counters: &mut Counters) {
        if fresh.len() > 0 {
            self.reopen(fresh.mark.time);
            self.note(fresh);
            self.append(fresh, counters);
        }
    }

    /// Bytes after an orderly end prove that it was none: a read into an empty buffer returns 0 as well.
    fn reopen(&mut self, time: Nanos) {
        if self.ending == Ending::Orderly && time > self.ended {
            self.ending = Ending::Open;
        }
    }

    #[inline]
    fn note(&mut self, piece: &Piece<'_>) {
        let call = Call { start: self.arrived, mark: piece.mark, begins: piece.begins };
        if let (Some(older), Some(store)) = (self.newest.replace(call), self.store.as_mut()) {
            store.push_call(older, self.position);
        }
    }

    #[inline]
    fn append(&mut self, piece: &Piece<'_>, counters: &mut Counters) {
        let datagram = piece.peer.is_some() && piece.begins;
        let mut origin = Origin { peer: piece.peer, starts: datagram };
        // Most have no more than a head.
        self.append_bytes(piece.head, &mut origin, counters);
        if piece.hole > 0 {
            self.append_gap(piece.gap, piece.hole, &mut origin, counters);
        }
        if !piece.tail.is_empty() {
            self.append_bytes(piece.tail, &mut origin, counters);
        }
    }

    fn append_bytes(&mut self, bytes: &[u8], origin: &mut Origin, counters: &mut Counters) {
        counters.captured(bytes.len() as u64);
        let skipped = self.advance(bytes.len() as u64);
        let unread =
            usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or_default();
        if !unread.is_empty() {
            let starts = origin.take_start() && skipped == 0;
            self.store().push_bytes(unread, origin.peer, starts);
        }
    }

    fn append_gap(&mut self, gap: Gap, len: u64, origin: &mut Origin, counters: &mut Counters) {
        counters.missing(gap, len);
        if gap == Gap::Lost {
            self.lost = self.lost.saturating_add(len);
        }
        let skipped = self.advance(len);
        if len > skipped {
            let starts = origin.take_start() && skipped == 0;
            self.store().push_gap(gap, len - skipped, origin.peer, starts);
        }
    }

    /// The stream grows by `len` bytes; answers how many of them were consumed in advance.
    fn advance(&mut self, len: u64) -> u64 {
        let skipped = self.position.saturating_sub(self.arrived).min(len);
        self.arrived = self.arrived.saturating_add(len);
        skipped
    }

    /// What lies before `offset` and has not come is lost.
    fn lose_until(&mut self, offset: u64, counters: &mut Counters) {
        let mut origin = Origin { peer: None, starts: false };
        self.append_gap(Gap::Lost, offset.saturating_sub(self.arrived), &mut origin, counters);
    }

    /// Keeps the unread content within its limit.
    fn trim(&mut self, limits: &Limits, counters: &mut Counters) {
        if self.store.as_ref().is_some_and(|store| store.content() > limits.stream_bytes) {
            self.shed_to(limits.stream_bytes, counters);
            self.store().shrink(limits.stream_bytes);
        }
    }

    /// Drops the oldest unread content until at most `limit` bytes of memory hold the rest.
    fn shed_to(&mut self, limit: usize, counters: &mut Counters) {
        while let Some(store) = self.store.as_mut()
            && store.content() > limit
        {
            let (len, captured) = store.shed((store.content() - limit) as u64);
            self.shed += len;
            self.lost = self.lost.saturating_add(captured);
            counters.shed += captured;
        }
    }

    fn store(&mut self) -> &mut Store {
        self.store.get_or_insert_default()
    }

    #[inline]
    fn call(&self, offset: u64) -> Option<&Call> {
        match &self.newest {
            Some(newest) if offset < newest.start => self.older_call(offset).or(Some(newest)),
            newest => newest.as_ref(),
        }
    }

    fn older_call(&self, offset: u64) -> Option<&Call> {
        self.store.as_ref()?.call(offset)
    }

    /// What follows everything that has arrived.
    fn tail(&self) -> Next {
        match self.ending {
            Ending::Open => Next::More,
            Ending::Orderly => Next::End,
            Ending::Broken(errno) => Next::Broken(errno),
        }
    }

    /// What follows the captured bytes at the front, which are followed by this run.
    fn next(&self, run: Option<&Run>) -> Next {
        match run {
            None => self.tail(),
            // Not where another datagram begins.
            Some(Run { kind: Kind::Gap(gap), len, starts: false, .. }) => Next::Gap(*gap, *len),
            Some(_) => Next::More,
        }
    }

    /// Does a call begin at the front?
    fn at_call(&self) -> bool {
        self.call(self.position).is_some_and(|call| call.start == self.position && call.begins)
    }
}

impl Origin {
    /// Answers once whether a datagram starts: with the first of its bytes.
    fn take_start(&mut self) -> bool {
        std::mem::take(&mut self.starts)
    }
}

impl Stream for Half {
    fn front(&self) -> Front<'_> {
        let (len, next) = self.ahead();
        let (mut bytes, mut boundary) = (&[][..], false);
        // No call begins behind all that have come.
        if self.shed == 0
            && let Some(store) = self.store.as_deref()
            && let Some(first) = store.first()
        {
            (bytes, boundary) = (store.bytes(len), first.starts || self.at_call());
        }
        Front { offset: self.position, bytes, next, boundary }
    }

    fn ahead(&self) -> (u64, Next) {
        if self.shed > 0 {
            return (0, Next::Gap(Gap::Lost, self.shed));
        }
        // Asked many times for each message, and mostly there is nothing.
        let store = self.store.as_deref();
        match store.and_then(Store::first) {
            None => (0, self.tail()),
            Some(Run { kind: Kind::Bytes, len, .. }) => (*len, self.next(store.and_then(Store::second))),
            Some(Run { kind: Kind::Gap(gap), len, .. }) => (0, Next::Gap(*gap, *len)),
        }
    }

    fn consume(&mut self, count: u64) {
        let shed = self.shed.min(count);
        self.shed -= shed;
        if let Some(store) = self.store.as_mut() {
            store.consume(count - shed);
        }
        self.position = self.position.saturating_add(count);
    }

    fn mark(&self, offset: u64) -> Mark {
        self.call(offset).map_or_else(Mark::default, |call| call.mark)
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}
