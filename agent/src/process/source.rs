//! Comes in: questions about processes. Goes out: what `/proc` says of them now, or what it said when a recording was
//! made. Refuses: asking the host that replays about the processes of another.

use std::path::Path;

use rustc_hash::FxHashMap;
use wirespan_proto::event::Nanos;
use wirespan_recording::{Fact, Process as Said};
use wirespan_span::resource::Resource;

use super::{
    Sources,
    cgroup::Cgroup,
    container::Engines,
    endpoint::Endpoints,
    procfs::{Procfs, Snapshot},
};

/// Who answers.
#[derive(Debug)]
pub(super) enum Source {
    /// The host.
    Host(Host),
    /// A recording.
    Recording(Box<Recording>),
    /// A packet capture, which has addresses instead of processes.
    Capture(Endpoints),
}

/// The host, and what it answered if that is to be recorded.
#[derive(Debug)]
pub(super) struct Host {
    procfs: Procfs,
    engines: Engines,
    told: Option<Vec<Fact>>,
}

/// What a host answered before.
#[derive(Debug)]
pub(super) struct Recording {
    /// Bound of each table.
    capacity: usize,
    processes: FxHashMap<u32, Said>,
    cgroups: FxHashMap<u32, Vec<u8>>,
    packages: FxHashMap<u32, String>,
    containers: FxHashMap<String, String>,
}

impl Source {
    pub(super) fn host(sources: Sources) -> Self {
        Self::Host(Host {
            procfs: Procfs::new(sources.proc_root),
            engines: Engines::new(sources.root),
            told: None,
        })
    }

    pub(super) fn recording(capacity: usize) -> Self {
        let (processes, cgroups, packages, containers) = Default::default();
        Self::Recording(Box::new(Recording { capacity, processes, cgroups, packages, containers }))
    }

    /// When the process with this pid started; `None` where there is none.
    pub(super) fn started(&self, pid: u32) -> Option<Nanos> {
        match self {
            Self::Host(host) => host.procfs.started(pid),
            Self::Recording(recording) => recording.processes.get(&pid).map(|said| said.started),
            Self::Capture(_) => None,
        }
    }

    /// What is known of the process; `None` where there is none (any more).
    pub(super) fn snapshot(&mut self, pid: u32) -> Option<Snapshot> {
        match self {
            Self::Host(host) => {
                let said = host.procfs.process(pid)?;
                let snapshot = Snapshot::from(&said);
                host.tell(|| Fact::Process(pid, said));
                Some(snapshot)
            }
            Self::Recording(recording) => recording.processes.get(&pid).map(Snapshot::from),
            Self::Capture(_) => None,
        }
    }

    /// The process's cgroup alone.
    pub(super) fn cgroup(&mut self, pid: u32) -> Option<Cgroup> {
        match self {
            Self::Host(host) => {
                let file = host.procfs.cgroup(pid)?;
                let cgroup = Cgroup::parse(&file);
                host.tell(|| Fact::Cgroup(pid, file));
                Some(cgroup)
            }
            Self::Recording(recording) => recording.cgroups.get(&pid).map(|file| Cgroup::parse(file)),
            Self::Capture(_) => None,
        }
    }

    /// `name` of the nearest `package.json` in `directory` or a few levels above.
    pub(super) fn package_name(&mut self, pid: u32, directory: &Path) -> Option<String> {
        match self {
            Self::Host(host) => {
                let name = host.procfs.package_name(pid, directory)?;
                host.tell(|| Fact::Package(pid, name.clone()));
                Some(name)
            }
            Self::Recording(recording) => recording.packages.get(&pid).cloned(),
            Self::Capture(_) => None,
        }
    }

    /// The name of the container with this id.
    pub(super) fn container_name(&mut self, id: &str) -> Option<String> {
        match self {
            Self::Host(host) => {
                let name = host.engines.name(id)?;
                host.tell(|| Fact::Container(id.to_owned(), name.clone()));
                Some(name)
            }
            Self::Recording(recording) => recording.containers.get(id).cloned(),
            Self::Capture(_) => None,
        }
    }

    /// The resource of whoever is behind an address of a packet capture.
    pub(super) fn endpoint(&self, pid: u32) -> Option<Resource> {
        match self {
            Self::Capture(endpoints) => Some(endpoints.resource(pid)),
            Self::Host(_) | Self::Recording(_) => None,
        }
    }

    /// The pid belongs to a new process: what was said of another is past.
    pub(super) fn forget(&mut self, pid: u32) {
        if let Self::Recording(recording) = self {
            recording.processes.remove(&pid);
            recording.cgroups.remove(&pid);
            recording.packages.remove(&pid);
        }
    }

    /// From now on, keeps what the host answers for [`told`](Self::told).
    pub(super) fn keep_told(&mut self) {
        if let Self::Host(host) = self {
            host.told = Some(Vec::new());
        }
    }

    /// What the host answered since the last call.
    pub(super) fn told(&mut self) -> Vec<Fact> {
        match self {
            Self::Host(host) => host.told.as_mut().map(std::mem::take).unwrap_or_default(),
            Self::Recording(_) | Self::Capture(_) => Vec::new(),
        }
    }

    /// Takes an answer from a recording.
    pub(super) fn learn(&mut self, fact: Fact) {
        if let Self::Recording(recording) = self {
            recording.learn(fact);
        }
    }
}

impl Host {
    fn tell(&mut self, fact: impl FnOnce() -> Fact) {
        if let Some(told) = &mut self.told {
            told.push(fact());
        }
    }
}

impl Recording {
    fn learn(&mut self, fact: Fact) {
        let capacity = self.capacity;
        match fact {
            Fact::Process(pid, said) => keep(&mut self.processes, pid, said, capacity),
            Fact::Cgroup(pid, file) => keep(&mut self.cgroups, pid, file, capacity),
            Fact::Package(pid, name) => keep(&mut self.packages, pid, name, capacity),
            Fact::Container(id, name) => keep(&mut self.containers, id, name, capacity),
        }
    }
}

/// A recording of a host with more processes than the configuration allows for loses some names, not memory.
fn keep<K: std::hash::Hash + Eq, V>(table: &mut FxHashMap<K, V>, key: K, value: V, capacity: usize) {
    if table.len() >= capacity && !table.contains_key(&key) {
        table.clear();
    }
    table.insert(key, value);
}
