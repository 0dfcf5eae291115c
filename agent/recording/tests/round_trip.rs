//! Any records in, the same records out; any damage to the file, and what stands before it still comes out.

use std::io::Read;

use proptest::{collection::vec, option, prelude::*};
use wirespan_proto::event::{
    Address, Birth, Change, Cookie, Data, DataFlags, Death, Direction, Event, Exec, Exit, Fork, Life, Nanos,
    Number, Socket, Task, Transport, Wake,
};
use wirespan_recording::{
    Chunk, End, Fact, Finish, Next, Process, Reader, Record, Start, header, pack, unpacked,
};

/// The variable bytes of a record: an event borrows them.
type Bytes = (Vec<u8>, Vec<u8>);

fn text() -> impl Strategy<Value = Option<String>> {
    option::of(any::<String>())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        Just(Address::Unknown),
        any::<u64>().prop_map(Address::Unix),
        any::<([u8; 4], u16)>().prop_map(|(ip, port)| Address::Inet((ip, port).into())),
        any::<([u8; 16], u16)>().prop_map(|(ip, port)| Address::Inet((ip, port).into())),
    ]
}

fn socket() -> impl Strategy<Value = Socket> {
    let transport = prop_oneof![Just(Transport::Tcp), Just(Transport::Udp), Just(Transport::Unix)];
    (any::<(u64, u32)>(), transport, address(), address()).prop_map(
        |((cookie, netns), transport, local, peer)| Socket {
            cookie: Cookie(cookie),
            netns,
            transport,
            local,
            peer,
        },
    )
}

fn task() -> impl Strategy<Value = Task> {
    any::<(u32, u32, u64, u32)>().prop_map(|(pid, tid, key, rests)| Task { pid, tid, key, rests, next: None })
}

fn data() -> impl Strategy<Value = Event<'static>> {
    let task =
        (task(), any::<Option<u64>>()).prop_map(|(task, next)| Task { next: next.map(Number::of), ..task });
    (socket(), task, any::<(u64, bool, u64, u32, u64, u16)>(), any::<[u32; 3]>()).prop_map(
        |(socket, task, (time, sent, offset, len, cgroup, flags), [lost, rtt_us, retransmits])| {
            let acknowledges = !sent && socket.transport == Transport::Tcp;
            Event::Data(Data {
                time: Nanos(time),
                socket,
                direction: if sent { Direction::Sent } else { Direction::Received },
                offset,
                len,
                task,
                cgroup,
                flags: DataFlags(flags),
                lost,
                rtt_us,
                retransmits,
                acked: acknowledges.then_some(retransmits),
                head: &[],
                tail: &[],
            })
        },
    )
}

fn life() -> impl Strategy<Value = Event<'static>> {
    let closed =
        any::<(u16, u64, u64)>().prop_map(|(error, sent, received)| Change::Closed { error, sent, received });
    let change = prop_oneof![
        Just(Change::Connecting),
        Just(Change::Connected),
        Just(Change::Accepted),
        Just(Change::SentEnd),
        Just(Change::ReceivedEnd),
        closed,
    ];
    (any::<u64>(), socket(), task(), change).prop_map(|(time, socket, task, change)| {
        Event::Life(Life { time: Nanos(time), socket, task, change })
    })
}

fn of_a_process() -> impl Strategy<Value = Event<'static>> {
    (any::<(u64, u32, u32, u64)>(), 0..6).prop_map(|((time, pid, parent, cgroup), which)| {
        let time = Nanos(time);
        match which {
            0 => Event::Exec(Exec { time, pid, parent, cgroup, args: &[], env: &[] }),
            1 => Event::Fork(Fork { time, pid, parent }),
            2 => Event::Exit(Exit { time, pid }),
            3 => {
                let by = Task { pid, tid: parent, key: cgroup, rests: pid, next: None };
                Event::Birth(Birth { time, by, tid: pid })
            }
            4 => Event::Wake(Wake {
                time,
                by: Task { pid, tid: parent, key: cgroup, rests: pid, next: None },
                tid: pid,
                address: cgroup,
            }),
            _ => Event::Death(Death { time, pid, tid: parent }),
        }
    })
}

