//! What holds for any events: order, splits and copies do not matter, losses are exact, memory is bounded, nothing
//! panics.

use proptest::collection::vec;
use proptest::prelude::*;
use wirespan_connection::connections::Connections;
use wirespan_connection::event::Event::Data as Bytes;
use wirespan_connection::event::{Change, Data, DataFlags, Direction, Event, Life, Nanos, Task, Transport};
use wirespan_connection::half::Half;
use wirespan_connection::limits::Limits;
use wirespan_connection::stream::{Next, Stream};

use crate::events::{closed, data, play, tcp, unix};

/// A stream cut into calls: `(start, end)` of each.
fn cuts(lens: &[usize]) -> Vec<(usize, usize)> {
    let mut at = 0;
    let cut = |len: &usize| {
        at += len;
        (at - len, at)
    };
    lens.iter().map(cut).collect()
}

/// Bytes that tell their place.
fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| b'a' + (i % 26) as u8).collect()
}

/// The events of `calls`, one a millisecond, beginning at sequence number `start`.
fn events<'a>(text: &'a [u8], calls: &[(usize, usize)], start: u32) -> Vec<Event<'a>> {
    let event = |(ms, &(from, to)): (usize, &(usize, usize))| {
        let offset = u64::from(start.wrapping_add(from as u32));
        Bytes(data(tcp(1), ms as u64, offset, &text[from..to]))
    };
    calls.iter().enumerate().map(event).collect()
}

/// Moves each event back by up to its number of places, the first excepted: a stream begins where it is first seen.
fn shuffle<T>(items: &mut [T], moves: &[usize]) {
    for (at, places) in moves.iter().enumerate().take(items.len()).skip(1) {
        let to = at.saturating_sub(*places).max(1);
        items[to..=at].rotate_right(1);
    }
}

/// What a reader of `calls` should see where those with `false` in `kept` are lost; the ends are always kept.
fn expected(text: &[u8], calls: &[(usize, usize)], kept: &[bool]) -> String {
    let (mut seen, mut lost) = (String::new(), 0);
    for (&(from, to), kept) in calls.iter().zip(kept) {
        if *kept {
            if lost > 0 {
                seen.push_str(&format!("[lost {lost}]"));
            }
            lost = 0;
            seen.push_str(&String::from_utf8_lossy(&text[from..to]));
        } else {
            lost += to - from;
        }
    }
    seen
}

/// Reads up to `pace` bytes of the front and up to `pace` of the gap behind it.
fn step(half: &mut Half, pace: u64, bytes: &mut Vec<u8>, lost: &mut u64) {
    let front = half.front();
    assert_eq!(half.ahead(), (front.bytes.len() as u64, front.next), "the same, told shorter");
    let count = (front.bytes.len() as u64).min(pace);
    bytes.extend_from_slice(&front.bytes[..count as usize]);
    half.consume(count);
    let front = half.front();
    if let (true, Next::Gap(_, len)) = (front.bytes.is_empty(), front.next) {
        *lost += len.min(pace);
        half.consume(len.min(pace));
    }
}

/// `seen` without what stands in brackets.
fn without_gaps(seen: &str) -> String {
    seen.split(']').filter_map(|part| part.split('[').next()).collect()
}

proptest! {
    #[test]
    fn order_splits_and_copies_do_not_matter(
        lens in vec(1usize..50, 1..40),
        moves in vec(0usize..8, 40),
        copies in vec(any::<prop::sample::Index>(), 0..10),
        start: u32,
    ) {
        let calls = cuts(&lens);
        let text = text(lens.iter().sum());
        let mut events = events(&text, &calls, start);
        shuffle(&mut events, &moves);
        for copy in &copies {
            let copied = events[copy.index(events.len())];
            events.push(copied);
        }
        let (reader, connections) = play(&events, 1);
        prop_assert_eq!(reader.received.as_bytes(), &text);
        prop_assert_eq!(connections.counters().captured, text.len() as u64);
        prop_assert_eq!(connections.counters().duplicates, copies.len() as u64);
        prop_assert_eq!(connections.counters().lost, 0);
    }

    #[test]
    fn the_pace_of_reading_does_not_matter(
        lens in vec(1usize..50, 2..40),
        kept in vec(any::<bool>(), 40),
        paces in vec(0u64..60, 80),
    ) {
        let calls = cuts(&lens);
        let text = text(lens.iter().sum());
        let mut kept = kept;
        kept[0] = true;
        let events: Vec<_> = events(&text, &calls, 7).into_iter().zip(&kept).filter(|(_, kept)| **kept)
            .map(|(event, _)| event).collect();
        let mut connections = Connections::<()>::new(Limits { reorder_ns: 0, ..Limits::default() });
        let (mut bytes, mut lost, mut paces) = (Vec::new(), 0, paces.into_iter());
        for event in &events {
            connections.accept(event, |connection| {
                let half = connection.half(Direction::Received);
                let pace = paces.next().unwrap_or_default();
                step(half, pace, &mut bytes, &mut lost);
            });
        }
        connections.accept(&closed(tcp(1), 99, 0), |connection| {
            let half = connection.half(Direction::Received);
            while half.front().next != Next::End || !half.front().bytes.is_empty() {
                step(half, u64::MAX, &mut bytes, &mut lost);
            }
        });
        let seen = expected(&text, &calls, &kept);
        prop_assert_eq!(bytes.len() as u64 + lost, connections.counters().bytes);
        prop_assert_eq!(String::from_utf8_lossy(&bytes), without_gaps(&seen));
    }

    #[test]
    fn losses_are_exact(
        lens in vec(1usize..50, 2..40),
        mut kept in vec(any::<bool>(), 40),
        moves in vec(0usize..4, 40),
        start: u32,
    ) {
        let calls = cuts(&lens);
        let text = text(lens.iter().sum());
        (kept[0], kept[lens.len() - 1]) = (true, true);
        let mut left = events(&text, &calls, start).into_iter().zip(&kept).filter(|(_, kept)| **kept)
            .map(|(event, _)| event).collect::<Vec<_>>();
        shuffle(&mut left, &moves);
        let (reader, connections) = play(&left, 2000);
        prop_assert_eq!(reader.received, expected(&text, &calls, &kept));
        prop_assert_eq!(connections.counters().bytes, text.len() as u64);
    }

    #[test]
    fn cut_copies_keep_their_place(heads in vec((0usize..20, 0usize..20, 0u32..30), 1..40)) {
        let text = text(20);
        let (mut offset, mut events) = (500, Vec::new());
        for &(head, tail, hole) in &heads {
            let len = (head + tail) as u32 + hole;
            let part = Data { len, tail: &text[..tail], ..data(unix(1), 1, offset, &text[..head]) };
            events.push(Bytes(part));
            offset += u64::from(len);
        }
        let (_, connections) = play(&events, 2);
        let counters = connections.counters();
        prop_assert_eq!(counters.captured, heads.iter().map(|(head, tail, _)| (head + tail) as u64).sum::<u64>());
        prop_assert_eq!(counters.not_copied, heads.iter().map(|(.., hole)| u64::from(*hole)).sum::<u64>());
        prop_assert_eq!(counters.lost, 0);
    }
}

