//! Comes in: processes that were seen at work. Goes out: to the kernel programs, where each keeps its tasks. Refuses: to
//! keep the capture thread waiting for a file, and to read one executable twice.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use rustc_hash::FxHashMap;
use wirespan_kernel::Runtimes;
use wirespan_proto::event::{TaskPlace, Writers};

use super::{
    Found, Kind, Runtime, Unknown, executable,
    memory::{Image, Process},
    python::LIBRARY,
    recognise,
};
use crate::observe::shares::Ledger;

/// Processes that wait to be looked at; more are looked at when they are seen again.
const QUEUE: usize = 256;
/// Events of a process at which it is looked at again: it may have loaded asyncio since.
const AGAIN: [u64; 2] = [64, 4096];
/// Executables that are remembered.
const MOST_PROGRAMS: usize = 1024;

/// An executable that has not changed since: device, inode, time of change in s and ns.
type Name = (u64, u64, i64, i64);

/// What is known of executables and libraries.
#[derive(Debug, Default)]
pub(crate) struct Programs(FxHashMap<Name, Option<Kind>>);

impl Programs {
    /// The runtime of a process; `None` where there is none, or the process is gone.
    pub(crate) fn of(&mut self, pid: u32) -> Option<Runtime> {
        let program = executable(pid)?;
        if let Some(kind) = self.kind(&program) {
            let image = || {
                let inode = program.metadata().ok()?.ino();
                let process = Process::look(pid)?;
                let image = process.images.iter().find(|image| image.inode == inode)?.clone();
                Some((process, image.linked(&program)))
            };
            return Some(within(&kind, image));
        }
        let process = Process::look(pid)?;
        let (image, library) = process.find(|name| name.contains(LIBRARY))?;
        let kind = self.kind(&library)?;
        Some(within(&kind, || Some((process, image.linked(&library)))))
    }

    fn kind(&mut self, file: &File) -> Option<Kind> {
        let name = name(file)?;
        if self.0.len() >= MOST_PROGRAMS && !self.0.contains_key(&name) {
            self.0.clear();
        }
        self.0.entry(name).or_insert_with(|| recognise(file)).clone()
    }
}

/// The runtime in one process.
fn within(kind: &Kind, image: impl FnOnce() -> Option<(Process, Image)>) -> Runtime {
    let tasks = kind.found.clone().and_then(|found| match found {
        Found::Task(place) => {
            let of_file = place.next.is_some() || place.writers.is_some();
            let image = if of_file { image() } else { None };
            let address = |of_file| Some(image.as_ref()?.1.address(of_file));
            let writers =
                place.writers.and_then(|writers| Some(Writers { begin: address(writers.begin)?, ..writers }));
            Ok(TaskPlace { next: place.next.and_then(address), writers, ..place })
        }
        Found::Context(layout) => {
            let (process, image) = image().ok_or(Unknown::Memory)?;
            layout.place(&process, &image)
        }
    });
    Runtime { name: kind.name, tasks }
}

fn name(file: &File) -> Option<Name> {
    let facts = file.metadata().ok()?;
    Some((facts.dev(), facts.ino(), facts.ctime(), facts.ctime_nsec()))
}

/// Asks for processes to be looked at, on a thread of its own.
pub(crate) struct Finder {
    /// Those that were asked for, each with its events: one look finds both.
    asked: Ledger,
    queue: SyncSender<u32>,
}

impl Finder {
    /// Starts the thread. It ends with this value.
    pub(crate) fn start(runtimes: Runtimes) -> std::io::Result<Self> {
        let (queue, pids) = sync_channel(QUEUE);
        thread::Builder::new().name("runtimes".into()).spawn(move || find(&pids, &runtimes))?;
        Ok(Self { asked: Ledger::default(), queue })
    }

    /// This process was seen at work: one event.
    pub(crate) fn seen(&mut self, pid: u32) {
        let events = self.asked.count(pid);
        if events.is_some_and(|events| !AGAIN.contains(&events)) {
            return;
        }
        match (self.queue.try_send(pid), events) {
            (Ok(()), None) => self.asked.enter(pid),
            (Err(_), None) => self.asked.pass(),
            (_, Some(_)) => {}
        }
    }

    /// It is another program now, or gone. The kernel programs know.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.asked.forget(pid);
    }

    /// The events of each process that was seen.
    pub(crate) const fn ledger(&mut self) -> &mut Ledger {
        &mut self.asked
    }
}

fn find(pids: &Receiver<u32>, runtimes: &Runtimes) {
    let mut programs = Programs::default();
    for pid in pids {
        match programs.of(pid).and_then(|runtime| runtime.tasks.ok()) {
            Some(place) => runtimes.set(pid, place),
            None => runtimes.forget(pid),
        }
    }
}
