//! Events in, what a reader sees out: order, gaps, ends.

use crate::events::{MS, Reader, address, check, closed, data, life, play, sent, tcp, udp, unix};
use wirespan_connection::connections::Connections;
use wirespan_connection::event::Event::Data as Bytes;
use wirespan_connection::event::{Change, Data, DataFlags, Direction, Event, Nanos, Task};
use wirespan_connection::limits::Limits;
use wirespan_connection::stream::Stream;

#[test]
fn in_order() {
    check(&[Bytes(data(tcp(1), 1, 100, b"GET ")), Bytes(data(tcp(1), 2, 104, b"/ HTTP"))], "GET / HTTP");
}

#[test]
fn out_of_order_within_patience() {
    let events = [
        Bytes(data(tcp(1), 1, 100, b"ab")),
        Bytes(data(tcp(1), 3, 104, b"ef")),
        Bytes(data(tcp(1), 4, 106, b"gh")),
        Bytes(data(tcp(1), 2, 102, b"cd")),
    ];
    check(&events, "abcdefgh");
    assert_eq!(play(&events, 5).1.counters().out_of_order, 2);
}

#[test]
fn lost_event_is_a_gap_of_exact_length() {
    check(&[Bytes(data(tcp(1), 1, 100, b"ab")), Bytes(data(tcp(1), 2, 107, b"ef"))], "ab[lost 5]ef");
}

#[test]
fn lost_event_is_given_up_when_a_later_event_is_late_enough() {
    let events = [
        Bytes(data(tcp(1), 1, 100, b"ab")),
        Bytes(data(tcp(1), 2, 107, b"ef")),
        Bytes(data(tcp(1), 300, 109, b"gh")),
    ];
    assert_eq!(play(&events, 0).0.received, "ab[lost 5]efgh");
}

#[test]
fn a_hole_is_waited_for_before() {
    let events = [Bytes(data(tcp(1), 1, 100, b"ab")), Bytes(data(tcp(1), 2, 107, b"ef"))];
    assert_eq!(play(&events, 101).0.received, "ab");
}

#[test]
fn duplicates_and_overlaps_are_dropped() {
    let events = [
        Bytes(data(tcp(1), 1, 100, b"abcd")),
        Bytes(data(tcp(1), 1, 100, b"abcd")),
        Bytes(data(tcp(1), 2, 102, b"cdef")),
        Bytes(data(tcp(1), 2, 101, b"bc")),
    ];
    check(&events, "abcdef");
    assert_eq!(play(&events, 5).1.counters().duplicates, 2);
}

#[test]
fn sequence_numbers_wrap() {
    let start = u64::from(u32::MAX) - 1;
    check(&[Bytes(data(tcp(1), 1, start, b"abcd")), Bytes(data(tcp(1), 2, 2, b"ef"))], "abcdef");
}

#[test]
fn a_stream_longer_than_sequence_numbers() {
    let part = Data { len: 1 << 30, ..data(tcp(1), 1, 0, b"") };
    let events: Vec<_> = (0..9).map(|i| Bytes(Data { offset: (i << 30) & 0xffff_ffff, ..part })).collect();
    let (_, connections) = play(&events, 2000);
    assert_eq!(connections.counters().not_copied, 9 << 30);
    assert_eq!(connections.counters().lost, 0);
}

#[test]
fn far_ahead_is_a_restart_behind_a_gap() {
    let events = [Bytes(data(unix(1), 1, 0, b"ab")), Bytes(data(unix(1), 2, 1 << 40, b"cd"))];
    assert_eq!(play(&events, 0).0.received, format!("ab[lost {}]cd", (1u64 << 40) - 2));
}

#[test]
fn truncated_copies() {
    let cut = Data { len: 10, tail: b"yz", ..data(tcp(1), 1, 100, b"abc") };
    check(&[Bytes(cut), Bytes(data(tcp(1), 2, 110, b"next"))], "abc[not copied 5]yznext");
}

#[test]
fn reasons_of_gaps() {
    let of = |flags| Bytes(Data { len: 5, flags, ..data(tcp(1), 1, 100, b"") });
    check(&[of(DataFlags::FILLER)], "[not copied 5]");
    check(&[of(DataFlags::POLICY)], "[not copied 5]");
    check(&[of(DataFlags::COMPAT)], "[not copied 5]");
    check(&[of(DataFlags::FAULT)], "[lost 5]");
    check(&[of(DataFlags::IO_URING)], "[io_uring 5]");
}

#[test]
fn more_bytes_than_the_length_are_not_believed() {
    let head = Data { len: 2, tail: b"zz", ..data(tcp(1), 1, 100, b"abcd") };
    let tail = Data { len: 3, tail: b"xyz", ..data(tcp(1), 2, 102, b"c") };
    check(&[Bytes(head), Bytes(tail)], "abcyz");
}

#[test]
fn the_connection_is_the_cookie_whoever_holds_it() {
    let child = Data {
        task: Task { pid: 99, tid: 99, key: 99, rests: 0, next: None },
        ..data(tcp(1), 2, 102, b"cd")
    };
    let (reader, connections) = play(&[Bytes(data(tcp(1), 1, 100, b"ab")), Bytes(child)], 5);
    assert_eq!((reader.received.as_str(), connections.len()), ("abcd", 1));
}

