//! Turns a record of the ABI into an [`Event`]. A record that does not fit its own lengths is refused: `None`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use wirespan_proto::{
    abi::{
        ACCEPTED, CLOSED, CONNECTED, CONNECTING, DataRecord, ExecRecord, Head, KIND_BIRTH, KIND_DATA,
        KIND_DEATH, KIND_EXEC, KIND_EXIT, KIND_FORK, KIND_LIFE, KIND_WAKE, LifeRecord, ProcessRecord,
        RECEIVED, RECEIVED_END, SENT_END, SocketRecord, TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_UNIX,
        ThreadRecord, WakeRecord,
    },
    event::{
        Address, Birth, Change, Cookie, Data, DataFlags, Death, Direction, Event, Exec, Exit, Fork, Life,
        LogicalTask, Nanos, Socket, Task, Transport, Wake,
    },
};
use zerocopy::FromBytes;

/// `AF_INET`, `include/linux/socket.h`.
const AF_INET: u16 = 2;
/// `AF_UNIX`.
const AF_UNIX: u16 = 1;

/// Decodes one record; `clock` is added to its time.
pub(crate) fn event(record: &[u8], clock: u64) -> Option<Event<'_>> {
    let (head, _) = Head::read_from_prefix(record).ok()?;
    match head.kind {
        KIND_DATA => data(record, clock),
        KIND_LIFE => life(record, clock),
        KIND_EXEC => exec(record, clock),
        KIND_FORK | KIND_EXIT => process(head.kind, record, clock),
        KIND_BIRTH | KIND_DEATH => thread(head.kind, record, clock),
        KIND_WAKE => wake(record, clock),
        _ => None,
    }
}

/// When a record was made, ns of the kernel programs' clock. All kinds have it in the same place.
pub(crate) fn time(record: &[u8]) -> u64 {
    record.get(8..16).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

fn data(record: &[u8], clock: u64) -> Option<Event<'_>> {
    let (fixed, bytes) = DataRecord::ref_from_prefix(record).ok()?;
    let (head, rest) = bytes.split_at_checked(usize::from(fixed.head_len))?;
    let (tail, _) = rest.split_at_checked(usize::from(fixed.tail_len))?;
    let socket = socket(&fixed.socket)?;
    let direction = if fixed.direction == RECEIVED { Direction::Received } else { Direction::Sent };
    let tcp = socket.transport == Transport::Tcp;
    let acked = (tcp && direction == Direction::Received).then_some((fixed.offset >> 32) as u32);
    let task = task(fixed.pid_tgid, fixed.rests);
    let task = if fixed.numbered == 0 {
        Task { key: fixed.task, ..task }
    } else {
        let (key, next) = LogicalTask::parted(fixed.task);
        Task { key, next: Some(next), ..task }
    };
    Some(Event::Data(Data {
        time: Nanos(fixed.time + clock),
        socket,
        direction,
        offset: if tcp { fixed.offset & u64::from(u32::MAX) } else { fixed.offset },
        len: fixed.len,
        task,
        cgroup: fixed.cgroup,
        flags: DataFlags(fixed.flags),
        lost: fixed.lost,
        rtt_us: fixed.socket.rtt_us,
        retransmits: fixed.retransmits,
        acked,
        head,
        tail,
    }))
}

fn life(record: &[u8], clock: u64) -> Option<Event<'_>> {
    let (fixed, _) = LifeRecord::ref_from_prefix(record).ok()?;
    let change = match u8::try_from(fixed.change).ok()? {
        CONNECTING => Change::Connecting,
        CONNECTED => Change::Connected,
        ACCEPTED => Change::Accepted,
        SENT_END => Change::SentEnd,
        RECEIVED_END => Change::ReceivedEnd,
        CLOSED => Change::Closed { error: fixed.error, sent: fixed.sent, received: fixed.received },
        _ => return None,
    };
    Some(Event::Life(Life {
        time: Nanos(fixed.time + clock),
        socket: socket(&fixed.socket)?,
        task: Task { key: fixed.task, ..task(fixed.pid_tgid, fixed.rests) },
        change,
    }))
}

fn exec(record: &[u8], clock: u64) -> Option<Event<'_>> {
    let (fixed, bytes) = ExecRecord::ref_from_prefix(record).ok()?;
    let (args, rest) = bytes.split_at_checked(fixed.args_len as usize)?;
    let (env, _) = rest.split_at_checked(fixed.env_len as usize)?;
    Some(Event::Exec(Exec {
        time: Nanos(fixed.time + clock),
        pid: fixed.pid,
        parent: fixed.parent,
        cgroup: fixed.cgroup,
        args,
        env,
    }))
}

