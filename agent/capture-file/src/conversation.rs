//! Comes in: the messages of one connection. Goes out: events, as its ends would have made them. Which end's is
//! decided before; both are told in the order of cause and effect.

use std::net::SocketAddr;

use wirespan_proto::event::{
    Address, Change, Cookie, Data, DataFlags, Direction, Event, Life, Nanos, Socket, Task, Transport,
};

use crate::{
    stream::{Piece, Stream},
    transport::{Message, Tcp},
};

/// errno of a connection that the peer reset (include/uapi/asm-generic/errno.h).
const ECONNRESET: u16 = 104;
/// errno of a connection that the peer refused.
const ECONNREFUSED: u16 = 111;

/// One end that is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) cookie: Cookie,
    pub(crate) pid: u32,
    pub(crate) is_client: bool,
}

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// Number of the connection: no two share a task.
    number: u32,
    transport: Transport,
    seats: Vec<Seat>,
    /// From the client to the server.
    up: Stream,
    down: Stream,
    phase: Phase,
    /// Time of the last packet.
    pub(crate) used: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client asked for a connection; its sequence number.
    Asked(u32),
    /// The server agreed.
    Agreed(u32),
    /// Bytes may flow.
    Open,
    Closed,
}

impl Conversation {
    pub(crate) fn new(
        client: SocketAddr,
        server: SocketAddr,
        number: u32,
        transport: Transport,
        seats: Vec<Seat>,
    ) -> Self {
        let (up, down) = Default::default();
        Self { client, server, number, transport, seats, up, down, phase: Phase::Open, used: 0 }
    }

