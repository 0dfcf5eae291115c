//! Many connections: opening, eviction, idleness, late events, limits, facts, marks.

use wirespan_connection::connection::Fate;
use wirespan_connection::connections::Connections;
use wirespan_connection::event::Event::Data as Bytes;
use wirespan_connection::event::{Address, Change, Cookie, Data, DataFlags, Direction, Life, Nanos, Task};
use wirespan_connection::facts::{Facts, Side};
use wirespan_connection::limits::Limits;
use wirespan_connection::stream::{Gap, Next, Stream};

use crate::events::{MS, Reader, address, closed, data, life, play, sent, tcp, udp, unix};

/// The facts after the last of `events`.
fn facts(events: &[wirespan_connection::event::Event<'_>]) -> Option<Facts> {
    let mut connections = Connections::<()>::new(Limits::default());
    let mut facts = None;
    for event in events {
        connections.accept(event, |connection| facts = Some(connection.facts));
    }
    facts
}

#[test]
fn the_side_is_who_opened() {
    let side = |change| facts(&[life(tcp(1), 1, change)]).map(|facts| facts.side);
    assert_eq!(side(Change::Connecting), Some(Side::Client));
    assert_eq!(side(Change::Connected), Some(Side::Client));
    assert_eq!(side(Change::Accepted), Some(Side::Server));
    assert_eq!(side(Change::SentEnd), None);
    assert_eq!(facts(&[Bytes(data(tcp(1), 1, 1, b"a"))]).map(|facts| facts.side), Some(Side::Unknown));
}

#[test]
fn facts_are_kept_up_to_date() {
    let task = Task { pid: 5, tid: 6, key: 7, rests: 0, next: None };
    let opening = Life { time: Nanos(MS), socket: tcp(1), task, change: Change::Connecting };
    let opening = wirespan_connection::event::Event::Life(opening);
    let first = Data { rtt_us: 90, retransmits: 1, ..sent(tcp(1), 2, 1, b"a") };
    let second = Data { flags: DataFlags::IO_URING, ..sent(tcp(1), 3, 2, b"a") };
    assert_eq!(facts(&[opening]).map(|facts| facts.task), Some(task));
    let facts = facts(&[opening, Bytes(first), Bytes(second)]).expect("three events");
    assert_eq!((facts.opened, facts.rtt_us, facts.retransmits), (Nanos(MS), 90, 1));
    assert_eq!((facts.task.pid, facts.cgroup, facts.io_uring), (10, 7, true));
}

#[test]
fn a_nameless_event_takes_no_address_away() {
    let nameless = Data { socket: udp(1, Address::Unknown), ..data(tcp(1), 2, 2, b"b") };
    let facts = facts(&[Bytes(data(udp(1, address(9, 53)), 1, 1, b"a")), Bytes(nameless)]);
    assert_eq!(facts.map(|facts| facts.socket.peer), Some(address(9, 53)));
}

#[test]
fn at_rest_is_what_goes_on_with_nothing_to_read() {
    let mut connections = Connections::<()>::new(Limits::default());
    let sweep = |connections: &mut Connections<()>, read: u64| {
        let mut rests = None;
        connections.sweep(Nanos(MS), |connection| {
            rests = Some(connection.is_at_rest());
            connection.half(Direction::Received).consume(read);
        });
        rests
    };
    connections.accept(&Bytes(data(tcp(1), 1, 100, b"ab")), |_| {});
    assert_eq!(sweep(&mut connections, 1), Some(false));
    assert_eq!(sweep(&mut connections, 1), Some(false));
    assert_eq!(sweep(&mut connections, 0), Some(true));
    let mut over = None;
    connections.accept(&closed(tcp(1), 5, 0), |connection| over = Some(connection.is_at_rest()));
    assert_eq!(over, Some(false));
}

#[test]
fn a_late_event_does_not_open_a_closed_connection() {
    let events = [
        Bytes(data(tcp(1), 1, 100, b"ab")),
        closed(tcp(1), 5, 0),
        Bytes(data(tcp(1), 4, 102, b"cd")),
        life(tcp(1), 0, Change::Accepted),
    ];
    let (_, connections) = play(&events, 6);
    assert!(connections.is_empty());
    assert_eq!((connections.counters().opened, connections.counters().late), (1, 2));
}

#[test]
fn a_close_never_opens() {
    let (_, connections) = play(&[closed(tcp(1), 5, 0), Bytes(data(tcp(1), 4, 102, b"cd"))], 6);
    assert!(connections.is_empty());
}

#[test]
fn a_socket_connected_again_is_a_new_connection() {
    let events = [
        life(tcp(1), 1, Change::Connecting),
        Bytes(sent(tcp(1), 2, 100, b"old")),
        life(tcp(1), 3, Change::Connecting),
        Bytes(sent(tcp(1), 4, 77, b"new")),
    ];
    let (reader, connections) = play(&events, 6);
    assert_eq!((reader.sent.as_str(), connections.counters().opened), ("oldnew", 2));
    let after_close = [closed(tcp(1), 2, 0), life(tcp(1), 3, Change::Connecting)];
    assert_eq!(play(&after_close, 6).1.len(), 1);
}

#[test]
fn the_least_recently_used_makes_room() {
    let mut connections = Connections::<()>::new(Limits { max_connections: 2, ..Limits::default() });
    let mut forgotten = Vec::new();
    for (ms, cookie) in [1, 2, 1, 3].into_iter().enumerate() {
        let event = Bytes(data(tcp(cookie), ms as u64, ms as u64, b"a"));
        connections.accept(&event, |connection| {
            if *connection.fate() == Fate::Forgotten {
                forgotten.push(connection.facts.socket.cookie);
            }
        });
    }
    assert_eq!(forgotten, [Cookie(2)]);
    assert_eq!((connections.len(), connections.counters().evicted), (2, 1));
}

#[test]
fn the_idle_are_forgotten() {
    let limits = Limits { idle_ns: 10 * MS, ..Limits::default() };
    let mut connections = Connections::<()>::new(limits);
    for (ms, cookie) in [(1, 1), (1, 2), (5, 1)] {
        connections.accept(&Bytes(data(tcp(cookie), ms, ms, b"a")), |_| {});
    }
    connections.sweep(Nanos(12 * MS), |_| {});
    assert_eq!((connections.len(), connections.counters().idle), (1, 1));
}

#[test]
fn events_without_a_socket_are_refused() {
    let (_, connections) = play(&[Bytes(data(tcp(0), 1, 1, b"a")), life(tcp(0), 1, Change::Accepted)], 2);
    assert!(connections.is_empty());
    assert_eq!(connections.counters().implausible, 2);
}

#[test]
fn offsets_beyond_64_bits_are_refused() {
    let (_, connections) = play(&[Bytes(data(unix(1), 1, u64::MAX, b"ab"))], 2);
    assert_eq!(connections.counters().implausible, 1);
}

#[test]
fn lost_events_are_counted_once() {
    let with = |offset, lost| Bytes(Data { lost, ..data(tcp(1), 1, offset, b"a") });
    let (_, connections) = play(&[with(1, 3), with(3, 5), with(2, 4), with(4, 5)], 2);
    assert_eq!(connections.counters().ring_lost, 5);
}

#[test]
fn an_unread_stream_sheds_its_oldest_bytes() {
    let mut connections = Connections::<()>::new(Limits { stream_bytes: 1000, ..Limits::default() });
    for i in 0..100 {
        connections.accept(&Bytes(data(tcp(1), i, i * 100, &[b'x'; 100])), |_| {});
    }
    let (mut gap, mut bytes, mut lost) = (0, 0, 0);
    connections.accept(&Bytes(data(tcp(1), 101, 0, b"known")), |connection| {
        let half = connection.half(Direction::Received);
        if let Next::Gap(Gap::Lost, count) = half.front().next {
            gap = count;
            half.consume(count);
        }
        (bytes, lost) = (half.front().bytes.len() as u64, half.lost());
    });
    assert_eq!(gap + bytes, 10_000);
    assert_eq!((connections.counters().shed, lost), (gap, gap));
    assert!((900..1000).contains(&bytes));
}

#[test]
fn all_streams_together_keep_within_the_limit() {
    let limits = Limits { total_bytes: 100_000, ..Limits::default() };
    let mut connections = Connections::<()>::new(limits);
    for i in 0..1000 {
        connections.accept(&Bytes(data(tcp(i % 50 + 1), i, i / 50 * 1000, &[b'x'; 1000])), |_| {});
        assert!(connections.held_bytes() <= 100_000);
    }
    assert!(connections.counters().shed > 800_000);
    assert_eq!(connections.len(), 50);
}

#[test]
fn what_is_skipped_in_advance_is_not_stored() {
    let mut connections = Connections::<()>::new(Limits::default());
    let mut reader = Reader::default();
    connections.accept(&Bytes(data(tcp(1), 1, 0, b"head")), |connection| {
        connection.half(Direction::Received).consume(4 + 2_000_000);
    });
    let held = connections.held_bytes();
    for i in 0..2000 {
        connections.accept(&Bytes(data(tcp(1), 2, 4 + i * 1000, &[b'b'; 1000])), |_| {});
        assert!(connections.held_bytes() <= held + 1024);
    }
    connections.accept(&Bytes(data(tcp(1), 3, 2_000_004, b"next")), |connection| reader.visit(connection));
    assert_eq!(reader.received, "next");
}

#[test]
fn a_mark_is_the_call_that_carried_the_byte() {
    let mut connections = Connections::<()>::new(Limits::default());
    let mut time_of = |event: &Data<'_>, offset: u64, consume: u64| {
        let mut time = 0;
        connections.accept(&Bytes(*event), |connection| {
            let half = connection.half(Direction::Received);
            time = half.mark(offset).time.0 / MS;
            half.consume(consume);
        });
        time
    };
    assert_eq!(time_of(&data(unix(1), 1, 0, b"ab"), 0, 0), 1);
    assert_eq!(time_of(&data(unix(1), 2, 2, b"cd"), 1, 0), 1);
    assert_eq!(time_of(&data(unix(1), 3, 4, b"ef"), 3, 6), 2);
    assert_eq!(time_of(&data(unix(1), 4, 6, b"gh"), 5, 0), 3);
    assert_eq!(time_of(&data(unix(1), 5, 8, b"ij"), 7, 0), 4);
    assert_eq!(time_of(&data(unix(1), 6, 10, b"kl"), 11, 0), 6);
}

