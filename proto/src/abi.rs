//! The bytes that kernel programs and daemon share: records in a ring, read-only globals, map values.
//!
//! Rules: `repr(C)`, fixed-width integers in the host's byte order, no bool, no enum, no padding. The zerocopy
//! derives refuse padding and the assertions at the end pin every size, on both compilers.
//!
//! Times are nanoseconds of `CLOCK_MONOTONIC`, the clock of `tcp_sock.tcp_wstamp_ns`; the daemon turns them into
//! boot-time as it reads.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Records begin at multiples of this many bytes: one cache line, so that a reader has only one possible place
/// per line to look for a head, and two CPUs never share one.
pub const ALIGN: u32 = 64;

/// Bytes of one CPU's ring, a power of two. 1 MiB stays in the second-level cache and holds some 4,000 records:
/// 40 ms at 100,000 records a second.
pub const RING_BYTES: u32 = 1 << 20;

/// Largest `head` copied from one call.
pub const MAX_HEAD: u32 = 16 << 10;

/// Bytes kept from the end of a call that was not copied whole: enough for the last chunk of a chunked body.
pub const TAIL: u32 = 64;

/// Room behind the ring's end, so that a record that begins before the end lies in one piece.
pub const SLACK: u32 = 96 << 10;

/// Records that programs of one CPU may be making at once, where they stand in memory of the CPU before they go into
/// BPF's ring buffer: one of a task, and one of a program that interrupts it.
pub const NESTING: u32 = 2;

/// Most bytes of arguments and environment copied at exec.
pub const MAX_EXEC: u32 = 8 << 10;

/// I/O vectors looked at in one call. Bytes beyond them are a gap.
pub const MAX_IOVECS: u32 = 64;

/// Slots of the direct-mapped policy table, a power of two.
pub const POLICY_SLOTS: u32 = 32 << 10;

/// Slots of the direct-mapped table of runtimes, a power of two.
pub const RUNTIME_SLOTS: u32 = 4 << 10;

/// Set in [`Head::size`] once the record is whole. Sizes are multiples of [`ALIGN`], so the bit is free.
pub const COMMITTED: u32 = 1;

/// Counters and positions of one CPU's ring. Positions only grow; their low bits address the ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Control {
    /// Producer: bytes ever reserved.
    pub reserved: u64,
    /// Producer: records that found the ring full.
    pub lost_records: u64,
    /// Producer: stream bytes whose record found the ring full.
    pub lost_bytes: u64,
    /// Producer: data events left out because the connection's policy said so.
    pub ignored: u64,
    /// Producer: calls through `io_uring`, whose bytes cannot be copied.
    pub io_uring: u64,
    /// Producer: user buffers that could not be read.
    pub faults: u64,
    /// Producer: events of programs that the kernel left out, seen by those that stand in for them.
    pub stood_in: u64,
    /// Keeps the consumer's line apart.
    pub producer_line: u64,
    /// Consumer: bytes ever consumed.
    pub consumed: u64,
    /// Consumer: 1 while it sleeps; the producer that sets it back to 0 wakes it.
    pub sleeping: u64,
    /// Keeps the first record apart.
    pub consumer_line: [u64; 6],
}

/// Events of one moment that are told apart where a program stands in for one that was left out: those with the same low bits share
/// a place.
pub const TURNS: u32 = 4096;

/// First bytes of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Head {
    /// Length of the whole record in bytes, a multiple of [`ALIGN`], plus [`COMMITTED`]. 0 until committed.
    pub size: u32,
    /// Which record: one of the `KIND_…` constants.
    pub kind: u32,
}

/// [`DataRecord`].
pub const KIND_DATA: u32 = 1;
/// [`LifeRecord`].
pub const KIND_LIFE: u32 = 2;
/// [`ExecRecord`].
pub const KIND_EXEC: u32 = 3;
/// [`ProcessRecord`] of a birth.
pub const KIND_FORK: u32 = 4;
/// [`ProcessRecord`] of an end.
pub const KIND_EXIT: u32 = 5;

/// [`ThreadRecord`] of a birth.
pub const KIND_BIRTH: u32 = 6;
/// [`ThreadRecord`] of an end.
pub const KIND_DEATH: u32 = 7;