#[test]
fn both_directions_are_apart() {
    let events =
        [Bytes(data(tcp(1), 1, 100, b"in")), Bytes(sent(tcp(1), 2, 900, b"out")), closed(tcp(1), 3, 0)];
    let (reader, _) = play(&events, 5);
    assert_eq!((reader.received.as_str(), reader.sent.as_str()), ("in[end]", "out[end]"));
}

#[test]
fn end_of_file_is_read() {
    check(&[Bytes(data(tcp(1), 1, 100, b"ab")), Bytes(data(tcp(1), 2, 102, b""))], "ab[end]");
    // The kernel counts the FIN it has read.
    check(&[Bytes(data(tcp(1), 1, 100, b"ab")), Bytes(data(tcp(1), 2, 103, b""))], "ab[end]");
}

#[test]
fn end_of_file_waits_for_what_is_before_it() {
    let events = [
        Bytes(data(tcp(1), 1, 100, b"ab")),
        Bytes(data(tcp(1), 3, 105, b"")),
        Bytes(data(tcp(1), 2, 102, b"cde")),
    ];
    check(&events, "abcde[end]");
    check(&events[..2], "ab[lost 3][end]");
}

#[test]
fn a_read_of_nothing_is_no_end() {
    let events = [
        Bytes(data(tcp(1), 1, 100, b"ab")),
        Bytes(data(tcp(1), 2, 102, b"")),
        Bytes(data(tcp(1), 3, 102, b"cd")),
    ];
    check(&events, "ab[end]cd");
}

/// Bytes received when the peer had acknowledged what was sent up to `acked`.
fn answer(ms: u64, offset: u64, acked: u32, bytes: &[u8]) -> Event<'_> {
    Bytes(Data { acked: Some(acked), ..data(tcp(1), ms, offset, bytes) })
}

#[test]
fn an_answer_waits_for_the_request_that_it_answers() {
    let first = [Bytes(sent(tcp(1), 1, 900, b"ask ")), answer(2, 100, 904, b"one ")];
    // The call that sent it lost its processor before its end, and was told of late, with a late time.
    let late = Bytes(sent(tcp(1), 9, 904, b"again "));
    let events = [first[0], first[1], answer(5, 104, 910, b"two "), answer(6, 108, 910, b"three "), late];
    let mut connections = Connections::<()>::new(Limits::default());
    let mut seen = Vec::new();
    for event in &events {
        connections.accept(event, |connection| {
            let mut reader = Reader::default();
            let time = connection.half(Direction::Sent).mark(904).time;
            reader.visit(connection);
            seen.push((reader.sent, reader.received, time.0 / MS));
        });
    }
    let text: Vec<_> = seen.iter().map(|(sent, received, _)| format!("{sent}|{received}")).collect();
    assert_eq!(text, ["ask |", "|one ", "|", "|", "again |two three "]);
    assert_eq!(seen.last().map(|(.., time)| *time), Some(5), "it left before the answer came");
}

#[test]
fn a_request_that_is_never_told_of_is_waited_for_once() {
    let events = [
        Bytes(sent(tcp(1), 1, 900, b"ask ")),
        answer(2, 100, 910, b"one "),
        // Sweeps come several times a second.
        answer(200, 104, 910, b"two "),
        answer(201, 108, 916, b"three "),
    ];
    assert_eq!(play(&events[..2], 50).0.received, "");
    assert_eq!(play(&events[..2], 150).0.received, "one ");
    assert_eq!(play(&events, 202).0.received, "one two three ");
    let closing = [events[0], events[1], closed(tcp(1), 3, 0)];
    assert_eq!(play(&closing, 4).0.received, "one [end]");
}

#[test]
fn what_is_sent_behind_a_lost_request_left_when_it_says() {
    let events = [
        Bytes(sent(tcp(1), 1, 900, b"ask ")),
        answer(3, 100, 910, b"one "),
        // What stood at 904 found the ring full.
        Bytes(sent(tcp(1), 80, 910, b"again ")),
    ];
    let mut connections = Connections::<()>::new(Limits::default());
    events.iter().for_each(|event| connections.accept(event, |_| {}));
    let (mut time, mut reader) = (0, Reader::default());
    for ms in [120, 200] {
        connections.sweep(Nanos(ms * MS), |connection| {
            time = connection.half(Direction::Sent).mark(910).time.0 / MS;
            reader.visit(connection);
        });
    }
    assert_eq!((reader.sent.as_str(), time), ("ask [lost 6]again ", 80));
    assert_eq!(reader.received, "one ");
}

