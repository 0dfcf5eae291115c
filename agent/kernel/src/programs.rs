//! Loads and attaches the kernel programs of one plan. Everything is held by file descriptors of this process, so
//! the kernel takes it all back on any exit, `kill -9` included.

use std::{
    fs, io,
    os::fd::AsFd,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::{
    Btf as AyaBtf, Ebpf, EbpfLoader,
    maps::{Array, HashMap, Map, MapData, RingBuf},
    programs::{BtfTracePoint, ProgramError},
};
use thiserror::Error;
use wirespan_proto::{
    abi::{
        self, ARCH_ARM64, ARCH_X86_64, FILTER_ALL, FILTER_EXCEPT, FILTER_ONLY, MAX_HEAD, POLICY_SLOTS,
        PORTS_ALL, PORTS_EXCEPT, PORTS_ONLY, RUNTIME_SLOTS, RuntimeRecord, policy_slot,
    },
    event::{Cookie, Policy, TaskFields, TaskPlace},
};
use zerocopy::IntoBytes;

use crate::{
    btf::{Btf, BtfError},
    fields::{self, Resolved, Uring},
    memory::Mapping,
    object::OBJECT,
    plan::{self, Choice, Hook, Plan},
    reader::Reader,
    ring,
};

/// Where the kernel publishes its types.
pub(crate) const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

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
    #[error("this kernel lacks the tracepoints {}; {}", .lacking.join(", "), .advice)]
    NoPlan {
        /// What is missing.
        lacking: Vec<&'static str>,
        /// What to do.
        advice: &'static str,
    },
    /// A kernel structure lacks fields.
    #[error("this kernel lacks the fields {}; please report this with the output of `uname -r`", .0.join(", "))]
    MissingFields(Vec<String>),
    /// Not allowed to load.
    #[error(
        "not permitted to load kernel programs; run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE"
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

/// Writes verdicts on processes.
pub struct Verdicts(HashMap<MapData, u32, u8>);

impl Verdicts {
    /// Look at this process (and, with [`Filter::Only`], its children to come), or leave it alone.
    pub fn set(&mut self, pid: u32, capture: bool) -> io::Result<()> {
        let verdict = if capture { abi::VERDICT_CAPTURE } else { abi::VERDICT_IGNORE };
        self.0.insert(pid, verdict, 0).map_err(io::Error::other)
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
        let points = u64::from(place.within.is_some());
        let fields = place.within.unwrap_or(TaskFields { id: 0, starter: None });
        let starter = u64::from(fields.starter.unwrap_or(abi::NO_FIELD));
        let words = [points << 32, place.word as u64, starter << 32 | u64::from(fields.id)];
        let [head, rest @ ..] = self.slot(pid);
        head.store(0, Ordering::Release);
        for (word, value) in rest.iter().zip(words.into_iter().skip(1)) {
            word.store(value.to_le(), Ordering::Release);
        }
        head.store((words[0] | u64::from(pid)).to_le(), Ordering::Release);
    }

    /// Events of this process tell their thread again.
    pub fn forget(&self, pid: u32) {
        let [head, ..] = self.slot(pid);
        if head.load(Ordering::Acquire).to_le() as u32 == pid {
            head.store(0, Ordering::Release);
        }
    }

    /// The three words of a slot, as `abi::RuntimeRecord` has them.
    fn slot(&self, pid: u32) -> [&AtomicU64; 3] {
        let first = abi::runtime_slot(pid) as usize * 3;
        // SAFETY: the slot lies within the mapping and is aligned; kernel programs read it and store zeros in it.
        [0, 1, 2]
            .map(|word| unsafe { AtomicU64::from_ptr(self.slots.start().cast::<u64>().add(first + word)) })
    }
}

const _: () = assert!(std::mem::offset_of!(abi::RuntimeRecord, word) == 8);
const _: () = assert!(std::mem::offset_of!(abi::RuntimeRecord, id) == 16);

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
        let plan = choose(settings.choice, &btf)?;
        let Resolved { fields, missing, uring, .. } = fields::resolve(&btf)?;
        if !missing.is_empty() {
            return Err(LoadError::MissingFields(missing));
        }
        let uring = if plan == Plan::Sock && sees_uring(&btf)? { uring } else { None };
        drop(btf);
        drop(bytes);
        let cpus = aya::util::nr_cpus().map_err(|(_, error)| LoadError::NoBtf(error))?;
        let globals = globals(settings, plan, uring, cpus);
        let mut ebpf = EbpfLoader::new()
            .override_global("SETTINGS", globals.as_bytes(), true)
            .override_global("FIELDS", fields.as_bytes(), true)
            .map_max_entries("WS_RINGS", cpus as u32)
            .load(OBJECT)
            .map_err(|error| denied_or(error.into(), "the maps"))?;
        write_ports(&mut ebpf, settings)?;
        let types = AyaBtf::from_sys_fs().map_err(|error| refused("its own types")(error.into()))?;
        let uring: &[Hook] = if uring.is_some() { &plan::URING } else { &[] };
        let hooks = [plan.hooks().as_slice(), uring].concat();
        for hook in &hooks {
            attach(&mut ebpf, *hook, &types)?;
        }
        let reader = reader(&mut ebpf, cpus)?;
        let policies = Policies { slots: mapped(&ebpf, "WS_POLICIES", POLICY_SLOTS as usize * 8)? };
        let len = RUNTIME_SLOTS as usize * size_of::<RuntimeRecord>();
        let runtimes = Runtimes { slots: mapped(&ebpf, "WS_RUNTIMES", len)? };
        let verdicts = Verdicts(
            HashMap::try_from(take(&mut ebpf, "WS_PROCESSES")?)
                .map_err(|error| refused("the map WS_PROCESSES")(error.into()))?,
        );
        Ok(Self {
            plan,
            reader: Some(reader),
            policies: Some(policies),
            verdicts: Some(verdicts),
            runtimes: Some(runtimes),
            hooks,
            ebpf,
        })
    }

    /// What is attached.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// The programs, and the tracepoints they are attached to.
    pub fn hooks(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.hooks.iter().map(|hook| (hook.program, hook.tracepoint))
    }

    /// What each program cost; a program that the kernel says nothing of is left out. One system call a program.
    #[must_use]
    pub fn costs(&self) -> Vec<Cost> {
        self.hooks.iter().filter_map(|hook| self.cost(*hook)).collect()
    }

    fn cost(&self, hook: Hook) -> Option<Cost> {
        let program: &BtfTracePoint = self.ebpf.program(hook.program)?.try_into().ok()?;
        let info = program.info().ok()?;
        let time_ns = u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX);
        Some(Cost { program: hook.program, tracepoint: hook.tracepoint, runs: info.run_count(), time_ns })
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

