//! Loads and attaches the kernel programs of one plan. Everything is held by file descriptors of this process, so
//! the kernel takes it all back on any exit, `kill -9` included.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd},
    sync::atomic::{AtomicU64, Ordering},
};

use aya::{
    Btf as AyaBtf, Ebpf, EbpfLoader, Endianness, VerifierLogLevel,
    maps::{Array, HashMap, Map, MapData, ProgramArray, RingBuf},
    programs::{BtfTracePoint, ProgramError},
};
use thiserror::Error;
use wirespan_proto::{
    abi::{
        self, ARCH_ARM64, ARCH_X86_64, FILTER_ALL, FILTER_EXCEPT, FILTER_ONLY, MAX_HEAD, POLICY_SLOTS,
        PORTS_ALL, PORTS_EXCEPT, PORTS_ONLY, RUNTIME_SLOTS, RuntimeRecord, policy_slot,
    },
    event::{Awaited, Cookie, GroupFields, Policy, TaskFields, TaskPlace, Writers},
};
use zerocopy::IntoBytes;

use crate::{
    btf::{Btf, BtfError},
    fields::{self, Resolved, Uring},
    memory::Mapping,
    object::OBJECT,
    plan::{self, Choice, Hook, PassedOver, Plan, Taken},
    reader::{Losses, Reader, Source},
    ring,
};

/// Where the kernel publishes its types.
pub(crate) const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The kernel's version, as `uname -r` has it.
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// Why nothing is captured, and what to do about it.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Built without the BPF tools.
    #[error("this build of wirespan has no kernel programs; run `cargo xtask setup` and build again")]
    NotEmbedded,
    /// No BTF.
    #[error(
        "cannot read {VMLINUX}: {0}; wirespan needs a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions ship them"
    )]
    NoBtf(io::Error),
    /// BTF that is not understood.
    #[error("cannot understand {VMLINUX}")]
    Btf(#[from] BtfReadError),
    /// No plan fits.
    #[error("this kernel lacks {}; {}", .lacking.join(", "), .advice)]
    NoPlan {
        /// What is missing.
        lacking: Vec<&'static str>,
        /// What to do.
        advice: &'static str,
    },
    /// Several plans should have loaded, and none did.
    #[error(
        "the kernel refused every plan: {}; please report this with the output of `uname -r`",
        .0.iter().map(|refused| format!("{}: {}", refused.plan, refused.why)).collect::<Vec<_>>().join("; ")
    )]
    NoneLoads(Vec<PassedOver>),
    /// A kernel structure lacks fields.
    #[error("this kernel lacks the fields {}; please report this with the output of `uname -r`", .0.join(", "))]
    MissingFields(Vec<String>),
    /// Not allowed to load.
    #[error(
        "not permitted to load kernel programs; run as root, or with CAP_BPF and CAP_PERFMON (before Linux 5.11 also \
         CAP_SYS_RESOURCE); `wirespan doctor` says what is missing"
    )]
    NotPermitted,
    /// The kernel refused.
    #[error("the kernel refused {what}")]
    Refused {
        /// What it refused.
        what: String,
        /// Its answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LoadError {
    /// It and its causes, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

/// See [`LoadError::Btf`].
#[derive(Debug, Error)]
#[error(transparent)]
pub struct BtfReadError(BtfError);

impl From<BtfError> for LoadError {
    fn from(error: BtfError) -> Self {
        Self::Btf(BtfReadError(error))
    }
}

fn refused(what: impl Into<String>) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> LoadError {
    let what = what.into();
    move |source| LoadError::Refused { what, source }
}

/// Which processes the kernel programs look at before the daemon has said anything of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All, and verdicts are not asked for.
    #[default]
    All,
    /// All but those with an ignoring verdict.
    Except,
    /// Only those with a capturing verdict, and their children from their birth.
    Only,
}