/// [`WakeRecord`].
pub const KIND_WAKE: u32 = 8;

/// `SocketRecord::transport`: TCP.
pub const TRANSPORT_TCP: u8 = 1;
/// `SocketRecord::transport`: UDP.
pub const TRANSPORT_UDP: u8 = 2;
/// `SocketRecord::transport`: a UNIX stream socket.
pub const TRANSPORT_UNIX: u8 = 3;

/// `DataRecord::direction`: read by the program.
pub const RECEIVED: u8 = 0;
/// `DataRecord::direction`: written by the program.
pub const SENT: u8 = 1;

/// `LifeRecord::change`: see `event::Change` for the meanings.
pub const CONNECTING: u8 = 1;
/// Established from this side.
pub const CONNECTED: u8 = 2;
/// Established by the peer.
pub const ACCEPTED: u8 = 3;
/// FIN sent.
pub const SENT_END: u8 = 4;
/// FIN received.
pub const RECEIVED_END: u8 = 5;
/// Gone.
pub const CLOSED: u8 = 6;

/// A socket: see `event::Socket`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketRecord {
    /// `bpf_get_socket_cookie`.
    pub cookie: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// `AF_INET` (2), `AF_INET6` (10) or `AF_UNIX` (1).
    pub family: u16,
    /// `TRANSPORT_…`.
    pub transport: u8,
    /// Zero.
    pub reserved: u8,
    /// IPv4: first four bytes, network order. IPv6: all. UNIX: the socket's cookie, host order, first eight.
    pub local: [u8; 16],
    /// The peer's, likewise; a UNIX peer that has no cookie yet is 0.
    pub peer: [u8; 16],
    /// Host order.
    pub local_port: u16,
    /// Host order.
    pub peer_port: u16,
    /// Smoothed round-trip time, µs; 0 where unknown.
    pub rtt_us: u32,
}

/// Bytes crossed a socket. Followed by `head_len` bytes, then `tail_len` bytes. See `event::Data`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct DataRecord {
    /// Size and kind.
    pub head: Head,
    /// `CLOCK_MONOTONIC`, ns.
    pub time: u64,
    /// The socket.
    pub socket: SocketRecord,
    /// Stream offset of the first byte. Over TCP a sequence number, in the low half; in the high half of what was
    /// [`RECEIVED`] stands `event::Data::acked`.
    pub offset: u64,
    /// Thread group and thread, as `bpf_get_current_pid_tgid` has them: thread in the low half.
    pub pid_tgid: u64,
    /// Task key: see `event::Task::key`. With the next number in it where `numbered`.
    pub task: u64,
    /// `bpf_get_current_cgroup_id`.
    pub cgroup: u64,
    /// Length of the call.
    pub len: u32,
    /// Lost records of this socket so far; not counted for TCP once the daemon has set a policy, whose offsets tell it as well.
    pub lost: u32,
    /// Retransmitted segments so far.
    pub retransmits: u32,
    /// Times that the thread went to sleep so far (`task_struct.nvcsw`), its low bits.
    pub rests: u32,
    /// Bits of `event::DataFlags`.
    pub flags: u16,
    /// Bytes of the call's beginning that follow, at most [`MAX_HEAD`].
    pub head_len: u16,
    /// Bytes of the call's end that follow those, at most [`TAIL`].
    pub tail_len: u16,
    /// [`RECEIVED`] or [`SENT`].
    pub direction: u8,
    /// 1: `task` is a word of `event::LogicalTask::with_next`; else 0.
    pub numbered: u8,
}

/// A socket's life. See `event::Life`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct LifeRecord {
    /// Size and kind.
    pub head: Head,
    /// `CLOCK_MONOTONIC`, ns.
    pub time: u64,
    /// The socket.
    pub socket: SocketRecord,
    /// Who connected; 0 where unknown.
    pub pid_tgid: u64,
    /// Bytes acknowledged, for [`CLOSED`].
    pub sent: u64,
    /// Bytes received, for [`CLOSED`].
    pub received: u64,
    /// Task key of the thread that connected, for [`CONNECTING`].
    pub task: u64,
    /// As in [`DataRecord`], of the thread that connected.
    pub rests: u32,
    /// errno, for [`CLOSED`].
    pub error: u16,
    /// What happened: [`CONNECTING`] to [`CLOSED`].
    pub change: u16,
}

