//! Comes in: exec, fork and exit events, and `/proc` at first sight of a process. Goes out: its
//! [`Resource`](wirespan_span::resource::Resource) and the facts that filters ask for. Refuses: letting arguments out,
//! keeping more of an environment than it says to OpenTelemetry, and growing without bound.

mod cgroup;
mod container;
mod endpoint;
mod environ;
mod host;
mod java;
mod launcher;
mod path;
mod procfs;
mod program;
mod resource;
mod source;

use std::{collections::VecDeque, net::IpAddr, path::PathBuf, sync::Arc};

use globset::GlobMatcher;
use rustc_hash::FxHashMap;
use wirespan_proto::event::{Exec, Exit, Fork, Nanos};
use wirespan_recording::Fact;
use wirespan_span::resource::Resource;

use crate::config::value::PatternNames;
use cgroup::Cgroup;
use endpoint::Endpoints;
use environ::Otel;
use procfs::Snapshot;
use program::Program;
use resource::Names;
use source::Source;

pub(crate) use environ::kept as kept_environ;
pub use host::HostFacts;

/// A process that ended stays known for so long, for spans that are still to come. Its sockets are closed by then, unless
/// others share them.
const MOURNING_NS: u64 = 120_000_000_000;

/// What filters ask of a process. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Process id, in the host's pid namespace.
    pub pid: u32,
    /// Path of its executable; the bare name it was called by where it is gone already.
    pub executable: Option<String>,
    /// Id of its container.
    pub container: Option<String>,
    /// Path of its cgroup.
    pub cgroup: Option<String>,
}

/// Where facts about processes are found.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The `/proc` file system.
    pub proc_root: PathBuf,
    /// The host's root directory.
    pub root: PathBuf,
}

impl Default for Sources {
    fn default() -> Self {
        Self { proc_root: "/proc".into(), root: "/".into() }
    }
}

/// What an exec event said: the children share it until they replace it.
#[derive(Debug)]
struct Image {
    args: Vec<String>,
    /// Not all arguments fitted into the event.
    cut: bool,
    otel: Otel,
}

/// What was found out about a process.
#[derive(Debug)]
struct Known {
    /// Id of the cgroup it was in then; 0 where it was not told.
    cgroup: u64,
    /// Start time; `None` where the process was gone already.
    started: Option<Nanos>,
    process: Arc<Process>,
    resource: Arc<Resource>,
}

#[derive(Debug, Default)]
struct Entry {
    image: Option<Arc<Image>>,
    exited: Option<Nanos>,
    used: u64,
    known: Option<Known>,
}

/// A cgroup and what its container is called.
#[derive(Clone, Debug, Default)]
struct Place {
    cgroup: Cgroup,
    container_name: Option<String>,
}

/// The processes of this host, as far as they matter.
#[derive(Debug)]
pub struct Processes {
    source: Source,
    host: HostFacts,
    names: Vec<(GlobMatcher, String)>,
    capacity: usize,
    clock: u64,
    entries: FxHashMap<u32, Entry>,
    /// Those that ended and when, in that order. Their pid may be another's by now.
    ended: VecDeque<(Nanos, u32)>,
    /// By cgroup id, for processes that are gone before anybody can look.
    places: FxHashMap<u64, Arc<Place>>,
}

impl Processes {
    /// Nobody is known yet. `names` are the configured names of executables; at most `capacity` processes (and
    /// cgroups) are kept.
    #[must_use]
    pub fn new(sources: Sources, host: HostFacts, names: &PatternNames, capacity: usize) -> Self {
        Self::from(Source::host(sources), host, names, capacity)
    }

    /// The processes of a recorded host: what is known of them is what [`learn`](Self::learn) is told.
    #[must_use]
    pub fn recorded(host: HostFacts, names: &PatternNames, capacity: usize) -> Self {
        Self::from(Source::recording(capacity), host, names, capacity)
    }

    /// The addresses of a packet capture, in the place of processes; see [`learn_endpoint`](Self::learn_endpoint).
    #[must_use]
    pub fn captured(names: &PatternNames, capacity: usize) -> Self {
        Self::from(Source::Capture(Endpoints::default()), HostFacts::default(), names, capacity)
    }

    fn from(source: Source, host: HostFacts, names: &PatternNames, capacity: usize) -> Self {
        Self {
            source,
            host,
            names: names.iter().map(|(pattern, name)| (pattern.0.compile_matcher(), name.clone())).collect(),
            capacity: capacity.max(1),
            clock: 0,
            entries: FxHashMap::default(),
            ended: VecDeque::new(),
            places: FxHashMap::default(),
        }
    }

