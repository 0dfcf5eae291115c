//! Comes in: processes that were seen at work. Goes out: to the kernel programs, where each keeps its tasks. Refuses: to
//! keep the capture thread waiting for a file, and to read one executable twice.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use rustc_hash::{FxHashMap, FxHashSet};
use wirespan_kernel::Runtimes;

use super::{Runtime, executable, recognise};

/// Processes that wait to be looked at; more are looked at when they are seen again.
const QUEUE: usize = 256;
/// Processes that are remembered as looked at; beyond it they are looked at again.
const MOST_PROCESSES: usize = 16_384;
/// Executables that are remembered.
const MOST_PROGRAMS: usize = 1024;

/// An executable that has not changed since: device, inode, time of change in s and ns.
type Name = (u64, u64, i64, i64);

/// What is known of executables.
#[derive(Debug, Default)]
pub(crate) struct Programs(FxHashMap<Name, Option<Runtime>>);

impl Programs {
    /// The runtime of a process's executable; `None` where there is none, or the process is gone.
    pub(crate) fn of(&mut self, pid: u32) -> Option<&Runtime> {
        let file = executable(pid)?;
        let name = name(&file)?;
        if self.0.len() >= MOST_PROGRAMS && !self.0.contains_key(&name) {
            self.0.clear();
        }
        self.0.entry(name).or_insert_with(|| recognise(&file)).as_ref()
    }
}

fn name(file: &File) -> Option<Name> {
    let facts = file.metadata().ok()?;
    Some((facts.dev(), facts.ino(), facts.ctime(), facts.ctime_nsec()))
}

/// Asks for processes to be looked at, on a thread of its own.
pub(crate) struct Finder {
    asked: FxHashSet<u32>,
    queue: SyncSender<u32>,
}

impl Finder {
    /// Starts the thread. It ends with this value.
    pub(crate) fn start(runtimes: Runtimes) -> std::io::Result<Self> {
        let (queue, pids) = sync_channel(QUEUE);
        thread::Builder::new().name("runtimes".into()).spawn(move || find(&pids, &runtimes))?;
        Ok(Self { asked: FxHashSet::default(), queue })
    }

    /// This process was seen at work.
    pub(crate) fn seen(&mut self, pid: u32) {
        if self.asked.contains(&pid) {
            return;
        }
        if self.asked.len() >= MOST_PROCESSES {
            self.asked.clear();
        }
        if self.queue.try_send(pid).is_ok() {
            self.asked.insert(pid);
        }
    }

    /// It is another program now, or gone. The kernel programs know.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.asked.remove(&pid);
    }
}

fn find(pids: &Receiver<u32>, runtimes: &Runtimes) {
    let mut programs = Programs::default();
    for pid in pids {
        match programs.of(pid).and_then(|runtime| runtime.tasks.as_ref().ok()) {
            Some(place) => runtimes.set(pid, *place),
            None => runtimes.forget(pid),
        }
    }
}