/// What the kernel programs are told at load.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which plan.
    pub choice: Choice,
    /// Bytes copied from the beginning of a call, 64 to 16384.
    pub head_bytes: u32,
    /// Which processes.
    pub filter: Filter,
    /// Only connections with one of these ports, if there are any.
    pub include_ports: Vec<u16>,
    /// No connections with one of these ports.
    pub exclude_ports: Vec<u16>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            choice: Choice::Auto,
            head_bytes: 2048,
            filter: Filter::All,
            include_ports: Vec::new(),
            exclude_ports: Vec::new(),
        }
    }
}

/// The attached programs. Dropping them detaches everything.
pub struct Programs {
    plan: Plan,
    reader: Option<Reader>,
    policies: Option<Policies>,
    verdicts: Option<Verdicts>,
    runtimes: Option<Runtimes>,
    hooks: Vec<Hook>,
    /// Loaded and not attached.
    waiting: Option<Hook>,
    passed_over: Vec<PassedOver>,
    /// Keeps programs and links.
    ebpf: Ebpf,
}

/// What one kernel program cost so far. The kernel counts only while `kernel.bpf_stats_enabled` is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The program.
    pub program: &'static str,
    /// Where it is attached.
    pub tracepoint: &'static str,
    /// How often it ran.
    pub runs: u64,
    /// How long all runs took, ns.
    pub time_ns: u64,
}

/// Writes what is wanted of single processes.
pub struct Verdicts {
    verdicts: HashMap<MapData, u32, u8>,
    followed: HashMap<MapData, u32, u8>,
}

impl Verdicts {
    /// Look at this process (and, with [`Filter::Only`], its children to come), or leave it alone.
    pub fn set(&mut self, pid: u32, capture: bool) -> io::Result<()> {
        let verdict = if capture { abi::VERDICT_CAPTURE } else { abi::VERDICT_IGNORE };
        self.verdicts.insert(pid, verdict, 0).map_err(io::Error::other)
    }

    /// From now on, and until the process ends, tell of the births and ends of its threads; and of its wake-ups at
    /// futexes, where [`Programs::watch_wakes`] was called.
    pub fn follow(&mut self, pid: u32, wakes: bool) -> io::Result<()> {
        let value = if wakes { abi::FOLLOW_WAKES } else { abi::FOLLOW_THREADS };
        self.followed.insert(pid, value, 0).map_err(io::Error::other)
    }
}

/// Writes where processes keep the identities of their logical tasks: a few stores each, no system call. The kernel
/// programs forget a process by themselves when it ends or replaces its program.
#[derive(Debug)]
pub struct Runtimes {
    slots: Mapping,
}

impl Runtimes {
    /// From now on, events of this process tell their logical task.
    pub fn set(&self, pid: u32, place: TaskPlace) {
        let fields = place.within.unwrap_or(TaskFields { id: 0, starter: None });
        let starter = fields.starter.unwrap_or(abi::NO_FIELD);
        let (kind, address, offsets) = match (place.within, place.writers, place.awaited) {
            (None, ..) => (abi::TASK_IS_WORD, 0, [0; 6]),
            (Some(_), _, Some(awaited)) => (abi::TASK_AWAITED, awaited.running, offsets(&awaited)),
            (Some(_), Some(Writers { begin, stack_end, connection, channel, waiting }), None) => {
                (abi::TASK_WITHIN, begin, [stack_end, connection, channel, waiting, 0, 0])
            }
            (Some(_), None, None) => (abi::TASK_WITHIN, 0, [0; 6]),
        };
        let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let [one, two, three, four, five, six] = offsets;
        let words = [
            place.word as u64,
            pair(fields.id, starter),
            place.awaited.map_or(place.next, |awaited| Some(awaited.function)).unwrap_or(0),
            address,
            pair(one, two),
            pair(three, four),
            pair(five, six),
        ];
        let [head, rest @ ..] = self.slot(pid);
        head.store(0, Ordering::Release);
        for (word, value) in rest.iter().zip(words) {
            word.store(value.to_le(), Ordering::Release);
        }
        head.store(pair(pid, kind).to_le(), Ordering::Release);
    }