/// A program started. Followed by `args_len` bytes of arguments, then `env_len` bytes of environment.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ExecRecord {
    /// Size and kind.
    pub head: Head,
    /// `CLOCK_MONOTONIC`, ns.
    pub time: u64,
    /// Its cgroup.
    pub cgroup: u64,
    /// The process.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Bytes that follow.
    pub args_len: u32,
    /// Bytes that follow those.
    pub env_len: u32,
}

/// A process was born or ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProcessRecord {
    /// Size and kind.
    pub head: Head,
    /// `CLOCK_MONOTONIC`, ns.
    pub time: u64,
    /// The process.
    pub pid: u32,
    /// Its parent; 0 at the end.
    pub parent: u32,
}

/// A thread of a followed process was born or ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ThreadRecord {
    /// Size and kind.
    pub head: Head,
    /// `CLOCK_MONOTONIC`, ns.
    pub time: u64,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The thread that made it; 0 at the end.
    pub by: u32,
    /// How often that one had slept, see `event::Task::rests`; 0 at the end.
    pub rests: u32,
}

/// A thread of a followed process woke another one that waited at a futex. See `event::Wake`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct WakeRecord {
    /// Size and kind.
    pub head: Head,
    /// `CLOCK_MONOTONIC`, ns.
    pub time: u64,
    /// Who woke the other.
    pub pid_tgid: u64,
    /// Its logical task or thread, as in [`DataRecord`].
    pub task: u64,
    /// The futex.
    pub address: u64,
    /// How often the waker had slept, see `event::Task::rests`.
    pub rests: u32,
    /// The thread that was woken.
    pub tid: u32,
}

/// Value in the table of followed processes: births and ends of threads are told.
pub const FOLLOW_THREADS: u8 = 1;
/// Value in the table of followed processes: wake-ups at futexes are told, too.
pub const FOLLOW_WAKES: u8 = 2;

/// A slot of the policy table: the socket's cookie above, one of the `POLICY_…` constants in the low byte.
/// Direct-mapped by the cookie's low bits: a collision costs the older connection its policy, nothing else.
pub type PolicySlot = u64;

/// Copy heads, as for a connection nobody has written a policy for.
pub const POLICY_UNDECIDED: u8 = 0;
/// No data records.
pub const POLICY_IGNORE: u8 = 1;
/// Copy what looks like the beginning of a message, and small calls.
pub const POLICY_HEADS: u8 = 2;
/// Copy up to [`MAX_HEAD`] bytes of every call.
pub const POLICY_FULL: u8 = 3;

/// Which slot of the policy table belongs to `cookie`.
#[must_use]
#[inline(always)]
pub const fn policy_slot(cookie: u64) -> u32 {
    cookie as u32 & (POLICY_SLOTS - 1)
}

/// Where one process keeps the identity of the logical task that a thread runs. Direct-mapped by the process id's low
/// bits: a collision costs the older process its tasks, nothing else.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RuntimeRecord {
    /// The process; 0: the slot is free. Written last, cleared first.
    pub pid: u32,
    /// [`TASK_IS_WORD`], [`TASK_WITHIN`] or [`TASK_AWAITED`].
    pub kind: u32,
    /// Bytes from the thread pointer to the word; below it on x86-64.
    pub word: i64,
    /// Offset of the identity in the structure that the word points at.
    pub id: u32,
    /// Offset of the identity of the task that started this one, [`NO_FIELD`] where it has none.
    pub starter: u32,
    /// Address of the word that has the next task's number, 0 where that is not known. [`TASK_AWAITED`]: `event::Awaited::function`.
    pub next: u64,
    /// [`TASK_WITHIN`]: `event::Writers::begin`, 0 where there are none. [`TASK_AWAITED`]: `event::Awaited::running`.
    pub address: u64,
    /// The last fields of that, in order; of a group: bytes before it, 0 where it is inside, and bytes behind, 0 where that is not
    /// known.
    pub offsets: [u32; 6],
}

/// `RuntimeRecord::kind`: the word is the identity.
pub const TASK_IS_WORD: u32 = 0;
/// It points at a structure that has it.
pub const TASK_WITHIN: u32 = 1;
/// The same, and tasks wait for each other: `event::Awaited`.
pub const TASK_AWAITED: u32 = 2;