/// Any event at all, of a few sockets.
#[derive(Clone, Debug)]
struct Hostile {
    cookie: u64,
    transport: Transport,
    sent: bool,
    time: u64,
    offset: u64,
    len: u32,
    flags: u16,
    head: usize,
    tail: usize,
    change: Option<Change>,
    consume: u64,
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..3000, 1 => any::<u64>(), 1 => (0u64..3000).prop_map(|n| u64::MAX - n)]
}

fn changes() -> impl Strategy<Value = Change> {
    let closed = (any::<u16>(), numbers(), numbers()).prop_map(|(error, sent, received)| Change::Closed {
        error,
        sent,
        received,
    });
    prop_oneof![
        Just(Change::Connecting),
        Just(Change::Connected),
        Just(Change::Accepted),
        Just(Change::SentEnd),
        Just(Change::ReceivedEnd),
        closed,
    ]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let transports = prop_oneof![Just(Transport::Tcp), Just(Transport::Udp), Just(Transport::Unix)];
    let lens = prop_oneof![8 => 0u32..2000, 1 => any::<u32>()];
    let consumes = prop_oneof![4 => Just(0), 4 => 0u64..2000, 1 => any::<u64>()];
    let place = (0u64..12, transports, any::<bool>(), numbers(), numbers(), lens);
    let content = (0u16..64, 0usize..1500, 0usize..1500, prop::option::weighted(0.1, changes()), consumes);
    (place, content).prop_map(|(place, content)| {
        let (cookie, transport, sent, time, offset, len) = place;
        let (flags, head, tail, change, consume) = content;
        Hostile { cookie, transport, sent, time, offset, len, flags, head, tail, change, consume }
    })
}

impl Hostile {
    fn event<'a>(&self, bytes: &'a [u8]) -> Event<'a> {
        let socket = wirespan_connection::event::Socket { transport: self.transport, ..tcp(self.cookie) };
        let time = Nanos(self.time.saturating_mul(1_000_000));
        if let Some(change) = self.change {
            return Event::Life(Life { time, socket, task: Task::default(), change });
        }
        Bytes(Data {
            time,
            direction: if self.sent { Direction::Sent } else { Direction::Received },
            len: self.len,
            flags: DataFlags(self.flags),
            tail: &bytes[..self.tail],
            ..data(socket, 0, self.offset, &bytes[..self.head])
        })
    }
}

proptest! {
    #[test]
    fn hostile_events_neither_panic_nor_grow(events in vec(hostile(), 1..300)) {
        let limits = Limits {
            max_connections: 8, stream_bytes: 4000, total_bytes: 20_000, pending_events: 8, pending_bytes: 4000,
            remembered: 3, ..Limits::default()
        };
        let bytes = [b'x'; 1500];
        let mut connections = Connections::<[u64; 2]>::new(limits);
        for (number, hostile) in events.iter().enumerate() {
            connections.accept(&hostile.event(&bytes), |connection| {
                let (_, last, received, sent) = connection.split();
                for (half, last) in [received, sent].into_iter().zip(last) {
                    let front = half.front();
                    let gap = if let Next::Gap(_, count) = front.next { count } else { 0 };
                    assert!(front.offset >= *last, "a stream goes forward");
                    assert_eq!(half.ahead(), (front.bytes.len() as u64, front.next));
                    assert!(front.offset.checked_add(front.bytes.len() as u64 + gap).is_some());
                    *last = front.offset;
                    half.mark(front.offset);
                    half.consume(hostile.consume);
                }
            });
            if number % 16 == 0 {
                connections.sweep(Nanos(hostile.time), |_| {});
            }
            prop_assert!(connections.len() <= limits.max_connections);
            prop_assert!(connections.held_bytes() <= limits.total_bytes);
        }
    }
}