    /// Events of this process tell their thread again.
    pub fn forget(&self, pid: u32) {
        let [head, ..] = self.slot(pid);
        if head.load(Ordering::Acquire).to_le() as u32 == pid {
            head.store(0, Ordering::Release);
        }
    }

    /// The words of a slot, as `abi::RuntimeRecord` has them.
    fn slot(&self, pid: u32) -> [&AtomicU64; RUNTIME_WORDS] {
        let first = abi::runtime_slot(pid) as usize * RUNTIME_WORDS;
        // SAFETY: the slot lies within the mapping and is aligned; kernel programs read it and store zeros in it.
        std::array::from_fn(|word| unsafe {
            AtomicU64::from_ptr(self.slots.start().cast::<u64>().add(first + word))
        })
    }
}

/// As `abi::RuntimeRecord::offsets` has them.
fn offsets(awaited: &Awaited) -> [u32; 6] {
    let (before, behind) = match awaited.group {
        None => (0, 0),
        Some(GroupFields::Inside(behind)) => (0, behind),
        Some(GroupFields::Outside { before, behind }) => (before, behind),
    };
    [u32::from(awaited.packed), awaited.context, awaited.closure, awaited.wakes, before, behind]
}

const RUNTIME_WORDS: usize = size_of::<RuntimeRecord>() / size_of::<u64>();
const _: () = assert!(std::mem::offset_of!(abi::RuntimeRecord, word) == 8);
const _: () = assert!(std::mem::offset_of!(abi::RuntimeRecord, id) == 16);
const _: () = assert!(std::mem::offset_of!(abi::RuntimeRecord, next) == 24);
const _: () = assert!(std::mem::offset_of!(abi::RuntimeRecord, address) == 32);
const _: () = assert!(std::mem::offset_of!(abi::RuntimeRecord, offsets) == 40);

/// Writes capture policies of connections: one store each, no system call.
#[derive(Debug)]
pub struct Policies {
    slots: Mapping,
}

impl Policies {
    /// Sets the policy of the socket with this cookie.
    pub fn set(&self, cookie: Cookie, policy: Policy) {
        let code = match policy {
            Policy::Undecided => abi::POLICY_UNDECIDED,
            Policy::Ignore => abi::POLICY_IGNORE,
            Policy::Heads => abi::POLICY_HEADS,
            Policy::Full => abi::POLICY_FULL,
        };
        // SAFETY: the slot lies within the mapping and is aligned; kernel programs only read it.
        let slot = unsafe {
            AtomicU64::from_ptr(self.slots.start().cast::<u64>().add(policy_slot(cookie.0) as usize))
        };
        slot.store(cookie.0 << 8 | u64::from(code), Ordering::Relaxed);
    }
}

impl Programs {
    /// Loads and attaches. Takes a fraction of a second.
    pub fn load(settings: &Settings) -> Result<Self, LoadError> {
        if OBJECT.is_empty() {
            return Err(LoadError::NotEmbedded);
        }
        let bytes = fs::read(VMLINUX).map_err(LoadError::NoBtf)?;
        let btf = Btf::parse(&bytes)?;
        let kernel = Kernel::look(&btf)?;
        let Taken { plan, loaded, passed_over } =
            plan::take(settings.choice, |plan| lacking(plan, &btf), |plan| kernel.attach(settings, plan))?;
        let Loaded { mut ebpf, hooks, waiting, reader } = loaded;
        let policies = Policies { slots: mapped(&ebpf, "WS_POLICIES", POLICY_SLOTS as usize * 8)? };
        let len = RUNTIME_SLOTS as usize * size_of::<RuntimeRecord>();
        let runtimes = Runtimes { slots: mapped(&ebpf, "WS_RUNTIMES", len)? };
        let verdicts = Verdicts {
            verdicts: by_process(&mut ebpf, "WS_PROCESSES")?,
            followed: by_process(&mut ebpf, "WS_FOLLOWED")?,
        };
        Ok(Self {
            plan,
            reader: Some(reader),
            policies: Some(policies),
            verdicts: Some(verdicts),
            runtimes: Some(runtimes),
            hooks,
            waiting,
            passed_over,
            ebpf,
        })
    }