/// Which slot of the table of runtimes belongs to `pid`.
#[must_use]
#[inline(always)]
pub const fn runtime_slot(pid: u32) -> u32 {
    pid & (RUNTIME_SLOTS - 1)
}

/// `Settings::filter`: every process.
pub const FILTER_ALL: u32 = 0;
/// `Settings::filter`: every process but those listed with [`VERDICT_IGNORE`].
pub const FILTER_EXCEPT: u32 = 1;
/// `Settings::filter`: only processes listed with [`VERDICT_CAPTURE`]; their children are listed as they are born.
pub const FILTER_ONLY: u32 = 2;

/// Value in the process filter: look at it.
pub const VERDICT_CAPTURE: u8 = 1;
/// Value in the process filter: leave it alone.
pub const VERDICT_IGNORE: u8 = 2;

/// `Settings::ports`: the port set is not looked at.
pub const PORTS_ALL: u32 = 0;
/// `Settings::ports`: only connections with a port of the set, at either end.
pub const PORTS_ONLY: u32 = 1;
/// `Settings::ports`: no connection with a port of the set, at either end.
pub const PORTS_EXCEPT: u32 = 2;

/// `Settings::arch`: x86-64.
pub const ARCH_X86_64: u32 = 0;
/// `Settings::arch`: arm64.
pub const ARCH_ARM64: u32 = 1;

/// `Fields`: this kernel has no such field. Programs that need it are not loaded.
pub const NO_FIELD: u32 = u32::MAX;

/// What the daemon decides at load. Read-only to the kernel programs, so the verifier knows the values and drops
/// the branches that are not taken.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Settings {
    /// The daemon's own process, never captured.
    pub own_pid: u32,
    /// Bytes copied from the beginning of a call, at most [`MAX_HEAD`].
    pub head_bytes: u32,
    /// `FILTER_…`.
    pub filter: u32,
    /// `PORTS_…`.
    pub ports: u32,
    /// Number of per-CPU rings.
    pub cpus: u32,
    /// Do hooks get a file descriptor instead of a socket (1)?
    pub by_descriptor: u32,
    /// `ARCH_…`: where system-call arguments stand in the registers, and how strongly stores are ordered.
    pub arch: u32,
    /// Can requests of `io_uring` be looked into (1)? The two below are only then valid.
    pub uring: u32,
    /// `ITER_UBUF` of `enum iter_type`: the bytes are one buffer of the user's.
    pub iter_ubuf: u32,
    /// `REQ_F_ASYNC_DATA_BIT`: the request has `async_data`.
    pub async_data_bit: u32,
    /// May a thread lose its processor inside a program (1)?
    pub preemptible: u32,
}

