//! A program that speaks over a socket, and places of its memory where its task may be; the task keys of its events come
//! out. Wrong places must change nothing else. Needs root and the kernel programs: without them it looks at nothing.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use wirespan_kernel::{
    Filter, Programs, Settings, embedded,
    event::{Direction, Event, Number, Task, TaskFields, TaskPlace},
};

/// Says again what it hears.
const ECHO: &str = "exec 3<>/dev/tcp/127.0.0.1/$0; while read -r line <&3; do echo \"$line\" >&3; done";

struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It ends by itself where it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn may_load() -> bool {
    let root = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = root.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap_or_default();
    embedded() && effective.contains("ffffff")
}

/// No address of a program: in the half of the kernel, unmapped, or far away.
const WRONG: [TaskPlace; 4] = [
    TaskPlace::at(i64::MIN),
    TaskPlace::at(-0x7000_0000_0000),
    TaskPlace { within: Some(TaskFields { id: 8, starter: Some(16) }), ..TaskPlace::at(i64::MAX) },
    TaskPlace {
        within: Some(TaskFields { id: u32::MAX - 1, starter: Some(u32::MAX - 1) }),
        ..TaskPlace::at(0)
    },
];

#[test]
fn a_place_that_cannot_be_read_leaves_the_thread() {
    if !may_load() {
        return;
    }
    let settings = Settings { filter: Filter::Only, ..Settings::default() };
    let mut programs = Programs::load(&settings).unwrap();
    let (mut reader, runtimes) = (programs.take_reader().unwrap(), programs.take_runtimes().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let child = Command::new("bash").args(["-c", ECHO, &port]).stdin(Stdio::null()).spawn().unwrap();
    let child = Stopped(child);
    let pid = child.0.id();
    programs.take_verdicts().unwrap().set(pid, true).unwrap();
    let (mut writer, peer) =
        listener.accept().map(|(stream, _)| (stream.try_clone().unwrap(), stream)).unwrap();
    let mut peer = BufReader::new(peer);
    let mut echo = |line: &str| {
        writeln!(writer, "{line}").unwrap();
        let mut back = String::new();
        peer.read_line(&mut back).unwrap();
        assert_eq!(back.trim_end(), line);
        let mut told = None;
        while told.is_none() {
            reader.poll(|event| {
                if let Event::Data(data) = event
                    && data.direction == Direction::Sent
                    && data.head.starts_with(line.as_bytes())
                {
                    told = Some(data.task);
                }
            });
        }
        told.unwrap()
    };
    let thread = Task { pid, tid: pid, key: u64::from(pid), rests: 0, next: None };
    assert_eq!(Task { rests: 0, ..echo("first") }, thread);
    for (number, place) in WRONG.into_iter().enumerate() {
        runtimes.set(pid, place);
        assert_eq!(Task { rests: 0, ..echo(&format!("wrong {number}")) }, thread, "{place:?}");
    }
    // The first word at the thread pointer is the C library's own, and not 0.
    let place = TaskPlace::at(0);
    for (next, why) in [(None, "right"), (Some(8), "next number unreadable")] {
        runtimes.set(pid, TaskPlace { next, ..place });
        let task = echo(why);
        assert!(task.logical().is_some() && task.next.is_none(), "{why}: {task:?}");
    }
    // Where the program's file is: its first word is that of every ELF file.
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let next = u64::from_str_radix(maps.split('-').next().unwrap(), 16).unwrap();
    runtimes.set(pid, TaskPlace { next: Some(next), ..place });
    let numbered = echo("numbered");
    assert_eq!(numbered.next, Some(Number::of(u64::from(u32::from_le_bytes(*b"\x7fELF")))));
    assert_eq!(numbered.logical().and_then(|task| task.starter()), None);
    runtimes.forget(pid);
    assert_eq!(Task { rests: 0, ..echo("last") }, thread);
}
