//! Comes in: events written briefly. Goes out: what a reader of the streams saw, as text.

use std::net::{Ipv4Addr, SocketAddr};

use wirespan_connection::connection::Connection;
use wirespan_connection::connections::Connections;
use wirespan_connection::event::{
    Address, Change, Cookie, Data, DataFlags, Direction, Event, Life, Nanos, Socket, Task, Transport,
};
use wirespan_connection::half::Half;
use wirespan_connection::limits::Limits;
use wirespan_connection::stream::{Gap, Next, Stream};

/// One millisecond.
pub(crate) const MS: u64 = 1_000_000;

/// A TCP socket.
pub(crate) fn tcp(cookie: u64) -> Socket {
    Socket {
        cookie: Cookie(cookie),
        netns: 1,
        transport: Transport::Tcp,
        local: address(1, 40_000),
        peer: address(2, 80),
    }
}

/// A stream socket of the UNIX family, whose offsets do not wrap.
pub(crate) fn unix(cookie: u64) -> Socket {
    Socket {
        transport: Transport::Unix,
        local: Address::Unix(cookie),
        peer: Address::Unix(cookie + 1),
        ..tcp(cookie)
    }
}

/// A UDP socket, asked by or asking `peer`.
pub(crate) fn udp(cookie: u64, peer: Address) -> Socket {
    Socket { transport: Transport::Udp, peer, ..tcp(cookie) }
}

/// 10.0.0.`host`:`port`.
pub(crate) fn address(host: u8, port: u16) -> Address {
    Address::Inet(SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), port)))
}

/// Whole bytes received at `offset`, `ms` milliseconds after boot.
pub(crate) fn data(socket: Socket, ms: u64, offset: u64, bytes: &[u8]) -> Data<'_> {
    Data {
        time: Nanos(ms * MS),
        socket,
        direction: Direction::Received,
        offset,
        len: bytes.len() as u32,
        task: Task { pid: 10, tid: 11, key: 11, rests: 0, next: None },
        cgroup: 7,
        flags: DataFlags::default(),
        lost: 0,
        rtt_us: 0,
        retransmits: 0,
        acked: None,
        head: bytes,
        tail: &[],
    }
}

/// The same, sent.
pub(crate) fn sent(socket: Socket, ms: u64, offset: u64, bytes: &[u8]) -> Data<'_> {
    Data { direction: Direction::Sent, ..data(socket, ms, offset, bytes) }
}

/// A change in the life of a socket.
pub(crate) fn life(socket: Socket, ms: u64, change: Change) -> Event<'static> {
    Event::Life(Life { time: Nanos(ms * MS), socket, task: Task::default(), change })
}

/// An orderly close, with the kernel's byte counts unknown.
pub(crate) fn closed(socket: Socket, ms: u64, error: u16) -> Event<'static> {
    life(socket, ms, Change::Closed { error, sent: 0, received: 0 })
}

/// Reads everything there is, as text: bytes as they are, `[lost 5]`, `[not copied 5]`, `[io_uring 5]`, and the end as
/// `[end]` or `[broken 104]`.
pub(crate) fn read(half: &mut Half, seen: &mut String) {
    loop {
        let front = half.front();
        let len = front.bytes.len() as u64;
        seen.push_str(&String::from_utf8_lossy(front.bytes));
        let (gap, more) = match front.next {
            Next::Gap(gap, count) => {
                seen.push_str(&format!("[{} {count}]", name(gap)));
                (count, true)
            }
            Next::More => (0, len > 0),
            Next::End => (0, end(seen, "[end]")),
            Next::Broken(errno) => (0, end(seen, &format!("[broken {errno}]"))),
        };
        half.consume(len + gap);
        if !more {
            return;
        }
    }
}

fn end(seen: &mut String, text: &str) -> bool {
    if !seen.ends_with(text) {
        seen.push_str(text);
    }
    false
}

fn name(gap: Gap) -> &'static str {
    match gap {
        Gap::NotCopied => "not copied",
        Gap::Lost => "lost",
        Gap::IoUring => "io_uring",
    }
}

/// What was read of one connection: received and sent.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) received: String,
    pub(crate) sent: String,
}

impl Reader {
    /// Reads all of both streams.
    pub(crate) fn visit<S>(&mut self, connection: &mut Connection<S>) {
        read(connection.half(Direction::Received), &mut self.received);
        read(connection.half(Direction::Sent), &mut self.sent);
    }
}

/// Applies `events`, then sweeps at `sweep_ms`; answers what was read of all connections together.
pub(crate) fn play(events: &[Event<'_>], sweep_ms: u64) -> (Reader, Connections<()>) {
    let mut connections = Connections::<()>::new(Limits::default());
    let mut reader = Reader::default();
    for event in events {
        connections.accept(event, |connection| reader.visit(connection));
    }
    connections.sweep(Nanos(sweep_ms * MS), |connection| reader.visit(connection));
    (reader, connections)
}

/// Checks what is read of the received stream.
#[track_caller]
pub(crate) fn check(events: &[Event<'_>], expected: &str) {
    assert_eq!(play(events, 2000).0.received, expected);
}
