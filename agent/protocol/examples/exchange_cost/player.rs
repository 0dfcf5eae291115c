//! Comes in: a conversation. Goes out: its calls as events of a connection, round after round, through the connection
//! stage to whoever reads the streams. Counts the exchanges that end.

use wirespan_connection::{connection::Connection, connections::Connections, limits::Limits};
use wirespan_protocol::{
    Session, Settings,
    event::{Change, Cookie, Data, DataFlags, Direction, Event, Life, Nanos, Socket, Task, Transport},
    exchange::{Ending, Output},
    facts::Side,
    stream::Stream as _,
    testing::{Call, Part, facts},
};

use crate::streams::{Again, Stream};

/// Time between two calls, ns.
const STEP: u64 = 10_000;

/// Length of an HTTP/2 frame's header, and where in it the stream's id stands (RFC 9113 section 4.1).
const HEADER: usize = 9;
const STREAM_ID: usize = 5;

const TASK: Task = Task { pid: 7, tid: 7, key: 7, rests: 0, next: None };

/// Reads what the streams of a connection have.
pub(crate) type Read = fn(&mut Reader, &mut Connection<Session>);

/// A conversation, round after round.
pub(crate) struct Player {
    wire: Wire,
    again: Again,
    opening: Vec<Piece>,
    round: Vec<Piece>,
    begun: bool,
}

/// The stages, and one connection at a time.
struct Wire {
    connections: Connections<Session>,
    reader: Reader,
    socket: Socket,
    /// Offsets of the next bytes: received, sent.
    offsets: [u64; 2],
    time: u64,
}

/// What reads the streams, and what it said.
pub(crate) struct Reader {
    settings: Settings,
    out: Vec<Output>,
    exchanges: u64,
}

/// A call.
struct Piece {
    direction: Direction,
    bytes: Vec<u8>,
}

impl From<Call> for Piece {
    fn from(call: Call) -> Self {
        let bytes = call.parts.into_iter().flat_map(|part| match part {
            Part::Bytes(bytes) => bytes,
            Part::Gap(..) => Vec::new(),
        });
        Self { direction: call.direction, bytes: bytes.collect() }
    }
}

impl Player {
    /// Nothing was played yet.
    pub(crate) fn new(stream: &Stream) -> Self {
        let (opening, round) = stream.calls();
        Self {
            wire: Wire::new(if stream.again == Again::Datagrams { Transport::Udp } else { Transport::Tcp }),
            again: stream.again,
            opening: opening.into_iter().map(Piece::from).collect(),
            round: round.into_iter().map(Piece::from).collect(),
            begun: false,
        }
    }

    /// Plays so many rounds; the number of exchanges that ended.
    pub(crate) fn rounds(&mut self, rounds: u64, read: Read) -> u64 {
        let before = self.wire.reader.exchanges;
        (0..rounds).for_each(|_| self.round(read));
        self.wire.reader.exchanges - before
    }

    fn round(&mut self, read: Read) {
        let Self { wire, opening, round, .. } = self;
        if !self.begun {
            self.begun = true;
            wire.open(read);
            opening.iter().for_each(|piece| wire.call(piece, read));
        }
        round.iter().for_each(|piece| wire.call(piece, read));
        match self.again {
            Again::Same | Again::Datagrams => {}
            Again::Streams(step) => round.iter_mut().for_each(|piece| renumber(&mut piece.bytes, step)),
            Again::Connection => {
                wire.close(read);
                self.begun = false;
            }
        }
    }
}

impl Reader {
    /// The protocol stage.
    pub(crate) fn protocol(&mut self, connection: &mut Connection<Session>) {
        let (is_over, time) = (connection.is_over(), connection.used());
        let (facts, session, received, sent) = connection.split();
        session.advance(&self.settings, facts, received, sent, &mut self.out);
        if is_over {
            session.finish(&self.settings, facts, Ending::Closed, time, &mut self.out);
        }
        let closed = |output: &&Output| matches!(output, Output::Closed(_));
        self.exchanges += self.out.iter().filter(closed).count() as u64;
        self.out.clear();
    }

    /// Nobody reads.
    pub(crate) fn nobody(&mut self, connection: &mut Connection<Session>) {
        for direction in [Direction::Received, Direction::Sent] {
            let half = connection.half(direction);
            let length = half.front().bytes.len() as u64;
            half.consume(length);
        }
    }
}

impl Wire {
    fn new(transport: Transport) -> Self {
        Self {
            connections: Connections::new(Limits::default()),
            reader: Reader { settings: Settings::default(), out: Vec::new(), exchanges: 0 },
            socket: Socket { transport, ..facts(Side::Server).socket },
            offsets: [0; 2],
            time: 1,
        }
    }

    fn open(&mut self, read: Read) {
        self.offsets = [1000, 5000];
        if self.socket.transport == Transport::Tcp {
            self.life(Change::Accepted, read);
        }
    }

    fn close(&mut self, read: Read) {
        self.life(Change::Closed { error: 0, sent: 0, received: 0 }, read);
        self.socket.cookie = Cookie(self.socket.cookie.0 + 1);
    }

    fn life(&mut self, change: Change, read: Read) {
        let event = Event::Life(Life { time: Nanos(self.time), socket: self.socket, task: TASK, change });
        self.connections.accept(&event, |connection| read(&mut self.reader, connection));
    }

    fn call(&mut self, piece: &Piece, read: Read) {
        self.time += STEP;
        let Some(offset) = self.offsets.get_mut(usize::from(piece.direction == Direction::Sent)) else {
            return;
        };
        let is_datagram = self.socket.transport == Transport::Udp;
        let event = Event::Data(Data {
            time: Nanos(self.time),
            socket: self.socket,
            direction: piece.direction,
            // Sequence numbers of TCP wrap.
            offset: if is_datagram { *offset } else { *offset & u64::from(u32::MAX) },
            len: piece.bytes.len() as u32,
            task: TASK,
            cgroup: 1,
            flags: if is_datagram { DataFlags::DATAGRAM } else { DataFlags::default() },
            lost: 0,
            rtt_us: 0,
            retransmits: 0,
            acked: None,
            head: &piece.bytes,
            tail: &[],
        });
        *offset += piece.bytes.len() as u64;
        self.connections.accept(&event, |connection| read(&mut self.reader, connection));
    }
}

/// The frames of a call, for streams that come `step` later.
fn renumber(bytes: &mut [u8], step: u32) {
    let mut place = 0;
    while let Some(header) = bytes.get_mut(place..place + HEADER) {
        let (length, id) = header.split_at_mut(STREAM_ID);
        place += HEADER + length.iter().take(3).fold(0, |length, byte| length << 8 | usize::from(*byte));
        let stream = id.iter().fold(0_u32, |id, byte| id << 8 | u32::from(*byte));
        if stream != 0 {
            id.copy_from_slice(&((stream + step) & (u32::MAX >> 1)).to_be_bytes());
        }
    }
}
