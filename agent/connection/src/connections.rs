//! Comes in: [`Event`]s in the order of time, as far as the kernel's rings allow. Goes out: each connection they touch,
//! while it is touched, so that the next stage reads its streams. Refuses events without a socket; bounds the memory of
//! all connections together.

use crate::connection::{Connection, Fate};
use crate::counters::Counters;
use crate::event::{Change, Cookie, Data, Event, Life, Nanos, Socket};
use crate::limits::Limits;
use crate::queue::Queue;
use crate::recent::Recent;
use crate::slots::{Index, Slots};
use crate::store::Store;

/// Connections a sweep looks at, at least.
const SWEEP_LEAST: usize = 256;

/// Sweeps that a full round over all connections takes where they are many.
const SWEEP_PART: usize = 32;

/// Connections compared when memory must be given back; the heaviest gives.
const CANDIDATES: usize = 8;

/// All connections, with a state `S` of the next stage for each.
///
/// The next stage is called with every connection touched, reads what it can and returns. A connection that
/// [is over](Connection::is_over) is removed after the call. A connection not begun yet begins with the first event
/// seen of it, in the middle if need be.
#[derive(Debug)]
pub struct Connections<S> {
    limits: Limits,
    counters: Counters,
    slots: Slots<Connection<S>>,
    recent: Recent,
    /// Connections that may need a sweep soon. A removed one leaves its entry, which is skipped.
    waiting: Queue,
    /// Connections that hold memory; likewise.
    buffered: Queue,
    /// Memory of all streams.
    held: usize,
    /// Memory that the last stream read to its end gave up: the next event needs no allocation.
    spare: Option<Box<Store>>,
    cursor: usize,
}