fn fact() -> impl Strategy<Value = Record<'static>> {
    let process = (any::<(u32, u64)>(), text(), text(), bytes(), bytes(), bytes()).prop_map(
        |((pid, started), executable, cwd, cmdline, cgroup, environ)| {
            let started = Nanos(started);
            Fact::Process(pid, Process { started, executable, cmdline, cwd, cgroup, environ })
        },
    );
    let cgroup = (any::<u32>(), bytes()).prop_map(|(pid, file)| Fact::Cgroup(pid, file));
    let package = any::<(u32, String)>().prop_map(|(pid, name)| Fact::Package(pid, name));
    let container = any::<(String, String)>().prop_map(|(id, name)| Fact::Container(id, name));
    prop_oneof![process, cgroup, package, container].prop_map(Record::Fact)
}

fn start() -> impl Strategy<Value = Record<'static>> {
    (any::<String>(), text(), text(), text(), text(), any::<u32>()).prop_map(
        |(program, kernel, plan, host_name, host_id, own_pid)| {
            Record::Start(Start { program, kernel, plan, host_name, host_id, own_pid })
        },
    )
}

fn record() -> impl Strategy<Value = (Record<'static>, Bytes)> {
    let events = prop_oneof![data(), life(), of_a_process()].prop_map(Record::Event);
    let record =
        prop_oneof![4 => events, 2 => fact(), 1 => start(), 1 => any::<u64>().prop_map(Record::Clock)];
    (record, (bytes(), bytes()))
}

/// The record with its variable bytes.
fn with<'a>(record: &Record<'a>, (first, second): &'a Bytes) -> Record<'a> {
    match record.clone() {
        Record::Event(Event::Data(data)) => {
            Record::Event(Event::Data(Data { head: first, tail: second, ..data }))
        }
        Record::Event(Event::Exec(exec)) => {
            Record::Event(Event::Exec(Exec { args: first, env: second, ..exec }))
        }
        other => other,
    }
}

