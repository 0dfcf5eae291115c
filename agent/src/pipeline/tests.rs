//! A parser that panics on one connection, and what becomes of the others.

use std::collections::BTreeMap;

use wirespan_proto::event::{Address, DataFlags, Socket, Task, Transport};

use super::*;
use crate::{
    config::{Flags, merge},
    daemon::setup,
    process::{HostFacts, Sources},
};

/// The policies that were ordered last.
#[derive(Default)]
struct Ordered(BTreeMap<u64, Policy>);

impl Orders for Ordered {
    fn policy(&mut self, cookie: Cookie, policy: Policy) {
        self.0.insert(cookie.0, policy);
    }

    fn verdict(&mut self, _: u32, _: bool) {}

    fn follow(&mut self, _: u32) {}
    fn wakes(&mut self, _: u32, _: bool) {}
}

fn pipeline() -> Pipeline {
    let config = merge(None, &[], &Flags::default()).unwrap().config;
    let processes = Processes::new(Sources::default(), HostFacts::default(), &Vec::new(), 64);
    Pipeline::new(setup::stages(&config, [[1; 16], [2; 16]], 0).unwrap(), processes)
}

fn request(cookie: u64, offset: u64) -> Event<'static> {
    received(cookie, offset, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn received(cookie: u64, offset: u64, bytes: &'static [u8]) -> Event<'static> {
    Event::Data(Data {
        time: Nanos(1_000 + offset),
        socket: Socket {
            cookie: Cookie(cookie),
            netns: 1,
            transport: Transport::Tcp,
            local: Address::Inet(([127, 0, 0, 1], 80).into()),
            peer: Address::Inet(([127, 0, 0, 1], 40_000).into()),
        },
        direction: Direction::Received,
        offset,
        len: bytes.len() as u32,
        task: Task { pid: 1, tid: 1, key: 1, rests: 0, next: None },
        cgroup: 1,
        flags: DataFlags::default(),
        lost: 0,
        rtt_us: 0,
        retransmits: 0,
        acked: None,
        head: bytes,
        tail: b"",
    })
}

#[test]
fn a_panic_ends_the_tracking_of_its_connection_alone() {
    let (mut pipeline, mut orders) = (pipeline(), Ordered::default());
    let Pipeline { connections, road } = &mut pipeline;

    for offset in [100, 200] {
        connections.accept(&request(1, offset), |connection| {
            road.guarded(connection, |_, _| panic!("a parser's mistake"));
        });
    }
    assert_eq!(pipeline.counters().panics, 2);

    pipeline.event(&request(1, 300), Clock::default(), &mut orders);
    pipeline.event(&request(2, 100), Clock::default(), &mut orders);
    assert_eq!(orders.0.get(&1), Some(&Policy::Ignore), "nothing more is copied of it");
    assert_ne!(orders.0.get(&2), Some(&Policy::Ignore), "the other one is followed");
    assert_eq!(pipeline.counters().panics, 2);
}

#[test]
fn at_the_end_what_is_open_and_not_recognised_is_counted() {
    let (mut pipeline, mut orders) = (pipeline(), Ordered::default());
    // The head of a TLS hello.
    pipeline.event(
        &received(1, 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        Clock::default(),
        &mut orders,
    );
    pipeline.event(&request(2, 100), Clock::default(), &mut orders);
    assert_eq!(pipeline.counters().unrecognised.connections, 0);
    pipeline.flush();
    let Total { connections, bytes, .. } = pipeline.counters().unrecognised;
    assert_eq!((connections, bytes), (1, 11));
}