    /// What is attached.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// The better plans that this kernel should have loaded and did not.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// The programs, and the tracepoints they are attached to.
    pub fn hooks(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.hooks.iter().map(|hook| (hook.program, hook.tracepoint))
    }

    /// The tracepoint that [`watch_wakes`](Self::watch_wakes) would attach to.
    #[must_use]
    pub fn on_demand(&self) -> Option<&'static str> {
        self.waiting.map(|hook| hook.tracepoint)
    }

    /// What each program cost; a program that the kernel says nothing of is left out. One system call a program.
    #[must_use]
    pub fn costs(&self) -> Vec<Cost> {
        self.hooks.iter().filter_map(|hook| self.cost(*hook)).collect()
    }

    /// Times that the kernel did not run a program because it met it at work on the same processor already, and none stood in
    /// for it: an interrupt came in the middle of one connection's change and changed another, or, since Linux 7.0, a thread lost
    /// its processor there. A few system calls a program; none are counted before Linux 5.12.
    #[must_use]
    pub fn interrupted(&self, losses: &Losses) -> u64 {
        let hooks = self.hooks.iter().filter(|hook| !plan::SECOND.contains(hook));
        hooks.filter_map(|hook| self.skips(*hook)).sum::<u64>().saturating_sub(losses.stood_in)
    }

    fn skips(&self, hook: Hook) -> Option<u64> {
        let program: &BtfTracePoint = self.ebpf.program(hook.program)?.try_into().ok()?;
        let fd = program.fd().ok()?.as_fd().as_raw_fd();
        skips(&fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?)
    }

    fn cost(&self, hook: Hook) -> Option<Cost> {
        let program: &BtfTracePoint = self.ebpf.program(hook.program)?.try_into().ok()?;
        let info = program.info().ok()?;
        let time_ns = u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX);
        Some(Cost { program: hook.program, tracepoint: hook.tracepoint, runs: info.run_count(), time_ns })
    }

    /// From now on, tell of wake-ups in processes that are followed so. Every wake-up on the host pays a little for it. Does
    /// nothing where that is so already, and where this kernel or plan does not have it.
    ///
    /// # Errors
    /// [`LoadError::Refused`].
    pub fn watch_wakes(&mut self) -> Result<(), LoadError> {
        let Some(hook) = self.waiting.take() else { return Ok(()) };
        attach(&mut self.ebpf, hook)?;
        self.hooks.push(hook);
        Ok(())
    }

    /// The reading side. Once.
    pub fn take_reader(&mut self) -> Option<Reader> {
        self.reader.take()
    }

    /// Capture policies. Once.
    pub fn take_policies(&mut self) -> Option<Policies> {
        self.policies.take()
    }

    /// Places of logical tasks. Once.
    pub fn take_runtimes(&mut self) -> Option<Runtimes> {
        self.runtimes.take()
    }

    /// Verdicts on processes. Once.
    pub fn take_verdicts(&mut self) -> Option<Verdicts> {
        self.verdicts.take()
    }
}

/// From now on the programs emit: all at once, whatever time it took to attach them.
fn open(ebpf: &mut Ebpf) -> Result<(), LoadError> {
    let mut open =
        Array::try_from(take(ebpf, "WS_OPEN")?).map_err(|error| refused("WS_OPEN")(error.into()))?;
    open.set(0, 1_u32, 0).map_err(|error| refused("WS_OPEN")(error.into()))
}

