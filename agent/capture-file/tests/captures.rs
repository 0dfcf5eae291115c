//! Packets in, written as short as they can be; what the ends of their connections observed out, as text.

use std::fmt::Write;

use proptest::{collection::vec, prelude::*};
use wirespan_capture_file::{Capture, Counters, Ends, Finish, Observation};
use wirespan_proto::event::{Change, Data, Direction, Event, Life};

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const RST: u8 = 4;

const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 40000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 80);

/// A TCP segment in an IPv4 packet.
fn segment(from_client: bool, flags: u8, sequence: u32, ack: u32, data: &str) -> Vec<u8> {
    let (from, to) = if from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
    let mut tcp = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    tcp.extend(sequence.to_be_bytes());
    tcp.extend(ack.to_be_bytes());
    tcp.extend([5 << 4, flags, 0, 0, 0, 0, 0, 0]);
    tcp.extend(data.as_bytes());
    ipv4(6, from.0, to.0, 0, &tcp)
}

fn up(flags: u8, sequence: u32, ack: u32, data: &str) -> Vec<u8> {
    segment(true, flags, sequence, ack, data)
}

fn down(flags: u8, sequence: u32, ack: u32, data: &str) -> Vec<u8> {
    segment(false, flags, sequence, ack, data)
}

/// `place` is the field of fragment flags and offset.
fn ipv4(protocol: u8, from: [u8; 4], to: [u8; 4], place: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(from.into_iter().chain(to).chain(payload.iter().copied()));
    packet
}

