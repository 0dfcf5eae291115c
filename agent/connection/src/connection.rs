//! Comes in: the events of one socket, from whichever process holds it. Goes out: its facts, its two streams, and the
//! state of the next stage. The socket's cookie is its identity: `fork`, `dup`, passing it on or reusing its number
//! change nothing.

use crate::counters::Counters;
use crate::event::{Address, Change, Data, DataFlags, Direction, Life, Nanos, Socket, Task};
use crate::facts::{Facts, Side};
use crate::half::{Ending, Half};
use crate::limits::Limits;
use crate::piece::{Piece, unwrap_offset};
use crate::store::Store;

/// Bytes that may be on their way and not yet told of; an acknowledgement further ahead is one behind.
const TCP_AHEAD: u32 = 1 << 30;

/// One connection, or one datagram socket.
#[derive(Debug)]
pub struct Connection<S> {
    /// What is known of it. `socket.peer` of a datagram socket is that of the last event; see [`Half::peer`].
    pub facts: Facts,
    /// State of the next stage.
    pub state: S,
    received: Half,
    sent: Half,
    fate: Fate,
    used: Nanos,
    ring_lost: u32,
    /// Was its opening seen, so that its streams begin with the connection's first bytes?
    whole: bool,
}

/// What becomes of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    #[default]
    Open,
    /// Its socket closed, but the program has yet to read what was received before.
    Closing(Box<Closed>),
    /// Its socket closed; both streams end. This is the last look at it.
    Closed(Box<Closed>),
    /// It is forgotten, idle or to make room, although its socket may live on. This is the last look at it.
    Forgotten,
}

/// How a socket closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub time: Nanos,
    /// The socket's errno, 0 for an orderly close.
    pub error: u16,
    /// Bytes acknowledged by the peer in the whole life of the connection, as the kernel counts.
    pub sent: u64,
    /// Bytes received in the whole life of the connection, as the kernel counts.
    pub received: u64,
}

impl<S: Default> Connection<S> {
    /// A connection first seen at `time`.
    pub(crate) fn new(socket: Socket, time: Nanos) -> Self {
        let facts = Facts {
            socket,
            side: Side::Unknown,
            task: Task::default(),
            cgroup: 0,
            opened: time,
            rtt_us: 0,
            retransmits: 0,
            io_uring: false,
        };
        Self {
            facts,
            state: S::default(),
            received: Half::default(),
            sent: Half::default(),
            fate: Fate::Open,
            used: time,
            ring_lost: 0,
            whole: false,
        }
    }
}

impl<S> Connection<S> {
    /// Facts, state, the received and the sent stream, to be borrowed together.
    pub fn split(&mut self) -> (&Facts, &mut S, &mut Half, &mut Half) {
        (&self.facts, &mut self.state, &mut self.received, &mut self.sent)
    }

    /// The stream of one direction.
    pub fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// Forgets both streams: what comes next is taken as the first that is seen of them. For one that was not looked at for
    /// a while.
    pub fn begin_anew(&mut self) {
        (self.received, self.sent) = (Half::default(), Half::default());
        self.whole = false;
    }

    /// What becomes of it.
    #[must_use]
    pub fn fate(&self) -> &Fate {
        &self.fate
    }