    /// From now on, keeps what the host says of processes for [`told`](Self::told).
    pub fn keep_told(&mut self) {
        self.source.keep_told();
    }

    /// What the host said of processes since the last call, to be recorded.
    pub fn told(&mut self) -> Vec<Fact> {
        self.source.told()
    }

    /// What a recorded host said of a process.
    pub fn learn(&mut self, fact: Fact) {
        self.source.learn(fact);
    }

    /// From now on `pid` stands for whoever is behind an address of a packet capture.
    pub fn learn_endpoint(&mut self, pid: u32, address: IpAddr, port: Option<u16>) {
        if let Source::Capture(endpoints) = &mut self.source {
            endpoints.learn(pid, address, port);
        }
    }

    /// A process replaced its program: what was known of it is past.
    pub fn exec(&mut self, exec: &Exec<'_>) {
        let image = Image {
            args: procfs::split_args(exec.args),
            cut: !exec.args.ends_with(&[0]),
            otel: Otel::from_environ(exec.env),
        };
        self.insert(exec.pid, Some(Arc::new(image)));
        // Once for each cgroup, so that its later processes may be gone before they are looked at.
        let unknown = exec.cgroup != 0 && !self.places.contains_key(&exec.cgroup);
        if let Some(cgroup) = unknown.then(|| self.source.cgroup(exec.pid)).flatten() {
            self.learn_place(exec.cgroup, cgroup);
        }
    }

    /// A process was born: it is what its parent is, until it says otherwise.
    pub fn fork(&mut self, fork: &Fork) {
        let image = self.entries.get(&fork.parent).and_then(|parent| parent.image.clone());
        self.entries.remove(&fork.pid);
        self.source.forget(fork.pid);
        if image.is_some() {
            self.insert(fork.pid, image);
        }
    }

    /// A process ended. It stays known for two minutes; with it go those that ended before that.
    pub fn exit(&mut self, exit: &Exit) {
        if let Some(entry) = self.entries.get_mut(&exit.pid) {
            entry.exited = Some(exit.time);
            self.ended.push_back((exit.time, exit.pid));
        }
        while let Some(&(time, pid)) = self.ended.front()
            && (exit.time.since(time) > MOURNING_NS || self.ended.len() > self.capacity)
        {
            self.ended.pop_front();
            if self.entries.get(&pid).is_some_and(|entry| entry.exited == Some(time)) {
                self.entries.remove(&pid);
            }
        }
    }

    /// The resource of a process. `cgroup` is the id that came with the event; 0 where it is not known. Reads
    /// `/proc` at first sight (some 50 µs), later only when the process has moved to another cgroup or has ended.
    pub fn resource(&mut self, pid: u32, cgroup: u64) -> Arc<Resource> {
        Arc::clone(&self.known(pid, cgroup).resource)
    }

    /// The same for what filters ask.
    pub fn process(&mut self, pid: u32, cgroup: u64) -> Arc<Process> {
        Arc::clone(&self.known(pid, cgroup).process)
    }