fn by_process(ebpf: &mut Ebpf, name: &'static str) -> Result<HashMap<MapData, u32, u8>, LoadError> {
    HashMap::try_from(take(ebpf, name)?).map_err(|error| refused(name)(error.into()))
}

/// What this kernel lacks for a plan.
pub(crate) fn lacking(plan: Plan, btf: &Btf<'_>) -> Result<Vec<&'static str>, LoadError> {
    Ok(plan.lacking(|name| btf.has_tracepoint(name), |name| Ok(btf.enumerator(name)?.is_some()))?)
}

/// What is known of the kernel before a plan is chosen.
struct Kernel {
    fields: abi::Fields,
    uring: Option<Uring>,
    types: AyaBtf,
    cpus: usize,
    /// May a thread lose its processor inside a program?
    preemptible: bool,
}

/// A plan's programs, attached.
struct Loaded {
    ebpf: Ebpf,
    hooks: Vec<Hook>,
    waiting: Option<Hook>,
    reader: Reader,
}

impl Kernel {
    fn look(btf: &Btf<'_>) -> Result<Self, LoadError> {
        let Resolved { fields, missing, uring, .. } = fields::resolve(btf)?;
        if !missing.is_empty() {
            return Err(LoadError::MissingFields(missing));
        }
        let uring = if sees_uring(btf)? { uring } else { None };
        let types = AyaBtf::parse(&btf.tracepoints()?, Endianness::default())
            .map_err(|error| refused("its own types")(error.into()))?;
        let cpus = aya::util::nr_cpus().map_err(|(_, error)| LoadError::NoBtf(error))?;
        let preemptible = fs::read_to_string(RELEASE).is_ok_and(|release| is_preemptible(&release));
        Ok(Self { fields, uring, types, cpus, preemptible })
    }

    fn attach(&self, settings: &Settings, plan: Plan) -> Result<Loaded, LoadError> {
        let uring = self.uring.filter(|_| plan == Plan::Sock);
        let second: &[Hook] = if self.preemptible && plan == Plan::Sock { &plan::SECOND } else { &[] };
        let mut ebpf = self.load(plan, &self.globals(settings, plan, uring))?;
        write_ports(&mut ebpf, settings)?;
        let uring: &[Hook] = if uring.is_some() { &plan::URING } else { &[] };
        let hooks = [plan.hooks().as_slice(), second, uring].concat();
        for hook in &hooks {
            load(&mut ebpf, *hook, &self.types)?;
            attach(&mut ebpf, *hook)?;
        }
        let wake = Some(plan::WAKE).filter(|_| plan == Plan::Sock);
        // A program that only adds to what is known is no reason to do without the plan.
        let waiting = wake.filter(|hook| load(&mut ebpf, *hook, &self.types).is_ok());
        if let Some(next) = plan.next() {
            load(&mut ebpf, next, &self.types)?;
            goes_on_with(&mut ebpf, next.program)
                .map_err(refused(format!("a call of program {}", next.program)))?;
        }
        let reader = reader(&mut ebpf, plan, self.cpus)?;
        open(&mut ebpf)?;
        Ok(Loaded { ebpf, hooks, waiting, reader })
    }

    fn globals(&self, settings: &Settings, plan: Plan, uring: Option<Uring>) -> abi::Settings {
        abi::Settings {
            own_pid: std::process::id(),
            head_bytes: settings.head_bytes.clamp(64, MAX_HEAD),
            filter: match settings.filter {
                Filter::All => FILTER_ALL,
                Filter::Except => FILTER_EXCEPT,
                Filter::Only => FILTER_ONLY,
            },
            ports: match (settings.include_ports.is_empty(), settings.exclude_ports.is_empty()) {
                (true, true) => PORTS_ALL,
                (false, _) => PORTS_ONLY,
                (true, false) => PORTS_EXCEPT,
            },
            cpus: self.cpus as u32,
            by_descriptor: u32::from(plan != Plan::Sock),
            arch: if cfg!(target_arch = "x86_64") { ARCH_X86_64 } else { ARCH_ARM64 },
            uring: u32::from(uring.is_some()),
            iter_ubuf: uring.map_or(0, |uring| uring.iter_ubuf),
            async_data_bit: uring.map_or(0, |uring| uring.async_data_bit),
            preemptible: u32::from(self.preemptible),
        }
    }

    /// Makes the maps. The programs are only read; what a plan does not attach is never loaded.
    fn load(&self, plan: Plan, globals: &abi::Settings) -> Result<Ebpf, LoadError> {
        let mut loader = EbpfLoader::new();
        loader
            // The object asks for no relocations by type; without the kernel's types their memory is free again here.
            .btf(None)
            // Without the states of every path, which for a program that is too large take gigabytes.
            .verifier_log_level(VerifierLogLevel::STATS)
            .override_global("SETTINGS", globals.as_bytes(), true)
            .override_global("FIELDS", self.fields.as_bytes(), true)
            .map_max_entries("WS_RINGS", self.cpus as u32);
        if self.preemptible {
            loader.map_max_entries("WS_TOLD", abi::TURNS);
        }
        if plan == Plan::Older {
            raise_locked_memory();
            loader
                .map_max_entries("WS_EVENTS", (self.cpus as u32 * abi::RING_BYTES).next_power_of_two())
                .map_max_entries("WS_SCRATCH", self.cpus as u32 * abi::NESTING);
        }
        loader.load(plan.object()).map_err(|error| denied_or(error.into(), "the maps"))
    }
}

/// Before Linux 5.11 maps count as locked memory of whoever makes them. Where the limit cannot be raised, the kernel's
/// refusal of the maps says so.
fn raise_locked_memory() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: reads a structure of ours.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
}