/// A file of these records, some a chunk, and what `Debug` shows of each.
fn file(records: &[(Record<'static>, Bytes)], chunk_len: usize, end: bool) -> (Vec<u8>, Vec<String>) {
    let mut file = pack(&header([7; 16]));
    let mut shown = Vec::new();
    for records in records.chunks(chunk_len) {
        let mut chunk = Chunk::default();
        for (record, bytes) in records {
            let record = with(record, bytes);
            chunk.push(&record);
            shown.push(format!("{record:?}"));
        }
        file.extend(pack(chunk.bytes()));
    }
    if end {
        let mut chunk = Chunk::default();
        chunk.push(&Record::End(End::default()));
        file.extend(pack(chunk.bytes()));
    }
    (file, shown)
}

/// What a reader sees: each record as `Debug` shows it, and how it ended.
fn seen(file: impl Read + Send + 'static) -> (Vec<String>, Option<Finish>) {
    let mut seen = Vec::new();
    let file = unpacked(file).expect("memory is read without errors");
    let Ok(mut reader) = Reader::new(file) else { return (seen, None) };
    loop {
        match reader.next() {
            Ok(Next::Record(Record::End(_))) | Ok(Next::Unknown) => {}
            Ok(Next::Record(record)) => seen.push(format!("{record:?}")),
            Ok(Next::End(finish)) => return (seen, Some(finish)),
            Err(_) => return (seen, None),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(records in vec(record(), 0..40), chunk in 1..10_usize) {
        let (file, written) = file(&records, chunk, true);
        prop_assert_eq!(seen(std::io::Cursor::new(file)), (written, Some(Finish::Whole)));
    }

    #[test]
    fn a_cut_file_gives_what_came_before(records in vec(record(), 0..40), chunk in 1..10_usize, at in 0.0..1.0) {
        let (mut file, written) = file(&records, chunk, true);
        file.truncate((file.len() as f64 * at) as usize);
        let (seen, finish) = seen(std::io::Cursor::new(file));
        prop_assert!(written.starts_with(&seen));
        // Only a cut behind the last record, in the checksum of its member, loses nothing.
        prop_assert!(finish != Some(Finish::Whole) || seen == written);
    }

    #[test]
    fn damage_stops_the_reader_and_nothing_else(
        records in vec(record(), 0..20),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (mut file, _) = file(&records, 5, true);
        for (at, with) in flips {
            let at = at.index(file.len());
            file[at] ^= with;
        }
        seen(std::io::Cursor::new(file));
    }

    #[test]
    fn any_bytes_are_read_without_harm(mut payload in vec(any::<u8>(), 0..400)) {
        let mut file = header([0; 16]);
        file.append(&mut payload);
        seen(std::io::Cursor::new(file));
    }
}

/// A frame as the file has it.
fn frame(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(payload.len() as u32).to_le_bytes(), payload].concat()
}

fn unpacked_file(frames: &[Vec<u8>]) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new([header([0; 16]), frames.concat()].concat())
}

const EXIT: u16 = 7;
const EXIT_PAYLOAD: [u8; 12] = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0];
const EXIT_SHOWN: &str = "Event(Exit(Exit { time: Nanos(1), pid: 9 }))";

#[test]
fn the_layout_of_format_1_stands() {
    let file = unpacked_file(&[frame(EXIT, &EXIT_PAYLOAD)]);
    assert_eq!(file.get_ref()[..12], *b"WIRESPAN\x01\0\x10\0");
    assert_eq!(seen(file), (vec![EXIT_SHOWN.to_owned()], Some(Finish::Cut)));
}

#[test]
fn what_later_versions_add_is_stepped_over() {
    let later = [&EXIT_PAYLOAD[..], b"a field that does not exist yet"].concat();
    let long = frame(999, &vec![0; wirespan_recording::MAX_PAYLOAD + 1]);
    let unknown = frame(999, b"a record that does not exist yet");
    let file = unpacked_file(&[unknown, frame(EXIT, &later), long, frame(EXIT, &EXIT_PAYLOAD)]);
    assert_eq!(seen(file).0, [EXIT_SHOWN, EXIT_SHOWN]);
}

#[test]
fn a_length_is_not_believed() {
    let mut file = frame(EXIT, &EXIT_PAYLOAD);
    file.extend([3, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
    assert_eq!(seen(unpacked_file(&[file])), (vec![EXIT_SHOWN.to_owned()], Some(Finish::Cut)));
}

#[test]
fn other_files_are_refused_with_a_reason() {
    let refused = |bytes: &'static [u8]| Reader::new(bytes).err().map(|error| error.to_string());
    let newer = "it has format 2, and this wirespan reads up to format 1: replay it with a newer one";
    assert_eq!(refused(b"WIRESPAN\x02\0\0\0").as_deref(), Some(newer));
    for other in [&b""[..], b"WIRE", b"\x7fELF............"] {
        assert_eq!(refused(other).as_deref(), Some("it is not a recording of wirespan"));
    }
}

#[test]
fn events_are_dropped_and_facts_kept() {
    let mut chunk = Chunk::default();
    chunk.push(&Record::Clock(1));
    chunk.push(&Record::Event(Event::Exit(Exit { time: Nanos(1), pid: 9 })));
    chunk.push(&Record::Fact(Fact::Package(9, "shop".into())));
    assert_eq!(chunk.drop_events(), 1);
    let file = [header([0; 16]), chunk.bytes().to_vec()].concat();
    let (seen, _) = seen(std::io::Cursor::new(file));
    assert_eq!(seen, ["Clock(1)", "Fact(Package(9, \"shop\"))"]);
}