/// Offsets of the kernel's fields in bytes, from this kernel's BTF. Read-only to the kernel programs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fields {
    /// `sock_common.skc_daddr`, …
    pub skc_daddr: u32,
    /// Own IPv4 address.
    pub skc_rcv_saddr: u32,
    /// Peer's port, network order.
    pub skc_dport: u32,
    /// Own port, host order.
    pub skc_num: u32,
    /// Address family.
    pub skc_family: u32,
    /// Network namespace.
    pub skc_net: u32,
    /// Peer's IPv6 address.
    pub skc_v6_daddr: u32,
    /// Own IPv6 address.
    pub skc_v6_rcv_saddr: u32,
    /// `sock_common.skc_flags`.
    pub skc_flags: u32,
    /// Cookie, 0 until somebody asks.
    pub skc_cookie: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `sock.sk_type`.
    pub sk_type: u32,
    /// `sock.sk_protocol`.
    pub sk_protocol: u32,
    /// `sock.sk_socket`.
    pub sk_socket: u32,
    /// `sock.sk_shutdown`.
    pub sk_shutdown: u32,
    /// `sock.sk_err`.
    pub sk_err: u32,
    /// `socket.file`.
    pub socket_file: u32,
    /// `tcp_sock.copied_seq`.
    pub copied_seq: u32,
    /// `tcp_sock.rcv_nxt`.
    pub rcv_nxt: u32,
    /// `tcp_sock.write_seq`.
    pub write_seq: u32,
    /// `tcp_sock.snd_nxt`.
    pub snd_nxt: u32,
    /// `tcp_sock.snd_una`.
    pub snd_una: u32,
    /// `tcp_sock.tcp_wstamp_ns`.
    pub tcp_wstamp_ns: u32,
    /// `tcp_sock.srtt_us`, eighths of a µs.
    pub srtt_us: u32,
    /// `tcp_sock.total_retrans`.
    pub total_retrans: u32,
    /// `tcp_sock.bytes_acked`.
    pub bytes_acked: u32,
    /// `tcp_sock.bytes_received`.
    pub bytes_received: u32,
    /// `unix_sock.peer`.
    pub unix_peer: u32,
    /// `task_struct.pid`.
    pub task_pid: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
    /// `task_struct.nvcsw`.
    pub task_nvcsw: u32,
    /// `task_struct.real_parent`.
    pub task_real_parent: u32,
    /// `task_struct.mm`.
    pub task_mm: u32,
    /// `mm_struct.arg_start`.
    pub mm_arg_start: u32,
    /// `mm_struct.arg_end`.
    pub mm_arg_end: u32,
    /// `mm_struct.env_start`.
    pub mm_env_start: u32,
    /// `mm_struct.env_end`.
    pub mm_env_end: u32,
    /// `task_struct.files`.
    pub task_files: u32,
    /// `files_struct.fdt`.
    pub files_fdt: u32,
    /// `fdtable.max_fds`.
    pub fdt_max_fds: u32,
    /// `fdtable.fd`.
    pub fdt_fd: u32,
    /// `file.private_data`.
    pub file_private_data: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `inode.i_mode`.
    pub inode_mode: u32,
    /// `inode.i_ino`.
    pub inode_ino: u32,
    /// `socket_alloc.vfs_inode`, behind its `socket`.
    pub socket_alloc_inode: u32,
    /// `socket.sk`.
    pub socket_sk: u32,
    /// `task_struct.signal`.
    pub task_signal: u32,
    /// `signal_struct.live`.
    pub signal_live: u32,
    /// `io_kiocb.file`.
    pub req_file: u32,
    /// `io_kiocb.opcode`.
    pub req_opcode: u32,
    /// `io_kiocb.flags`.
    pub req_flags: u32,
    /// `io_kiocb.async_data`.
    pub req_async_data: u32,
    /// `io_async_msghdr.msg.msg_iter`.
    pub uring_msg_iter: u32,
    /// `io_async_rw.iter`.
    pub uring_rw_iter: u32,
    /// `iov_iter.iter_type`.
    pub iter_type: u32,
    /// `iov_iter.iov_offset`.
    pub iter_offset: u32,
    /// `iov_iter.ubuf`.
    pub iter_ubuf: u32,
    /// `task_struct.thread.fsbase` on x86-64, `task_struct.thread.uw.tp_value` on arm64: the user's thread pointer.
    pub thread_pointer: u32,
    /// `task_struct.cgroups`.
    pub task_cgroups: u32,
    /// `css_set.dfl_cgrp`: the cgroup in the default hierarchy.
    pub css_set_cgroup: u32,
    /// `cgroup.kn`.
    pub cgroup_node: u32,
    /// `kernfs_node.id`.
    pub node_id: u32,
}

const _: () = {
    assert!(size_of::<Control>() == 128);
    assert!(size_of::<Head>() == 8);
    assert!(size_of::<SocketRecord>() == 56);
    assert!(size_of::<DataRecord>() == 128);
    assert!(size_of::<LifeRecord>() == 112);
    assert!(size_of::<ExecRecord>() == 40);
    assert!(size_of::<ProcessRecord>() == 24);
    assert!(size_of::<ThreadRecord>() == 32);
    assert!(size_of::<RuntimeRecord>() == 64);
    assert!(size_of::<Settings>() == 44);
    assert!(size_of::<Fields>() == 63 * 4);
    assert!(RING_BYTES.is_power_of_two() && POLICY_SLOTS.is_power_of_two());
    assert!(RUNTIME_SLOTS.is_power_of_two());
    assert!(SLACK >= 3 * MAX_HEAD + ALIGN + TAIL);
};