#[test]
fn a_lost_request_that_is_given_up_is_not_waited_for() {
    let events = [
        Bytes(sent(tcp(1), 1, 900, b"ask ")),
        Bytes(sent(tcp(1), 2, 910, b"again ")),
        answer(3, 100, 916, b"one "),
    ];
    let late = [answer(205, 104, 922, b"two "), Bytes(sent(tcp(1), 206, 916, b"third "))];
    let mut connections = Connections::<()>::new(Limits::default());
    let mut reader = Reader::default();
    events.iter().for_each(|event| connections.accept(event, |connection| reader.visit(connection)));
    connections.sweep(Nanos(200 * MS), |connection| reader.visit(connection));
    assert_eq!((reader.sent.as_str(), reader.received.as_str()), ("ask [lost 6]again ", "one "));
    connections.accept(&late[0], |connection| reader.visit(connection));
    assert_eq!(reader.received, "one ", "its request was not waited for in vain: this one is waited for");
    connections.accept(&late[1], |connection| reader.visit(connection));
    assert_eq!(reader.received, "one two ");
}

#[test]
fn what_waited_does_not_keep_a_closed_connection() {
    let events = [
        life(tcp(1), 1, Change::Connected),
        Bytes(sent(tcp(1), 1, 900, b"ask ")),
        answer(3, 100, 910, b"one "),
        life(tcp(1), 4, Change::Closed { error: 0, sent: 10, received: 5 }),
    ];
    let (reader, connections) = play(&events, 150);
    assert_eq!(reader.received, "one [end]");
    assert!(connections.is_empty());
}

#[test]
fn what_was_acknowledged_may_be_unknown_or_the_end() {
    let older = [answer(1, 100, 910, b"one "), Bytes(sent(tcp(1), 2, 920, b"ask "))];
    assert_eq!(play(&older, 3).0.received, "one ", "nothing sent was seen: nothing is missing");
    let fin = [Bytes(sent(tcp(1), 1, 900, b"ask ")), answer(2, 100, 905, b"one ")];
    assert_eq!(play(&fin, 3).0.received, "one ");
    let wraps = [Bytes(sent(tcp(1), 1, 0xffff_fffe, b"ask ")), answer(2, 100, 2, b"one ")];
    assert_eq!(play(&wraps, 3).0.received, "one ");
}

#[test]
fn half_close_of_this_side() {
    let events = [
        Bytes(sent(tcp(1), 1, 900, b"ask")),
        life(tcp(1), 2, Change::SentEnd),
        Bytes(data(tcp(1), 3, 100, b"answer")),
    ];
    let (reader, _) = play(&events, 5);
    assert_eq!((reader.sent.as_str(), reader.received.as_str()), ("ask[end]", "answer"));
}

#[test]
fn a_fin_does_not_end_what_the_program_has_yet_to_read() {
    let events = [
        Bytes(data(tcp(1), 1, 100, b"head ")),
        life(tcp(1), 2, Change::ReceivedEnd),
        Bytes(data(tcp(1), 3, 105, b"body")),
        Bytes(data(tcp(1), 4, 109, b"")),
    ];
    check(&events, "head body[end]");
}

#[test]
fn a_reset_breaks_both_streams() {
    let events =
        [Bytes(data(tcp(1), 1, 100, b"ab")), Bytes(sent(tcp(1), 2, 900, b"x")), closed(tcp(1), 3, 104)];
    let (reader, connections) = play(&events, 5);
    assert_eq!((reader.received.as_str(), reader.sent.as_str()), ("ab[broken 104]", "x[broken 104]"));
    assert!(connections.is_empty());
}

#[test]
fn a_close_gives_up_holes() {
    let events =
        [Bytes(data(tcp(1), 1, 100, b"ab")), Bytes(data(tcp(1), 2, 104, b"ef")), closed(tcp(1), 3, 0)];
    assert_eq!(play(&events, 0).0.received, "ab[lost 2]ef[end]");
}

#[test]
fn an_answer_read_after_the_close() {
    let close = Change::Closed { error: 0, sent: 4, received: 7 };
    let events = [
        life(tcp(1), 1, Change::Connected),
        Bytes(sent(tcp(1), 2, 900, b"ask")),
        life(tcp(1), 3, Change::SentEnd),
        life(tcp(1), 4, close),
        Bytes(data(tcp(1), 5, 100, b"answer")),
    ];
    let (reader, connections) = play(&events, 6);
    assert_eq!((reader.received.as_str(), reader.sent.as_str()), ("answer[end]", "ask[end]"));
    assert!(connections.is_empty());
}

#[test]
fn an_answer_never_read_ends_with_the_sweep() {
    let close = Change::Closed { error: 104, sent: 4, received: 7 };
    let events = [life(tcp(1), 1, Change::Connected), life(tcp(1), 4, close)];
    assert_eq!(play(&events, 100).1.len(), 1);
    let (reader, connections) = play(&events, 2000);
    assert_eq!(reader.received, "[broken 104]");
    assert!(connections.is_empty());
}

#[test]
fn datagrams_stay_apart() {
    let from = |host, ms, offset, bytes| Data {
        flags: DataFlags::DATAGRAM,
        ..data(udp(1, address(host, 53)), ms, offset, bytes)
    };
    let cut = Data { len: 9, ..from(4, 3, 5, b"cut") };
    check(
        &[Bytes(from(3, 1, 0, b"one")), Bytes(cut), Bytes(from(3, 4, 14, b"two"))],
        "one[lost 2]cut[not copied 6]two",
    );
}
