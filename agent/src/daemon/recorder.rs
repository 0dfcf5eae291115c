//! Comes in: events, on the capture thread. Goes out: a recording, on a thread of its own. Refuses: waiting for the
//! disk. What it cannot take is dropped, counted, and said in the recording itself.
//!
//! What a host said of its processes is never dropped with the events: without it, later ones would be nobody's.

use std::{
    fs::{self, File},
    io::{self, Write},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, TrySendError},
    },
    thread,
};

use anyhow::Context;
use wirespan_kernel::{Losses, Plan};
use wirespan_proto::event::{Event, Exec, Nanos};
use wirespan_recording::{Chunk, End, Fact, Record, Start, header, pack};
use wirespan_span::Clock;

use crate::process::{HostFacts, Sources, kept_environ};

/// Bytes of records packed together. Larger ones pack no better.
const CHUNK: usize = 256 << 10;
/// Chunks that wait for the disk: with [`CHUNK`], the memory that recording may take.
const QUEUE: usize = 64;
/// A chunk is written after this long, full or not, so that a daemon that is killed loses little, ns.
const DELAY_NS: u64 = 1_000_000_000;

/// What became of a recording.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Events that were not recorded because the disk was too slow.
    pub unwritten: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Why the file could not be written to its end.
    pub error: Option<io::Error>,
}

/// The capture thread's side.
pub(super) struct Recorder {
    chunk: Chunk,
    /// When the first record of the chunk came.
    since: Nanos,
    queue: mpsc::SyncSender<Chunk>,
    unwritten: Arc<AtomicU64>,
    broken: bool,
}

/// The writing side.
pub(super) struct Disk {
    thread: thread::JoinHandle<(u64, io::Result<()>)>,
    unwritten: Arc<AtomicU64>,
}

impl Recorder {
    /// Begins a recording in `file`.
    pub(super) fn start(file: File, plan: Plan) -> anyhow::Result<(Self, Disk)> {
        let mut identity = [0; 16];
        getrandom::fill(&mut identity).context("the system gives no random numbers")?;
        let (queue, chunks) = mpsc::sync_channel::<Chunk>(QUEUE);
        let unwritten = Arc::<AtomicU64>::default();
        let thread = thread::Builder::new()
            .name("recorder".into())
            .spawn(move || write(file, &header(identity), &chunks))
            .context("cannot start the recorder's thread")?;
        let mut chunk = Chunk::default();
        chunk.push(&Record::Start(start(plan)));
        let disk = Disk { thread, unwritten: Arc::clone(&unwritten) };
        Ok((Self { chunk, since: Nanos(0), queue, unwritten, broken: false }, disk))
    }

    /// Can the file be written?
    pub(super) const fn open(&self) -> bool {
        !self.broken
    }

    /// Records an event, and before it what the host was asked because of it.
    pub(super) fn event(&mut self, told: Vec<Fact>, event: &Event<'_>, clock: Clock) {
        if self.since == Nanos(0) {
            self.since = event.time();
            self.chunk.push(&Record::Clock(clock.boot.0));
        }
        self.facts(told);
        match event {
            // The rest of an environment is nobody's business: it may hold secrets, and nothing reads it.
            Event::Exec(exec) => {
                let env = kept_environ(exec.env);
                self.chunk.push(&Record::Event(Event::Exec(Exec { env: &env, ..*exec })));
            }
            event => self.chunk.push(&Record::Event(*event)),
        }
        if self.chunk.len() >= CHUNK {
            self.send();
        }
    }

    /// Does what the time asks for.
    pub(super) fn tick(&mut self, now: Nanos) {
        if self.since != Nanos(0) && now.since(self.since) >= DELAY_NS {
            self.send();
        }
    }

    /// Records the end. Waits for the disk: nothing is captured any more.
    pub(super) fn finish(mut self, told: Vec<Fact>, now: Nanos, losses: &Losses) {
        self.facts(told);
        self.chunk.push(&Record::End(End {
            time: now,
            lost_records: losses.lost_records,
            lost_bytes: losses.lost_bytes,
            faults: losses.faults,
            io_uring: losses.io_uring,
            unwritten: self.unwritten.load(Ordering::Relaxed),
        }));
        // A writer that is gone says why itself.
        let _ = self.queue.send(self.chunk);
    }

    fn facts(&mut self, told: Vec<Fact>) {
        told.into_iter().for_each(|fact| self.chunk.push(&Record::Fact(fact)));
    }

    fn send(&mut self) {
        self.since = Nanos(0);
        match self.queue.try_send(mem::take(&mut self.chunk)) {
            Ok(()) => {}
            Err(TrySendError::Full(mut chunk)) => {
                self.unwritten.fetch_add(chunk.drop_events(), Ordering::Relaxed);
                self.chunk = chunk;
            }
            Err(TrySendError::Disconnected(_)) => self.broken = true,
        }
    }
}

impl Disk {
    /// Waits until everything is written, which it is once the [`Recorder`] is gone.
    pub(super) fn finish(self) -> Recorded {
        let unwritten = self.unwritten.load(Ordering::Relaxed);
        match self.thread.join() {
            Ok((bytes, written)) => Recorded { unwritten, bytes, error: written.err() },
            Err(_) => Recorded { unwritten, bytes: 0, error: Some(io::Error::other("its thread failed")) },
        }
    }
}