/// Lets the program at the end of system calls go on with the one that tells what a call moved.
fn goes_on_with(ebpf: &mut Ebpf, program: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let loaded: &BtfTracePoint = ebpf.program(program).expect("it is loaded").try_into()?;
    let descriptor = loaded.fd()?.try_clone()?;
    let map = ebpf.map_mut("WS_MOVES").expect("the object has this map");
    ProgramArray::try_from(map)?.set(0, &descriptor, 0)?;
    Ok(())
}

/// Does this kernel have the tracepoints of `io_uring`?
fn sees_uring(btf: &Btf<'_>) -> Result<bool, LoadError> {
    for hook in plan::URING {
        if !btf.has_tracepoint(hook.tracepoint)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Since Linux 7.0 threads may lose their processor inside tracepoints (`include/linux/tracepoint.h`).
fn is_preemptible(release: &str) -> bool {
    release.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 7)
}

/// The kernel knows one set: the included ports less the excluded ones, or the excluded ones.
fn write_ports(ebpf: &mut Ebpf, settings: &Settings) -> Result<(), LoadError> {
    let mut words = vec![0_u64; 1024];
    let listed =
        if settings.include_ports.is_empty() { &settings.exclude_ports } else { &settings.include_ports };
    for port in listed {
        words[usize::from(port >> 6)] |= 1 << (port & 63);
    }
    if !settings.include_ports.is_empty() {
        for port in &settings.exclude_ports {
            words[usize::from(port >> 6)] &= !(1 << (port & 63));
        }
    }
    let map = ebpf.map_mut("WS_PORTS").expect("the object has this map");
    let mut ports: Array<&mut MapData, u64> =
        Array::try_from(map).map_err(|error| refused("the map WS_PORTS")(error.into()))?;
    for (index, word) in (0..).zip(words).filter(|(_, word)| *word != 0) {
        ports.set(index, word, 0).map_err(|error| refused("the map WS_PORTS")(error.into()))?;
    }
    Ok(())
}

fn load(ebpf: &mut Ebpf, hook: Hook, types: &AyaBtf) -> Result<(), LoadError> {
    program(ebpf, hook)?
        .load(hook.tracepoint, types)
        .map_err(|error| denied_or(error.into(), &hook.to_string()))
}

fn attach(ebpf: &mut Ebpf, hook: Hook) -> Result<(), LoadError> {
    program(ebpf, hook)?.attach().map(drop).map_err(|error| refused(hook.to_string())(error.into()))
}

fn program(ebpf: &mut Ebpf, hook: Hook) -> Result<&mut BtfTracePoint, LoadError> {
    let program = ebpf.program_mut(hook.program).expect("the object has every program of the table");
    program.try_into().map_err(|error: ProgramError| refused(hook.to_string())(error.into()))
}

fn reader(ebpf: &mut Ebpf, plan: Plan, cpus: usize) -> Result<Reader, LoadError> {
    let (stride, events) = match plan {
        Plan::Older => (size_of::<abi::Control>(), "WS_EVENTS"),
        Plan::Sock | Plan::Syscall => (ring::STRIDE, "WS_WAKE"),
    };
    let rings = mapped(ebpf, "WS_RINGS", stride * cpus)?;
    let events = RingBuf::try_from(take(ebpf, events)?)
        .map_err(|error| refused(format!("the map {events}"))(error.into()))?;
    let source = if plan == Plan::Older { Source::Buffer(events) } else { Source::Mapped { wake: events } };
    Reader::new(rings, stride, cpus, source).map_err(|error| refused("a wake-up descriptor")(error.into()))
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map, LoadError> {
    Ok(ebpf.take_map(name).expect("the object has this map"))
}

fn mapped(ebpf: &Ebpf, name: &str, len: usize) -> Result<Mapping, LoadError> {
    let Some(Map::Array(data)) = ebpf.map(name) else { unreachable!("the object has the array map {name}") };
    Mapping::new(data.fd().as_fd(), len).map_err(|error| refused(format!("mapping {name}"))(error.into()))
}

/// How often a program was left out, by `/proc/PID/fdinfo` of its descriptor (`bpf_prog_show_fdinfo`, `kernel/bpf/syscall.c`).
fn skips(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("recursion_misses:"))?.trim().parse().ok()
}

/// EPERM means capabilities, not the program.
fn denied_or(error: Box<dyn std::error::Error + Send + Sync>, what: &str) -> LoadError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(current) = cause {
        let denied = current
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        // SAFETY: no arguments, cannot fail.
        if denied && unsafe { libc::geteuid() } != 0 {
            return LoadError::NotPermitted;
        }
        cause = current.source();
    }
    refused(what)(brief(error))
}