#[test]
fn a_boundary_is_where_a_call_begins() {
    let mut connections = Connections::<()>::new(Limits::default());
    connections.accept(&Bytes(data(tcp(1), 1, 0, b"ab")), |_| {});
    let mut boundaries = Vec::new();
    connections.accept(&Bytes(data(tcp(1), 2, 2, b"cd")), |connection| {
        for _ in 0..4 {
            let half = connection.half(Direction::Received);
            boundaries.push(half.front().boundary);
            half.consume(1);
        }
    });
    assert_eq!(boundaries, [true, false, true, false]);
}

#[test]
fn each_datagram_has_its_peer() {
    let from = |host, offset| Data {
        flags: DataFlags::DATAGRAM,
        ..data(udp(1, address(host, 53)), 1, offset, b"ab")
    };
    let mut connections = Connections::<()>::new(Limits::default());
    connections.accept(&Bytes(from(3, 0)), |_| {});
    let mut seen = Vec::new();
    connections.accept(&Bytes(from(4, 2)), |connection| {
        let half = connection.half(Direction::Received);
        for _ in 0..2 {
            seen.push((half.peer(), half.front().bytes.to_vec(), half.front().boundary));
            half.consume(2);
        }
    });
    let expected = [3, 4].map(|host| (Some(address(host, 53)), b"ab".to_vec(), true));
    assert_eq!(seen, expected);
}