fn udp(from: u16, to: u16, data: &str) -> Vec<u8> {
    let mut datagram = [from.to_be_bytes(), to.to_be_bytes()].concat();
    datagram.extend((8 + data.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(data.as_bytes());
    datagram
}

/// A pcap file of raw IP packets, of which `snap` bytes were captured, one a millisecond.
fn pcap(packets: &[Vec<u8>], snap: usize) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
    for (number, packet) in packets.iter().enumerate() {
        let captured = packet.len().min(snap);
        for field in [0, number as u32 * 1000, captured as u32, packet.len() as u32] {
            file.extend(field.to_le_bytes());
        }
        file.extend(&packet[..captured]);
    }
    file
}

fn told(file: &[u8], ends: Ends) -> (String, Counters, Finish) {
    let mut capture = Capture::new(file, ends).expect("it is a capture");
    let mut text = String::new();
    loop {
        let finish = capture.step(|observation| show(observation, &mut text)).expect("it can be read");
        if let Some(finish) = finish {
            return (text.trim_end().to_owned(), capture.counters(), finish);
        }
    }
}

fn show(observation: Observation<'_>, text: &mut String) {
    let Observation::Event(event) = observation else { return };
    let written = match event {
        Event::Data(Data { direction, head, len, socket, .. }) => {
            let arrow = if direction == Direction::Sent { "sent" } else { "got" };
            let cut = len as usize - head.len();
            let head = String::from_utf8_lossy(head);
            write!(text, "{}:{arrow}({head}{}) ", socket.cookie.0, "_".repeat(cut))
        }
        Event::Life(Life { change, socket, .. }) => match change {
            Change::Closed { error, sent, received } => {
                write!(text, "{}:Closed({error},{sent},{received}) ", socket.cookie.0)
            }
            change => write!(text, "{}:{change:?} ", socket.cookie.0),
        },
        other => write!(text, "{other:?}"),
    };
    written.expect("a string takes everything");
}

fn check(packets: &[Vec<u8>], ends: Ends, expected: &str) {
    assert_eq!(told(&pcap(packets, 999), ends).0, expected);
}

/// A connection from its beginning: `Ping`, `Pong`.
fn exchange() -> Vec<Vec<u8>> {
    vec![
        up(SYN, 99, 0, ""),
        down(SYN | ACK, 499, 100, ""),
        up(ACK, 100, 500, ""),
        up(ACK, 100, 500, "Ping"),
        down(ACK, 500, 104, "Pong"),
        up(ACK | FIN, 104, 504, ""),
        down(ACK | FIN, 504, 105, ""),
        up(ACK, 105, 505, ""),
    ]
}

#[test]
fn a_connection_as_each_end_sees_it() {
    let packets = exchange();
    check(&packets, Ends::Server, "1:Accepted 1:got(Ping) 1:sent(Pong) 1:got() 1:SentEnd 1:Closed(0,4,4)");
    check(
        &packets,
        Ends::Client,
        "1:Connecting 1:Connected 1:sent(Ping) 1:got(Pong) 1:SentEnd 1:got() 1:Closed(0,4,4)",
    );
    check(
        &packets,
        Ends::Both,
        "1:Connecting 1:Connected 2:Accepted 1:sent(Ping) 2:got(Ping) 2:sent(Pong) 1:got(Pong) \
         1:SentEnd 2:got() 2:SentEnd 1:got() 1:Closed(0,4,4) 2:Closed(0,4,4)",
    );
}

#[test]
fn packets_out_of_order_and_twice() {
    let mut packets = exchange();
    let rest = packets.split_off(4);
    packets.truncate(3);
    packets.extend([up(ACK, 102, 500, "ng"), up(ACK, 100, 500, "Pi"), up(ACK, 100, 500, "Ping")]);
    packets.extend(rest);
    let (told, counters, _) = told(&pcap(&packets, 999), Ends::Server);
    assert_eq!(told, "1:Accepted 1:got(Pi) 1:got(ng) 1:sent(Pong) 1:got() 1:SentEnd 1:Closed(0,4,4)");
    assert_eq!(counters.missing, 0);
}

#[test]
fn what_was_not_captured_is_not_waited_for() {
    let mut packets = exchange();
    packets.splice(3..4, [up(ACK, 102, 500, "ng")]);
    let (told, counters, _) = told(&pcap(&packets, 999), Ends::Server);
    assert_eq!(told, "1:Accepted 1:got(ng) 1:sent(Pong) 1:got() 1:SentEnd 1:Closed(0,4,4)");
    assert_eq!(counters.missing, 2);
}

#[test]
fn a_capture_that_begins_later_knows_the_server_by_its_port() {
    check(&exchange()[3..], Ends::Server, "1:got(Ping) 1:sent(Pong) 1:got() 1:SentEnd 1:Closed(0,4,4)");
    check(&exchange()[7..], Ends::Server, "");
}

#[test]
fn resets_have_the_error_of_who_gets_them() {
    let open = exchange()[..4].to_vec();
    let with = |last: Vec<u8>| [open.clone(), vec![last]].concat();
    check(&with(up(RST, 104, 0, "")), Ends::Server, "1:Accepted 1:got(Ping) 1:Closed(104,0,4)");
    check(&with(down(RST | ACK, 500, 104, "")), Ends::Server, "1:Accepted 1:got(Ping) 1:Closed(0,0,4)");
    let refused = [up(SYN, 99, 0, ""), down(RST | ACK, 0, 100, "")];
    check(&refused, Ends::Client, "1:Connecting 1:Closed(111,0,0)");
}

#[test]
fn a_port_used_again_is_another_connection() {
    let again = [exchange(), vec![up(SYN, 7000, 0, ""), down(SYN | ACK, 9000, 7001, "")]].concat();
    let (told, ..) = told(&pcap(&again, 999), Ends::Client);
    assert!(told.ends_with("1:Closed(0,4,4) 2:Connecting 2:Connected"), "{told}");
}

#[test]
fn the_snap_length_costs_bytes_and_no_lengths() {
    let (told, ..) = told(&pcap(&exchange(), 42), Ends::Server);
    assert_eq!(told, "1:Accepted 1:got(Pi__) 1:sent(Po__) 1:got() 1:SentEnd 1:Closed(0,4,4)");
}

#[test]
fn datagrams_are_whole() {
    let ask = ipv4(17, CLIENT.0, SERVER.0, 0, &udp(5353, 53, "name?"));
    let answer = ipv4(17, SERVER.0, CLIENT.0, 0, &udp(53, 5353, "name!"));
    check(&[ask, answer], Ends::Server, "1:got(name?) 1:sent(name!)");
}

#[test]
fn fragments_in_any_order_make_a_packet() {
    let whole = udp(5353, 53, "a name that is longer than a fragment");
    let part = |range: std::ops::Range<usize>, more: u16| {
        ipv4(17, CLIENT.0, SERVER.0, more << 13 | (range.start / 8) as u16, &whole[range])
    };
    let parts = [part(32..whole.len(), 0), part(0..16, 1), part(16..32, 1)];
    check(&parts, Ends::Server, "1:got(a name that is longer than a fragment)");
    let (told, ..) = told(&pcap(&parts[..2], 999), Ends::Server);
    assert_eq!(told, "");
}

#[test]
fn a_cut_file_says_so() {
    let mut file = pcap(&exchange(), 999);
    assert_eq!(told(&file, Ends::Server).2, Finish::Whole);
    file.pop();
    assert_eq!(told(&file, Ends::Server).2, Finish::Cut);
}

proptest! {
    /// The fuzz targets look further.
    #[test]
    fn damage_stops_the_reader_and_nothing_else(
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = pcap(&exchange(), 999);
        for (at, with) in flips {
            let at = at.index(file.len());
            file[at] ^= with;
        }
        let Ok(mut capture) = Capture::new(file.as_slice(), Ends::Both) else { return Ok(()) };
        let mut told = 0;
        let mut tell = |observation: Observation<'_>| {
            if let Observation::Event(Event::Data(data)) = observation {
                told += data.head.len();
            }
        };
        while matches!(capture.step(&mut tell), Ok(None)) {}
        prop_assert!(told <= 2 * file.len(), "each byte is told once at each end");
    }
}