impl<S: Default> Connections<S> {
    /// No connections.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            counters: Counters::default(),
            slots: Slots::new(),
            recent: Recent::new(limits.remembered),
            waiting: Queue::default(),
            buffered: Queue::default(),
            held: 0,
            spare: None,
            cursor: 0,
        }
    }

    /// What passed so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Connections tracked now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Is none tracked?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory of all streams now, bytes: at most [`Limits::total_bytes`].
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// Applies one event. `visit` sees the connection it touched and, before it, one that had to make room.
    pub fn accept(&mut self, event: &Event<'_>, mut visit: impl FnMut(&mut Connection<S>)) {
        self.counters.events += 1;
        match event {
            Event::Data(data) => self.data(data, &mut visit),
            Event::Life(life) => self.life(life, &mut visit),
            Event::Exec(_)
            | Event::Fork(_)
            | Event::Exit(_)
            | Event::Birth(_)
            | Event::Death(_)
            | Event::Wake(_) => {}
        }
        self.relieve();
    }

    /// Does what the time `now` asks for: gives up overdue holes, ends connections that closed, forgets idle ones.
    ///
    /// To be called several times a second. Work per call is bounded by a share of the connections: those that wait
    /// for something come first, every one is visited once in some 32 calls.
    pub fn sweep(&mut self, now: Nanos, mut visit: impl FnMut(&mut Connection<S>)) {
        let budget = SWEEP_LEAST.max(self.slots.slots() / SWEEP_PART);
        self.sweep_waiting(now, budget, &mut visit);
        self.sweep_idle(now, budget, &mut visit);
        self.sweep_round(budget, &mut visit);
        self.relieve();
    }

    /// Shows every connection that is tracked now.
    pub fn each(&mut self, mut visit: impl FnMut(&mut Connection<S>)) {
        for index in 0..self.slots.slots() {
            if let Some(connection) = self.slots.get_mut(index as Index) {
                visit(connection);
            }
        }
    }

    fn data(&mut self, data: &Data<'_>, visit: &mut impl FnMut(&mut Connection<S>)) {
        let Some(index) = self.find_or_open(data, visit) else { return };
        self.slots.touch(index);
        self.attend(index, visit, |connection, limits, counters, spare| {
            connection.half(data.direction).lend(spare);
            connection.data(data, limits, counters);
        });
    }

    fn find_or_open(&mut self, data: &Data<'_>, visit: &mut impl FnMut(&mut Connection<S>)) -> Option<Index> {
        let cookie = data.socket.cookie;
        if let Some(index) = self.slots.find(cookie) {
            return Some(index);
        }
        if cookie.0 == 0 {
            self.counters.implausible += 1;
            return None;
        }
        if self.recent.closed(cookie).is_some() {
            self.counters.late += 1;
            return None;
        }
        (data.len > 0).then(|| self.open(data.socket, data.time, visit))
    }

    fn life(&mut self, life: &Life, visit: &mut impl FnMut(&mut Connection<S>)) {
        let cookie = life.socket.cookie;
        if opens(life) && self.opens_anew(life) {
            self.forget(cookie, visit);
        }
        let index = match self.slots.find(cookie) {
            Some(index) => index,
            None if self.may_open(life) => self.open(life.socket, life.time, visit),
            None => return,
        };
        self.slots.touch(index);
        self.attend(index, visit, |connection, _, counters, _| connection.life(life, counters));
    }

    /// Does a socket already known start over? `connect` on a socket that was disconnected keeps its cookie.
    fn opens_anew(&mut self, life: &Life) -> bool {
        let Some(connection) =
            self.slots.find(life.socket.cookie).and_then(|index| self.slots.get_mut(index))
        else {
            return false;
        };
        let later = life.time > connection.used();
        let closing = *connection.fate() != Fate::Open;
        later && (closing || (life.change == Change::Connecting && connection.has_begun()))
    }

    /// May an event of an unknown socket open a connection? Notes the close of one never seen.
    fn may_open(&mut self, life: &Life) -> bool {
        let cookie = life.socket.cookie;
        if cookie.0 == 0 {
            self.counters.implausible += 1;
            return false;
        }
        if matches!(life.change, Change::Closed { .. }) {
            self.recent.remember(cookie, life.time);
        }
        let late = self.recent.closed(cookie).is_some_and(|closed| life.time <= closed);
        self.counters.late += u64::from(late && opens(life));
        opens(life) && !late
    }

    fn open(&mut self, socket: Socket, time: Nanos, visit: &mut impl FnMut(&mut Connection<S>)) -> Index {
        while self.slots.len() >= self.limits.max_connections.max(1)
            && let Some(oldest) = self.slots.oldest()
        {
            self.counters.evicted += 1;
            self.drop_slot(oldest, visit);
        }
        self.counters.opened += 1;
        self.slots.insert(socket.cookie, Box::new(Connection::new(socket, time)))
    }

    fn forget(&mut self, cookie: Cookie, visit: &mut impl FnMut(&mut Connection<S>)) {
        if let Some(index) = self.slots.find(cookie) {
            self.drop_slot(index, visit);
        }
    }

    fn drop_slot(&mut self, index: Index, visit: &mut impl FnMut(&mut Connection<S>)) {
        self.attend(index, visit, |connection, _, counters, _| connection.forget(counters));
    }

    /// Changes a connection, shows it, and settles what the table keeps about it.
    fn attend(
        &mut self,
        index: Index,
        visit: &mut impl FnMut(&mut Connection<S>),
        change: impl FnOnce(&mut Connection<S>, &Limits, &mut Counters, &mut Option<Box<Store>>),
    ) {
        let Some(connection) = self.slots.get_mut(index) else { return };
        self.held -= connection.cost();
        change(connection, &self.limits, &mut self.counters, &mut self.spare);
        visit(connection);
        if connection.is_over() {
            self.remove(index);
            return;
        }
        connection.rest(&mut self.spare);
        let cost = connection.cost();
        self.held += cost;
        if cost > 0 {
            self.buffered.push(index);
        }
        if connection.waits() {
            self.waiting.push(index);
        }
    }

    /// Removes a connection that is over and whose memory is accounted for.
    fn remove(&mut self, index: Index) {
        let Some(connection) = self.slots.get_mut(index) else { return };
        let cookie = connection.facts.socket.cookie;
        if let Fate::Closed(closed) = connection.fate() {
            self.recent.remember(cookie, closed.time);
            self.counters.closed += 1;
        }
        self.slots.remove(cookie);
    }

    /// Empties the heaviest of a few connections until all of them keep within the limit.
    fn relieve(&mut self) {
        while self.held > self.limits.total_bytes
            && let Some(index) = self.heaviest()
            && let Some(connection) = self.slots.get_mut(index)
        {
            self.held -= connection.cost();
            connection.empty(&mut self.counters);
            self.held += connection.cost();
        }
    }

    /// Takes the heaviest of the connections that have held memory longest out of their queue.
    fn heaviest(&mut self) -> Option<Index> {
        let mut heaviest: Option<(usize, Index)> = None;
        for _ in 0..CANDIDATES {
            let Some(index) = self.next_buffered() else { break };
            let cost = self.slots.get_mut(index).map_or(0, |connection| connection.cost());
            let lighter = match heaviest {
                Some((most, _)) if most >= cost => Some(index),
                _ => heaviest.replace((cost, index)).map(|(_, index)| index),
            };
            if let Some(lighter) = lighter {
                self.buffered.push(lighter);
            }
        }
        heaviest.map(|(_, index)| index)
    }

    fn next_buffered(&mut self) -> Option<Index> {
        while let Some(index) = self.buffered.pop() {
            if self.slots.get_mut(index).is_some_and(|connection| connection.cost() > 0) {
                return Some(index);
            }
        }
        None
    }

    fn sweep_waiting(&mut self, now: Nanos, budget: usize, visit: &mut impl FnMut(&mut Connection<S>)) {
        for _ in 0..self.waiting.len().min(budget) {
            let Some(index) = self.waiting.pop() else { return };
            self.attend(index, visit, |connection, limits, counters, _| {
                connection.settle(now, limits, counters)
            });
        }
    }

    fn sweep_idle(&mut self, now: Nanos, budget: usize, visit: &mut impl FnMut(&mut Connection<S>)) {
        for _ in 0..budget {
            let Some(index) = self.slots.oldest() else { return };
            let used = self.slots.get_mut(index).map_or(now, |connection| connection.used());
            if now.since(used) < self.limits.idle_ns {
                return;
            }
            self.counters.idle += 1;
            self.drop_slot(index, visit);
        }
    }

    fn sweep_round(&mut self, budget: usize, visit: &mut impl FnMut(&mut Connection<S>)) {
        for _ in 0..budget.min(self.slots.slots()) {
            self.cursor = (self.cursor + 1) % self.slots.slots();
            self.attend(self.cursor as Index, visit, |_, _, _, _| {});
        }
    }
}

/// Is it the opening of a connection?
fn opens(life: &Life) -> bool {
    matches!(life.change, Change::Connecting | Change::Connected | Change::Accepted)
}