#[test]
fn a_datagram_from_nobody_known_is_not_its_predecessors() {
    let from = |peer, offset| Data { flags: DataFlags::DATAGRAM, ..data(udp(1, peer), 1, offset, b"ab") };
    let mut connections = Connections::<()>::new(Limits::default());
    let mut seen = Vec::new();
    for (peer, offset) in [(address(3, 53), 0), (Address::Unknown, 2)] {
        connections.accept(&Bytes(from(peer, offset)), |connection| seen.push(connection.facts.socket.peer));
    }
    assert_eq!(seen, [address(3, 53), Address::Unknown]);
}

#[test]
fn marks_of_many_small_calls_get_coarser_but_never_later() {
    let mut connections = Connections::<()>::new(Limits::default());
    let mut marks = Vec::new();
    for i in 0..1000 {
        connections.accept(&Bytes(data(unix(1), i, i, b"x")), |connection| {
            let half = connection.half(Direction::Received);
            marks = (0..=i).map(|offset| half.mark(offset).time.0 / MS).collect();
        });
    }
    assert!(marks.is_sorted());
    assert!(marks.iter().zip(0..).all(|(mark, at)| *mark <= at));
    assert!(marks.iter().zip(0..).skip(940).all(|(mark, at)| at - *mark <= 1));
    assert_eq!(marks[999], 999);
    assert_eq!(marks[0], 0);
}

#[test]
fn more_events_than_may_be_held_give_up_the_hole() {
    let mut connections = Connections::<()>::new(Limits { pending_events: 2, ..Limits::default() });
    let mut reader = Reader::default();
    for offset in [0, 2, 3, 4] {
        connections.accept(&Bytes(data(unix(1), 1, offset, b"x")), |connection| reader.visit(connection));
    }
    assert_eq!(reader.received, "x[lost 1]xxx");
}

#[test]
fn a_message_read_to_its_end_leaves_nothing_behind() {
    let mut connections = Connections::<()>::new(Limits::default());
    let mut reader = Reader::default();
    connections.accept(&Bytes(data(tcp(1), 1, 0, &[b'x'; 9000])), |_| {});
    assert!(connections.held_bytes() > 9000);
    connections.accept(&Bytes(data(tcp(1), 2, 9000, b"y")), |connection| reader.visit(connection));
    assert_eq!((connections.held_bytes(), reader.received.len()), (0, 9001));
}
