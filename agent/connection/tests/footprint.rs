//! What 100,000 idle connections cost, as the kernel sees it. Alone in its process: other tests would be measured, too.
#![cfg(target_os = "linux")]

use std::net::{Ipv4Addr, SocketAddr};

use wirespan_connection::connections::Connections;
use wirespan_connection::event::{
    Address, Cookie, Data, DataFlags, Direction, Event, Nanos, Socket, Task, Transport,
};
use wirespan_connection::limits::Limits;
use wirespan_connection::stream::Stream;

/// A protocol session of the size to expect.
#[derive(Default)]
struct Session([u64; 25]);

/// Anonymous memory of this process, KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("every Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("since Linux 4.5");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn data(cookie: u64) -> Data<'static> {
    let end = Address::Inet(SocketAddr::from((Ipv4Addr::LOCALHOST, 80)));
    Data {
        time: Nanos(1),
        socket: Socket { cookie: Cookie(cookie), netns: 1, transport: Transport::Tcp, local: end, peer: end },
        direction: Direction::Received,
        offset: 1,
        len: 1000,
        task: Task::default(),
        cgroup: 1,
        flags: DataFlags::default(),
        lost: 0,
        rtt_us: 0,
        retransmits: 0,
        acked: None,
        head: &[b'x'; 1000],
        tail: &[],
    }
}

#[test]
fn a_hundred_thousand_idle_connections_fit_into_64_mib() {
    let before = resident();
    let mut connections = Connections::<Session>::new(Limits::default());
    for cookie in 1..=100_000 {
        connections.accept(&Event::Data(data(cookie)), |connection| {
            connection.state.0[0] += 1;
            connection.half(Direction::Received).consume(1000);
        });
        if cookie % 1000 == 0 {
            connections.sweep(Nanos(2_000_000_000), |_| {});
        }
    }
    for _ in 0..40 {
        connections.sweep(Nanos(2_000_000_000), |_| {});
    }
    let used = resident() - before;
    assert_eq!((connections.len(), connections.held_bytes()), (100_000, 0));
    assert!(used < 64 << 10, "{used} KiB");
}
