//! Comes in: what the host said besides events: who it is, who its processes are, what was lost. Goes out: the same
//! as payloads, and back.

use wirespan_proto::event::Nanos;

use crate::field::{Fields, Payload};

/// Where and how a recording was made. The first record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Version of the program that made it.
    pub program: String,
    /// Release of the kernel, as `uname -r` has it.
    pub kernel: Option<String>,
    /// The plan that the kernel programs followed.
    pub plan: Option<String>,
    /// `host.name`.
    pub host_name: Option<String>,
    /// `host.id`.
    pub host_id: Option<String>,
    /// Process id of the daemon that recorded: its own connections are not shown.
    pub own_pid: u32,
}

/// What `/proc` said of a process. Its files as they were, so that a later version may read them better.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// When it started, on the boot-time clock.
    pub started: Nanos,
    /// Path of its executable.
    pub executable: Option<String>,
    /// `/proc/PID/cmdline`, possibly cut.
    pub cmdline: Vec<u8>,
    /// Its working directory.
    pub cwd: Option<String>,
    /// `/proc/PID/cgroup`.
    pub cgroup: Vec<u8>,
    /// Of `/proc/PID/environ`, what is said to OpenTelemetry; nothing else.
    pub environ: Vec<u8>,
}

/// One answer of the host to a question about a process. Stands before the event that made somebody ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Who the process `pid` is.
    Process(u32, Process),
    /// `/proc/PID/cgroup` of the process `pid`.
    Cgroup(u32, Vec<u8>),
    /// What its `package.json` calls the process `pid`.
    Package(u32, String),
    /// The name of the container with this id.
    Container(String, String),
}

/// What was lost until the recording ended. The last record; a file without it was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// When.
    pub time: Nanos,
    /// Events that found their ring full.
    pub lost_records: u64,
    /// Their bytes.
    pub lost_bytes: u64,
    /// Buffers that could not be read.
    pub faults: u64,
    /// Calls of `io_uring` that were not looked into.
    pub io_uring: u64,
    /// Events that were seen but not recorded because the disk was too slow.
    pub unwritten: u64,
}

pub(crate) fn put_start(fields: &mut Fields<'_>, start: &Start) {
    fields.bytes(start.program.as_bytes());
    fields.text(start.kernel.as_deref());
    fields.text(start.plan.as_deref());
    fields.text(start.host_name.as_deref());
    fields.text(start.host_id.as_deref());
    fields.u32(start.own_pid);
}

pub(crate) fn start(payload: &mut Payload<'_>) -> Option<Start> {
    Some(Start {
        program: payload.text()?.unwrap_or_default(),
        kernel: payload.text()?,
        plan: payload.text()?,
        host_name: payload.text()?,
        host_id: payload.text()?,
        own_pid: payload.u32()?,
    })
}

pub(crate) fn put_process(fields: &mut Fields<'_>, pid: u32, process: &Process) {
    fields.u32(pid);
    fields.u64(process.started.0);
    fields.text(process.executable.as_deref());
    fields.bytes(&process.cmdline);
    fields.text(process.cwd.as_deref());
    fields.bytes(&process.cgroup);
    fields.bytes(&process.environ);
}

pub(crate) fn process(payload: &mut Payload<'_>) -> Option<Fact> {
    let pid = payload.u32()?;
    let process = Process {
        started: Nanos(payload.u64()?),
        executable: payload.text()?,
        cmdline: payload.bytes()?.to_vec(),
        cwd: payload.text()?,
        cgroup: payload.bytes()?.to_vec(),
        environ: payload.bytes()?.to_vec(),
    };
    Some(Fact::Process(pid, process))
}

pub(crate) fn put_end(fields: &mut Fields<'_>, end: &End) {
    let counts = [end.time.0, end.lost_records, end.lost_bytes, end.faults, end.io_uring, end.unwritten];
    counts.into_iter().for_each(|count| fields.u64(count));
}

pub(crate) fn end(payload: &mut Payload<'_>) -> Option<End> {
    Some(End {
        time: Nanos(payload.u64()?),
        lost_records: payload.u64()?,
        lost_bytes: payload.u64()?,
        faults: payload.u64()?,
        io_uring: payload.u64()?,
        unwritten: payload.u64()?,
    })
}
