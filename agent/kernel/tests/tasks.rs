//! A program that speaks over a socket, and places of its memory where its task may be; the task keys of its events come
//! out. Wrong places must change nothing else. Needs root and the kernel programs: without them it looks at nothing.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use wirespan_kernel::{
    Filter, Programs, Reader, Runtimes, Settings, embedded,
    event::{Awaited, Direction, Event, GroupFields, LogicalTask, Number, Task, TaskFields, TaskPlace},
};

/// Says again what it hears.
const ECHO: &str = "exec 3<>/dev/tcp/127.0.0.1/$0; while read -r line <&3; do echo \"$line\" >&3; done";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

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

/// Who waits for a task, where nobody is: `running` is wrong, or all else is.
fn wrong_waits(running: u64) -> [Awaited; 4] {
    let outside = |before, behind| Some(GroupFields::Outside { before, behind });
    let likely = Awaited {
        running,
        function: running,
        packed: true,
        context: 152,
        closure: 72,
        wakes: 24,
        group: outside(24, 33),
    };
    [
        likely,
        Awaited { packed: false, group: None, ..likely },
        Awaited { context: 0, closure: 0, wakes: 0, group: Some(GroupFields::Inside(0)), ..likely },
        Awaited {
            context: u32::MAX,
            closure: u32::MAX,
            wakes: u32::MAX,
            group: outside(u32::MAX, u32::MAX),
            ..likely
        },
    ]
}

/// The program and those who watch it.
struct Talk {
    child: Stopped,
    writer: TcpStream,
    peer: BufReader<TcpStream>,
    reader: Reader,
    runtimes: Runtimes,
    _programs: Programs,
}

impl Talk {
    fn start() -> Result<Self> {
        let settings = Settings { filter: Filter::Only, ..Settings::default() };
        let mut programs = Programs::load(&settings)?;
        let (reader, runtimes) = (programs.take_reader(), programs.take_runtimes());
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port().to_string();
        let child = Command::new("bash").args(["-c", ECHO, &port]).stdin(Stdio::null()).spawn()?;
        let child = Stopped(child);
        programs.take_verdicts().ok_or("no verdicts")?.set(child.0.id(), true)?;
        let writer = listener.accept()?.0;
        let peer = BufReader::new(writer.try_clone()?);
        let (reader, runtimes) = (reader.ok_or("no reader")?, runtimes.ok_or("no runtimes")?);
        Ok(Self { child, writer, peer, reader, runtimes, _programs: programs })
    }

    fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// What is told where no logical task is.
    fn thread(&self) -> Task {
        let pid = self.pid();
        Task { pid, tid: pid, key: u64::from(pid), rests: 0, next: None }
    }

    fn set(&self, place: TaskPlace) {
        self.runtimes.set(self.pid(), place);
    }

    /// The task of the program when it says this again.
    fn echo(&mut self, line: &str) -> Result<Task> {
        writeln!(self.writer, "{line}")?;
        let mut back = String::new();
        self.peer.read_line(&mut back)?;
        assert_eq!(back.trim_end(), line);
        let mut told = None;
        loop {
            if let Some(task) = told {
                return Ok(Task { rests: 0, ..task });
            }
            self.reader.poll(|event| {
                if let Event::Data(data) = event
                    && data.direction == Direction::Sent
                    && data.head.starts_with(line.as_bytes())
                {
                    told = Some(data.task);
                }
            });
        }
    }

    /// Where its mappings begin; the first is that of its file.
    fn mappings(&self) -> Result<Vec<u64>> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid()))?;
        let start = |line: &str| line.split('-').next().map(|start| u64::from_str_radix(start, 16));
        Ok(maps.lines().filter_map(start).collect::<std::result::Result<_, _>>()?)
    }
}

#[test]
fn a_place_that_cannot_be_read_leaves_the_thread() -> Result<()> {
    if !may_load() {
        return Ok(());
    }
    let mut talk = Talk::start()?;
    let thread = talk.thread();
    assert_eq!(talk.echo("first")?, thread);
    for (number, place) in WRONG.into_iter().enumerate() {
        talk.set(place);
        assert_eq!(talk.echo(&format!("wrong {number}"))?, thread, "{place:?}");
    }
    // The first word at the thread pointer is the C library's own, and not 0.
    let place = TaskPlace::at(0);
    for (next, why) in [(None, "right"), (Some(8), "next number unreadable")] {
        talk.set(TaskPlace { next, ..place });
        let task = talk.echo(why)?;
        assert!(task.logical().is_some() && task.next.is_none(), "{why}: {task:?}");
    }
    // Where the program's file is: its first word is that of every ELF file.
    talk.set(TaskPlace { next: Some(talk.mappings()?[0]), ..place });
    let numbered = talk.echo("numbered")?;
    assert_eq!(numbered.next, Some(Number::of(u64::from(u32::from_le_bytes(*b"\x7fELF")))));
    assert_eq!(numbered.logical().and_then(|task| task.starter()), None);
    nobody_waits(&mut talk)?;
    talk.runtimes.forget(talk.pid());
    assert_eq!(talk.echo("last")?, thread);
    Ok(())
}

/// Wherever it is looked for who waits, the context alone is told, or the thread where there is no context.
fn nobody_waits(talk: &mut Talk) -> Result<()> {
    // The first word at the thread pointer is its own address: a context, too.
    let within = Some(TaskFields { id: 0, starter: None });
    talk.set(TaskPlace { within, ..TaskPlace::at(0) });
    let context = LogicalTask::awaited(talk.echo("context")?.logical().ok_or("no context")?.id(), 0);
    let none = [0, 8, 0x7fff_ffff_f000, 1 << 47, 1 << 63, 0xffff_8000_0000_0000, u64::MAX, u64::MAX - 32];
    for running in none.into_iter().chain(talk.mappings()?) {
        for awaited in wrong_waits(running) {
            talk.set(TaskPlace { within, awaited: Some(awaited), ..TaskPlace::at(0) });
            assert_eq!(talk.echo("awaited")?.logical(), Some(context), "{awaited:x?}");
        }
    }
    for place in WRONG {
        let within = place.within.or(within);
        talk.set(TaskPlace { within, awaited: Some(wrong_waits(8)[0]), ..place });
        assert_eq!(talk.echo("neither")?, talk.thread(), "{place:?}");
    }
    Ok(())
}