/// Writes until the other side is gone. Gives the bytes written.
fn write(mut file: File, header: &[u8], chunks: &mpsc::Receiver<Chunk>) -> (u64, io::Result<()>) {
    let mut bytes = 0;
    let mut put = |content: &[u8]| {
        let packed = pack(content);
        file.write_all(&packed)?;
        bytes += packed.len() as u64;
        io::Result::Ok(())
    };
    let written = put(header).and_then(|()| chunks.iter().try_for_each(|chunk| put(chunk.bytes())));
    (bytes, written)
}

fn start(plan: Plan) -> Start {
    let sources = Sources::default();
    let host = HostFacts::read(&sources.proc_root, &sources.root);
    let kernel = fs::read_to_string(sources.proc_root.join("sys/kernel/osrelease"));
    Start {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: kernel.ok().map(|release| release.trim().to_owned()),
        plan: Some(plan.to_string()),
        host_name: host.name,
        host_id: host.id,
        own_pid: std::process::id(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use wirespan_proto::event::Exit;
    use wirespan_recording::{Finish, Next, Reader, unpacked};
    use wirespan_span::span::UnixNanos;

    use super::*;

    fn shown(mut file: File) -> Vec<String> {
        file.rewind().unwrap();
        let mut reader = Reader::new(unpacked(file).unwrap()).unwrap();
        let mut shown = Vec::new();
        loop {
            match reader.next().unwrap() {
                Next::Record(Record::Start(_)) => {}
                Next::Record(record) => shown.push(format!("{record:?}")),
                Next::Unknown => shown.push("unknown".to_owned()),
                Next::End(finish) => {
                    assert_eq!(finish, Finish::Whole);
                    return shown;
                }
            }
        }
    }

    const CLOCK: Clock = Clock { boot: UnixNanos(9) };

    #[test]
    fn what_is_recorded_stands_in_the_file() {
        let file = tempfile::tempfile().unwrap();
        let (mut recorder, disk) = Recorder::start(file.try_clone().unwrap(), Plan::Sock).unwrap();
        let env = b"SECRET=hunter2\0OTEL_SERVICE_NAME=shop\0";
        let exec = Exec { time: Nanos(1), pid: 7, parent: 1, cgroup: 0, args: b"x\0", env };
        recorder.event(vec![Fact::Package(7, "shop".into())], &Event::Exec(exec), CLOCK);
        recorder.tick(Nanos(1 + DELAY_NS));
        recorder.event(Vec::new(), &Event::Exit(Exit { time: Nanos(5), pid: 7 }), CLOCK);
        recorder.finish(Vec::new(), Nanos(6), &Losses { faults: 3, ..Losses::default() });
        let recorded = disk.finish();
        assert!(recorded.error.is_none() && recorded.unwritten == 0);
        let shown = shown(file);
        assert!(shown.iter().all(|record| !record.contains("hunter2")), "{shown:?}");
        let kinds: Vec<_> = shown.iter().map(|record| record.split(['{', ' ']).next().unwrap()).collect();
        assert_eq!(
            kinds,
            ["Clock(9)", "Fact(Package(7,", "Event(Exec(Exec", "Clock(9)", "Event(Exit(Exit", "End(End"]
        );
        assert!(shown.last().unwrap().contains("faults: 3"));
    }

    #[test]
    fn a_full_disk_ends_the_recording_with_a_reason() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (mut recorder, disk) = Recorder::start(full, Plan::Sock).unwrap();
        while recorder.open() {
            recorder.event(Vec::new(), &Event::Exit(Exit { time: Nanos(5), pid: 7 }), CLOCK);
            recorder.tick(Nanos(u64::MAX));
        }
        drop(recorder);
        assert_eq!(disk.finish().error.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
    }

    #[test]
    fn a_slow_disk_costs_events_and_they_are_counted() {
        let (reader, writer) = io::pipe().unwrap();
        let (mut recorder, disk) =
            Recorder::start(File::from(std::os::fd::OwnedFd::from(writer)), Plan::Sock).unwrap();
        let mut time = 0;
        // Nobody reads the pipe: after what it and the queue hold, chunks are dropped.
        while recorder.unwritten.load(Ordering::Relaxed) == 0 {
            time += DELAY_NS;
            let noise: Vec<u8> = (0..4096_u64).map(|n| (n.wrapping_mul(n + time) >> 7) as u8).collect();
            let exec = Exec { time: Nanos(time), pid: 7, parent: 1, cgroup: 0, args: &noise, env: &[] };
            recorder.event(Vec::new(), &Event::Exec(exec), CLOCK);
            recorder.tick(Nanos(time + DELAY_NS));
        }
        let unwritten = recorder.unwritten.load(Ordering::Relaxed);
        let mut reader = File::from(std::os::fd::OwnedFd::from(reader));
        let read = thread::spawn(move || reader.read_to_end(&mut Vec::new()).unwrap());
        recorder.finish(Vec::new(), Nanos(time), &Losses::default());
        let recorded = disk.finish();
        assert!(recorded.error.is_none() && recorded.unwritten == unwritten);
        assert_eq!(read.join().unwrap() as u64, recorded.bytes);
    }
}