    /// Is this the last look at it? What the next stage still wants to say of it, it says now.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.fate, Fate::Closed(_) | Fate::Forgotten)
    }

    /// Does it go on, with all that has come read? The next stage, which saw it after its last event, has nothing to read
    /// then.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.is_over() && self.received.is_read() && self.sent.is_read()
    }

    /// When its latest event happened.
    #[must_use]
    pub fn used(&self) -> Nanos {
        self.used
    }

    /// Memory of its streams beyond the struct.
    pub(crate) fn cost(&self) -> usize {
        self.received.cost() + self.sent.cost()
    }

    /// Must a sweep look after it although no event comes?
    pub(crate) fn waits(&self) -> bool {
        self.received.waits() || self.sent.waits() || matches!(self.fate, Fate::Closing(_))
    }

    /// Takes in bytes.
    pub(crate) fn data(&mut self, data: &Data<'_>, limits: &Limits, counters: &mut Counters) {
        self.learn(data, counters);
        let empty = data.len == 0 && (data.direction == Direction::Sent || is_datagram(data));
        if empty {
            return;
        }
        let offset = unwrap_offset(data.socket.transport, data.offset, self.half(data.direction).newest());
        match (&mut Piece::new(data, offset), data.direction) {
            (Some(piece), Direction::Received) => {
                piece.after = self.causes(data);
                self.received.take(piece, limits, counters);
            }
            (Some(piece), Direction::Sent) => self.take_sent(piece, limits, counters),
            (None, _) => counters.implausible += 1,
        }
        self.close_if_read(counters);
    }

    /// How far the sent stream must have come before these bytes may be read, or an answer is seen before its request: a call
    /// that sends may lose its processor between the last byte and its end, where it is told of. The FIN, one place behind
    /// the last byte, is acknowledged too. 0 where nothing is missing.
    fn causes(&self, data: &Data<'_>) -> u64 {
        let (Some(acked), Some(newest)) = (data.acked, self.sent.newest()) else { return 0 };
        let ahead = acked.wrapping_sub(newest as u32);
        if !(2..TCP_AHEAD).contains(&ahead) || self.received.waits_in_vain() {
            return 0;
        }
        newest.saturating_add(u64::from(ahead) - 1)
    }

    fn take_sent(&mut self, piece: &mut Piece<'_>, limits: &Limits, counters: &mut Counters) {
        // What was read only after these bytes had arrived was not read before they left.
        if let Some(read) = self.received.awaits(piece.offset) {
            piece.mark.time = piece.mark.time.min(read);
        }
        self.sent.take(piece, limits, counters);
        self.sent_moved(counters);
    }

    /// What was received and waits for what was sent may go on.
    fn sent_moved(&mut self, counters: &mut Counters) {
        if let Some(newest) = self.sent.newest() {
            self.received.other_reached(newest, counters);
        }
    }

    fn learn(&mut self, data: &Data<'_>, counters: &mut Counters) {
        let facts = &mut self.facts;
        learn_addresses(&mut facts.socket, &data.socket);
        if is_datagram(data) {
            // The next one may be another's.
            facts.socket.peer = data.socket.peer;
        }
        (facts.task, facts.cgroup) = (data.task, data.cgroup);
        if data.rtt_us != 0 {
            facts.rtt_us = data.rtt_us;
        }
        facts.retransmits = facts.retransmits.max(data.retransmits);
        facts.io_uring |= data.flags.contains(DataFlags::IO_URING);
        let more = data.lost.wrapping_sub(self.ring_lost);
        // Events of two processors may swap: a count that goes back a little is an older one.
        if more < 1 << 31 {
            counters.ring_lost += u64::from(more);
            self.ring_lost = data.lost;
        }
        self.used = self.used.max(data.time);
    }

    /// Takes in a change of the socket's life.
    pub(crate) fn life(&mut self, life: &Life, counters: &mut Counters) {
        self.used = self.used.max(life.time);
        match life.change {
            Change::Connecting | Change::Connected => self.opened(life, Side::Client),
            Change::Accepted => self.opened(life, Side::Server),
            Change::SentEnd => self.sent.end(Ending::Orderly, life.time),
            // The FIN reached the host; the program may have bytes before it yet to read. The end shows when the
            // program reads it (a length of 0) or the socket closes.
            Change::ReceivedEnd => {}
            Change::Closed { error, sent, received } => {
                self.fate = Fate::Closing(Box::new(Closed { time: life.time, error, sent, received }));
                self.close_if_read(counters);
            }
        }
    }

    fn opened(&mut self, life: &Life, side: Side) {
        learn_addresses(&mut self.facts.socket, &life.socket);
        self.facts.side = side;
        if !self.has_begun() {
            self.whole = true;
            if life.task != Task::default() {
                self.facts.task = life.task;
            }
        }
    }

    /// Have bytes been seen?
    pub(crate) fn has_begun(&self) -> bool {
        self.received.newest().is_some() || self.sent.newest().is_some()
    }

    /// Ends a closing connection unless bytes are left to read.
    ///
    /// TCP closes before the program has read everything where the peer answers a half-close: the socket goes to
    /// `TIME_WAIT`, which the kernel reports as closed, with the answer still in its queue (`tcp_time_wait`,
    /// net/ipv4/tcp_minisocks.c). A reset leaves the queue readable, too. The kernel's count includes the
    /// FIN.
    fn close_if_read(&mut self, counters: &mut Counters) {
        let Fate::Closing(closed) = &self.fate else { return };
        let unread = closed.received > self.received.seen().saturating_add(1);
        if !(self.whole && unread) || self.received.has_ended() {
            self.close(counters);
        }
    }

    /// Ends a closing connection.
    fn close(&mut self, counters: &mut Counters) {
        if let Fate::Closing(closed) = std::mem::take(&mut self.fate) {
            let ending = if closed.error == 0 { Ending::Orderly } else { Ending::Broken(closed.error) };
            for half in [&mut self.received, &mut self.sent] {
                half.give_up(counters);
                half.end(ending, closed.time);
            }
            self.fate = Fate::Closed(closed);
        }
    }

    /// It will be forgotten.
    pub(crate) fn forget(&mut self, counters: &mut Counters) {
        self.received.give_up(counters);
        self.sent.give_up(counters);
        self.close(counters);
        if self.fate == Fate::Open {
            self.fate = Fate::Forgotten;
        }
    }

    /// Does what the time `now` asks for.
    pub(crate) fn settle(&mut self, now: Nanos, limits: &Limits, counters: &mut Counters) {
        let before = self.sent.newest();
        self.sent.settle(now, limits, counters);
        if self.sent.newest() != before {
            self.sent_moved(counters);
        }
        self.received.settle(now, limits, counters);
        self.close_if_read(counters);
        if let Fate::Closing(closed) = &self.fate
            && now.since(closed.time) >= limits.linger_ns
        {
            self.close(counters);
        }
    }

    /// Gives up memory that holds nothing.
    pub(crate) fn rest(&mut self, spare: &mut Option<Box<Store>>) {
        self.received.rest(spare);
        self.sent.rest(spare);
    }

    /// Turns everything unread into gaps and frees its memory.
    pub(crate) fn empty(&mut self, counters: &mut Counters) {
        self.received.empty(counters);
        self.sent.empty(counters);
    }
}

fn is_datagram(data: &Data<'_>) -> bool {
    data.flags.contains(DataFlags::DATAGRAM)
}

/// Takes over the addresses that are known now: a socket may be named late, and loses its names early.
#[inline]
fn learn_addresses(known: &mut Socket, told: &Socket) {
    for (known, told) in [(&mut known.local, told.local), (&mut known.peer, told.peer)] {
        if told != Address::Unknown {
            *known = told;
        }
    }
}