fn process(kind: u32, record: &[u8], clock: u64) -> Option<Event<'_>> {
    let (fixed, _) = ProcessRecord::ref_from_prefix(record).ok()?;
    let time = Nanos(fixed.time + clock);
    Some(if kind == KIND_FORK {
        Event::Fork(Fork { time, pid: fixed.pid, parent: fixed.parent })
    } else {
        Event::Exit(Exit { time, pid: fixed.pid })
    })
}

fn thread(kind: u32, record: &[u8], clock: u64) -> Option<Event<'_>> {
    let (fixed, _) = ThreadRecord::ref_from_prefix(record).ok()?;
    let ThreadRecord { pid, tid, by, rests, .. } = *fixed;
    let time = Nanos(fixed.time + clock);
    Some(if kind == KIND_BIRTH {
        Event::Birth(Birth { time, by: Task { pid, tid: by, key: u64::from(by), rests, next: None }, tid })
    } else {
        Event::Death(Death { time, pid, tid })
    })
}

fn wake(record: &[u8], clock: u64) -> Option<Event<'_>> {
    let (fixed, _) = WakeRecord::ref_from_prefix(record).ok()?;
    Some(Event::Wake(Wake {
        time: Nanos(fixed.time + clock),
        by: Task { key: fixed.task, ..task(fixed.pid_tgid, fixed.rests) },
        tid: fixed.tid,
        address: fixed.address,
    }))
}

fn task(pid_tgid: u64, rests: u32) -> Task {
    let tid = pid_tgid as u32;
    Task { pid: (pid_tgid >> 32) as u32, tid, key: u64::from(tid), rests, next: None }
}

fn socket(record: &SocketRecord) -> Option<Socket> {
    let transport = match record.transport {
        TRANSPORT_TCP => Transport::Tcp,
        TRANSPORT_UDP => Transport::Udp,
        TRANSPORT_UNIX => Transport::Unix,
        _ => return None,
    };
    Some(Socket {
        cookie: Cookie(record.cookie),
        netns: record.netns,
        transport,
        local: address(record.family, &record.local, record.local_port),
        peer: address(record.family, &record.peer, record.peer_port),
    })
}

fn address(family: u16, bytes: &[u8; 16], port: u16) -> Address {
    if family == AF_UNIX {
        let [a, b, c, d, e, f, g, h, ..] = *bytes;
        return Address::Unix(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
    let ip = if family == AF_INET {
        let [a, b, c, d, ..] = *bytes;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    } else {
        IpAddr::V6(Ipv6Addr::from(*bytes)).to_canonical()
    };
    if port == 0 && ip.is_unspecified() { Address::Unknown } else { Address::Inet(SocketAddr::new(ip, port)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_proto::abi::SENT;
    use zerocopy::{FromZeros, IntoBytes};

    fn sample(head: &[u8], tail: &[u8]) -> Vec<u8> {
        let mut record = DataRecord::new_zeroed();
        record.head.kind = KIND_DATA;
        record.time = 5;
        record.socket.family = 10;
        record.socket.transport = TRANSPORT_TCP;
        record.socket.local[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
        record.socket.local_port = 80;
        record.pid_tgid = 7 << 32 | 8;
        record.task = 99;
        record.direction = SENT;
        record.len = 100;
        record.head_len = head.len() as u16;
        record.tail_len = tail.len() as u16;
        [record.as_bytes(), head, tail].concat()
    }

    #[test]
    fn data_keeps_every_part() {
        let bytes = sample(b"GET / HT", b"end");
        let Some(Event::Data(data)) = event(&bytes, 10) else { panic!("a data record") };
        assert_eq!((data.time, data.head, data.tail), (Nanos(15), &b"GET / HT"[..], &b"end"[..]));
        assert_eq!(data.task, Task { pid: 7, tid: 8, key: 99, rests: 0, next: None });
        assert_eq!(data.socket.local, Address::Inet("127.0.0.1:80".parse().unwrap()), "mapped IPv4 is IPv4");
        assert_eq!(data.socket.peer, Address::Unknown);
    }

    #[test]
    fn records_shorter_than_they_claim_are_refused() {
        let bytes = sample(b"GET / HT", b"end");
        for len in 0..bytes.len() {
            assert!(event(&bytes[..len], 0).is_none(), "cut at {len}");
        }
    }
}