fn choose(choice: Choice, btf: &Btf<'_>) -> Result<Plan, LoadError> {
    plan::choose(choice, |name| btf.has_tracepoint(name))?.map_err(|lacking| LoadError::NoPlan {
        lacking,
        advice: match choice {
            Choice::Auto => "wirespan needs Linux 5.10 or later with BPF tracing",
            Choice::Only(Plan::Sock) => "they came with Linux 6.3: use --plan syscall or --plan auto",
            Choice::Only(Plan::Syscall) => "use --plan auto",
        },
    })
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

fn globals(settings: &Settings, plan: Plan, uring: Option<Uring>, cpus: usize) -> abi::Settings {
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
        cpus: cpus as u32,
        by_descriptor: u32::from(plan == Plan::Syscall),
        arch: if cfg!(target_arch = "x86_64") { ARCH_X86_64 } else { ARCH_ARM64 },
        uring: u32::from(uring.is_some()),
        iter_ubuf: uring.map_or(0, |uring| uring.iter_ubuf),
        async_data_bit: uring.map_or(0, |uring| uring.async_data_bit),
    }
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

fn attach(ebpf: &mut Ebpf, hook: Hook, types: &AyaBtf) -> Result<(), LoadError> {
    let what = || format!("program {} at tracepoint {}", hook.program, hook.tracepoint);
    let program: &mut BtfTracePoint = ebpf
        .program_mut(hook.program)
        .expect("the object has every program of the table")
        .try_into()
        .map_err(|error: ProgramError| refused(what())(error.into()))?;
    program.load(hook.tracepoint, types).map_err(|error| denied_or(error.into(), &what()))?;
    program.attach().map_err(|error| refused(what())(error.into()))?;
    Ok(())
}

fn reader(ebpf: &mut Ebpf, cpus: usize) -> Result<Reader, LoadError> {
    let rings = mapped(ebpf, "WS_RINGS", ring::STRIDE * cpus)?;
    let wake = RingBuf::try_from(take(ebpf, "WS_WAKE")?)
        .map_err(|error| refused("the map WS_WAKE")(error.into()))?;
    Reader::new(rings, cpus, wake).map_err(|error| refused("a wake-up descriptor")(error.into()))
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map, LoadError> {
    Ok(ebpf.take_map(name).expect("the object has this map"))
}

fn mapped(ebpf: &Ebpf, name: &str, len: usize) -> Result<Mapping, LoadError> {
    let Some(Map::Array(data)) = ebpf.map(name) else { unreachable!("the object has the array map {name}") };
    Mapping::new(data.fd().as_fd(), len).map_err(|error| refused(format!("mapping {name}"))(error.into()))
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