    /// How many processes are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is none kept?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn known(&mut self, pid: u32, cgroup: u64) -> &Known {
        self.forget_stale(pid, cgroup);
        if self.entries.get(&pid).is_none_or(|entry| entry.known.is_none()) {
            self.identify(pid, cgroup);
        }
        self.clock += 1;
        let entry = self.entries.entry(pid).or_default();
        entry.used = self.clock;
        entry.known.as_ref().expect("who was not known was identified")
    }

    fn identify(&mut self, pid: u32, cgroup: u64) {
        if !self.entries.contains_key(&pid) {
            self.insert(pid, None);
        }
        let image = self.entries.get(&pid).and_then(|entry| entry.image.clone());
        let found = self.look(pid, cgroup, image.as_deref());
        self.entries.entry(pid).or_default().known = Some(found);
    }

    /// Drops what is known where the pid now belongs to another process (a fork event was lost), or where the
    /// process has moved.
    fn forget_stale(&mut self, pid: u32, cgroup: u64) {
        let Some(entry) = self.entries.get_mut(&pid) else { return };
        let moved = entry.known.as_ref().is_some_and(|known| cgroup != 0 && known.cgroup != cgroup);
        if !moved && entry.exited.is_none() {
            return;
        }
        let now = self.source.started(pid);
        let started = entry.known.as_ref().and_then(|known| known.started);
        let other = matches!((started, now), (Some(then), Some(now)) if then != now);
        let after_exit = matches!((entry.exited, now), (Some(exited), Some(now)) if now > exited);
        if other || after_exit {
            self.entries.remove(&pid);
        } else if moved && now.is_some() {
            entry.known = None;
        }
    }

    /// Finds out who a process is, from what it said at exec, from `/proc`, and from its cgroup.
    fn look(&mut self, pid: u32, cgroup: u64, image: Option<&Image>) -> Known {
        if let Some(resource) = self.source.endpoint(pid) {
            let process = Arc::new(Process { pid, ..Process::default() });
            return Known { cgroup, started: None, process, resource: Arc::new(resource) };
        }
        let snapshot = self.source.snapshot(pid);
        let started = snapshot.as_ref().map(|snapshot| snapshot.started);
        let mut snapshot = snapshot.unwrap_or_default();
        let place = self.place(cgroup, started.is_some().then(|| snapshot.cgroup.clone()));
        prefer_image(&mut snapshot, image);
        let program = program::program(
            snapshot.executable.as_deref().unwrap_or_default(),
            &snapshot.args,
            cwd(&snapshot),
        );
        let called = snapshot.args.first().map(|arg| arg.trim_start_matches('-').to_owned());
        let process = Process {
            pid,
            executable: snapshot.executable.or(called).filter(|path| !path.is_empty()),
            container: place.cgroup.container.clone(),
            cgroup: Some(place.cgroup.path.clone()).filter(|path| !path.is_empty()),
        };
        let resource = self.build(&process, &program, &place, &snapshot.otel);
        Known { cgroup, started, process: Arc::new(process), resource: Arc::new(resource) }
    }

    fn build(&mut self, process: &Process, program: &Program, place: &Place, otel: &Otel) -> Resource {
        let package =
            program.package.as_ref().and_then(|directory| self.source.package_name(process.pid, directory));
        let names = Names {
            configured: self.configured_name(process),
            otel: otel.service_name.as_deref(),
            unit: place.cgroup.unit.as_deref(),
            container: place.container_name.as_deref(),
            program: package.as_deref().unwrap_or(&program.name),
        };
        resource::resource(process, &names, &place.cgroup, otel, &self.host)
    }

    fn configured_name(&self, process: &Process) -> Option<&str> {
        let executable = process.executable.as_deref()?;
        self.names.iter().find(|(glob, _)| glob.is_match(executable)).map(|(_, name)| name.as_str())
    }

    /// The place of a process: what it says itself while it lives, else what others in its cgroup said.
    fn place(&mut self, id: u64, said: Option<Cgroup>) -> Arc<Place> {
        match (self.places.get(&id), said) {
            (Some(place), None) => Arc::clone(place),
            (Some(place), Some(said)) if place.cgroup == said => Arc::clone(place),
            (_, Some(said)) => self.learn_place(id, said),
            (None, None) => Arc::default(),
        }
    }

    fn learn_place(&mut self, id: u64, cgroup: Cgroup) -> Arc<Place> {
        let container_name = cgroup.container.as_deref().and_then(|id| self.source.container_name(id));
        let place = Arc::new(Place { cgroup, container_name });
        if id != 0 {
            // Few hosts have so many cgroups; where they do, the living ones are learned again.
            if self.places.len() >= self.capacity {
                self.places.clear();
            }
            self.places.insert(id, Arc::clone(&place));
        }
        place
    }

    fn insert(&mut self, pid: u32, image: Option<Arc<Image>>) {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&pid) {
            self.evict();
        }
        self.clock += 1;
        self.entries.insert(pid, Entry { image, used: self.clock, ..Entry::default() });
    }

    /// Makes room for an eighth of the capacity at once, so that its cost is spread: the ended first, then the
    /// longest unused.
    fn evict(&mut self) {
        let mut ages: Vec<_> =
            self.entries.iter().map(|(pid, e)| (e.exited.is_none(), e.used, *pid)).collect();
        ages.sort_unstable();
        for (_, _, pid) in ages.into_iter().take(self.capacity.div_ceil(8)) {
            self.entries.remove(&pid);
        }
    }
}

/// What the process said at exec beats `/proc`: it may have overwritten its arguments and environment since (as
/// `setproctitle` does), or be gone.
fn prefer_image(snapshot: &mut Snapshot, image: Option<&Image>) {
    let Some(image) = image else { return };
    let whole = !image.args.is_empty() && !image.cut;
    if whole || snapshot.args.is_empty() {
        snapshot.args.clone_from(&image.args);
    }
    if !image.otel.is_empty() {
        snapshot.otel.clone_from(&image.otel);
    }
}

fn cwd(snapshot: &Snapshot) -> &str {
    snapshot.cwd.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests;