    /// Captured bytes held because earlier ones are missing.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.up.held_bytes() + self.down.held_bytes()
    }

    /// Bytes that were in no captured segment.
    pub(crate) const fn missing(&self) -> u64 {
        self.up.missing() + self.down.missing()
    }

    /// Is this the SYN of another connection between the same ends?
    pub(crate) fn is_over_with(&self, tcp: &Tcp) -> bool {
        let asks = tcp.syn && tcp.ack.is_none();
        match self.phase {
            Phase::Asked(offset) | Phase::Agreed(offset) => asks && offset != tcp.offset,
            Phase::Open | Phase::Closed => asks,
        }
    }

    /// Takes a datagram.
    pub(crate) fn datagram(&mut self, message: &Message<'_>, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        let from_client = message.source == self.client;
        let teller = self.teller(from_client, time);
        let stream = if from_client { &mut self.up } else { &mut self.down };
        let piece = Piece { offset: 0, bytes: message.bytes, len: message.len };
        let offset = stream.seen();
        teller.bytes(piece, offset, DataFlags::DATAGRAM, tell);
        stream.count(message.len);
    }

    /// Takes a segment.
    pub(crate) fn segment(
        &mut self,
        message: &Message<'_>,
        tcp: &Tcp,
        time: u64,
        tell: &mut impl FnMut(Event<'_>),
    ) {
        if self.phase == Phase::Closed {
            return;
        }
        let from_client = message.source == self.client;
        if tcp.syn {
            self.handshake(tcp, from_client, time, tell);
        } else if !tcp.rst {
            self.establish(time, tell);
        }
        if let Some(ack) = tcp.ack {
            self.acknowledge(ack, !from_client, time, tell);
        }
        let piece = Piece { offset: tcp.offset, bytes: message.bytes, len: message.len };
        let (begins, lone) = (message.len > 0 || tcp.fin, tcp.syn || tcp.rst);
        if begins && !lone {
            self.bytes(piece, tcp.fin, from_client, time, tell);
        }
        if tcp.rst {
            self.reset(from_client, time, tell);
        } else if self.up.has_ended() && self.down.has_ended() {
            self.close([0, 0], time, tell);
        }
    }

    /// Nothing more will come of it.
    pub(crate) fn abandon(&mut self, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        if self.phase != Phase::Closed {
            self.give_up(time, tell);
            self.close([0, 0], time, tell);
        }
    }

    /// Gives out what waits for bytes that are missing.
    pub(crate) fn give_up(&mut self, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        for from_client in [true, false] {
            self.move_on(from_client, time, tell, |stream, give| stream.give_up(give));
        }
    }

    fn handshake(&mut self, tcp: &Tcp, from_client: bool, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        let stream = if from_client { &mut self.up } else { &mut self.down };
        if !stream.is_unseen() {
            return;
        }
        stream.begin(tcp.offset);
        if from_client {
            self.phase = Phase::Asked(tcp.offset);
            self.live(true, Change::Connecting, time, tell);
        } else {
            self.up.begin_before(tcp.ack.unwrap_or_default());
            self.phase = Phase::Agreed(self.up.position());
            self.live(true, Change::Connected, time, tell);
        }
    }

    /// The first segment behind the handshake, of which not all need have been captured.
    fn establish(&mut self, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        match std::mem::replace(&mut self.phase, Phase::Open) {
            Phase::Asked(_) => {
                self.live(true, Change::Connected, time, tell);
                self.live(false, Change::Accepted, time, tell);
            }
            Phase::Agreed(_) => self.live(false, Change::Accepted, time, tell),
            Phase::Open | Phase::Closed => {}
        }
    }

    fn acknowledge(&mut self, ack: u32, of_client: bool, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        self.move_on(of_client, time, tell, |stream, give| stream.acknowledge(ack, give));
    }

    fn bytes(
        &mut self,
        piece: Piece<'_>,
        fin: bool,
        from_client: bool,
        time: u64,
        tell: &mut impl FnMut(Event<'_>),
    ) {
        self.move_on(from_client, time, tell, |stream, give| stream.take(piece, fin, give));
    }

    /// Changes one stream; tells what it gives, and its end if that is reached now.
    fn move_on<T: FnMut(Event<'_>)>(
        &mut self,
        of_client: bool,
        time: u64,
        tell: &mut T,
        change: impl FnOnce(&mut Stream, &mut dyn FnMut(Piece<'_>)),
    ) {
        let teller = self.teller(of_client, time);
        let stream = if of_client { &mut self.up } else { &mut self.down };
        let had_ended = stream.has_ended();
        change(stream, &mut |piece| {
            teller.bytes(piece, u64::from(piece.offset), DataFlags::default(), tell);
        });
        if stream.has_ended() && !had_ended {
            teller.end(stream.position(), tell);
        }
    }

    fn reset(&mut self, from_client: bool, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        self.give_up(time, tell);
        let error = if matches!(self.phase, Phase::Asked(_)) { ECONNREFUSED } else { ECONNRESET };
        // Who sends a reset ends the connection as it wants; who gets it has an error.
        self.close(if from_client { [0, error] } else { [error, 0] }, time, tell);
    }

    /// Tells that it closed, with the errno of the client and of the server.
    fn close(&mut self, [client, server]: [u16; 2], time: u64, tell: &mut impl FnMut(Event<'_>)) {
        self.phase = Phase::Closed;
        let (up, down) = (self.up.seen(), self.down.seen());
        self.live(true, Change::Closed { error: client, sent: up, received: down }, time, tell);
        self.live(false, Change::Closed { error: server, sent: down, received: up }, time, tell);
    }

    fn live(&self, of_client: bool, change: Change, time: u64, tell: &mut impl FnMut(Event<'_>)) {
        let teller = self.teller(of_client, time);
        teller.seats(of_client).for_each(|seat| tell(teller.life(seat, change)));
    }

    fn teller(&self, from_client: bool, time: u64) -> Teller {
        let Self { client, server, number, transport, .. } = *self;
        let mut seats = [None; 2];
        seats.iter_mut().zip(&self.seats).for_each(|(slot, seat)| *slot = Some(*seat));
        Teller { client, server, number, transport, seats, from_client, time: Nanos(time) }
    }
}

/// Makes the events of one packet.
struct Teller {
    client: SocketAddr,
    server: SocketAddr,
    number: u32,
    transport: Transport,
    seats: [Option<Seat>; 2],
    from_client: bool,
    time: Nanos,
}

impl Teller {
    /// The end that is the client, or the other; none where it is not told.
    fn seats(&self, client: bool) -> impl Iterator<Item = Seat> {
        self.seats.into_iter().flatten().filter(move |seat| seat.is_client == client)
    }

    /// Bytes: first they are sent, then they are received.
    fn bytes(&self, piece: Piece<'_>, offset: u64, flags: DataFlags, tell: &mut impl FnMut(Event<'_>)) {
        let sent = self.seats(self.from_client).map(|seat| (seat, Direction::Sent));
        let received = self.seats(!self.from_client).map(|seat| (seat, Direction::Received));
        for (seat, direction) in sent.chain(received) {
            tell(Event::Data(self.data(seat, direction, piece, offset, flags)));
        }
    }

    /// The end of a stream, at this sequence number.
    fn end(&self, position: u32, tell: &mut impl FnMut(Event<'_>)) {
        self.seats(self.from_client).for_each(|seat| tell(self.life(seat, Change::SentEnd)));
        let end = Piece { offset: position, bytes: &[], len: 0 };
        for seat in self.seats(!self.from_client) {
            let data = self.data(seat, Direction::Received, end, u64::from(position), DataFlags::default());
            tell(Event::Data(data));
        }
    }

    fn data<'a>(
        &self,
        seat: Seat,
        direction: Direction,
        piece: Piece<'a>,
        offset: u64,
        flags: DataFlags,
    ) -> Data<'a> {
        Data {
            time: self.time,
            socket: self.socket(seat),
            direction,
            offset,
            len: piece.len,
            task: self.task(seat),
            cgroup: 0,
            flags,
            lost: 0,
            rtt_us: 0,
            retransmits: 0,
            acked: None,
            head: piece.bytes,
            tail: &[],
        }
    }

    fn life(&self, seat: Seat, change: Change) -> Event<'static> {
        Event::Life(Life { time: self.time, socket: self.socket(seat), task: self.task(seat), change })
    }

    fn socket(&self, seat: Seat) -> Socket {
        let (client, server) = (Address::Inet(self.client), Address::Inet(self.server));
        let (local, peer) = if seat.is_client { (client, server) } else { (server, client) };
        Socket { cookie: seat.cookie, netns: 0, transport: self.transport, local, peer }
    }

    fn task(&self, seat: Seat) -> Task {
        Task { pid: seat.pid, tid: 0, key: u64::from(self.number), rests: 0, next: None }
    }
}