/// Lines of the verifier's log that are worth showing: its verdict stands at the end.
const VERDICT_LINES: usize = 8;

/// A verifier's log runs to thousands of lines.
fn brief(error: Box<dyn std::error::Error + Send + Sync>) -> Box<dyn std::error::Error + Send + Sync> {
    match error.downcast::<ProgramError>().map(|error| *error) {
        Ok(ProgramError::LoadError { io_error, verifier_log }) => {
            let log = verifier_log.to_string();
            let lines: Vec<_> = log.trim_end().lines().collect();
            let end = lines[lines.len().saturating_sub(VERDICT_LINES)..].join("\n  ");
            format!("{io_error}; the verifier's last words:\n  {end}").into()
        }
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_left_out_is_read() {
        let fdinfo = "prog_type:\t26\nrun_cnt:\t9\nrecursion_misses:\t3\nverified_insns:\t7\n";
        assert_eq!(skips(fdinfo), Some(3));
        assert_eq!(skips("prog_type:\t26\nrun_cnt:\t9\n"), None, "before Linux 5.12");
    }

    #[test]
    fn threads_lose_their_processor_since_7_0() {
        assert!(is_preemptible("7.0.0-43-generic\n") && is_preemptible("10.1"));
        assert!(!is_preemptible("6.19.2") && !is_preemptible("5.10.0-32-cloud-amd64") && !is_preemptible(""));
    }
}
