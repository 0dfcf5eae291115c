//! One observation by the kernel programs, typed. Comes out of `agent/kernel` (or a recording) in the order of
//! time; goes into `agent/connection`. Borrows the captured bytes; never interprets them.

use core::{net::SocketAddr, num::NonZeroU32};

/// A point on the host's boot-time clock (`CLOCK_BOOTTIME`), nanoseconds. Never steps, runs through suspend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Nanoseconds from `earlier` to `self`; 0 where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The kernel's unique number for a socket (`bpf_get_socket_cookie`): never 0, never used again until reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

/// Seen from the traced program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Read by the program.
    Received,
    /// Written by the program.
    Sent,
}

impl Direction {
    /// The other direction of the same connection.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::Received => Self::Sent,
            Self::Sent => Self::Received,
        }
    }
}

/// What carries the bytes. Decides how stream offsets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Offsets are TCP sequence numbers: 32 bits that wrap; the same number at both ends of the connection.
    Tcp,
    /// Offsets count datagram bytes per socket and direction since the socket was first seen, 64 bits.
    Udp,
    /// Stream sockets of the `AF_UNIX` family. Offsets count bytes since the socket was first seen, 64 bits.
    Unix,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// IPv4 or IPv6 address and port. IPv4-mapped IPv6 addresses arrive as IPv4.
    Inet(SocketAddr),
    /// A UNIX socket, by its cookie; 0 where the kernel did not tell.
    Unix(u64),
    /// Not known (an unconnected UDP socket whose peer was not captured).
    Unknown,
}

/// A socket as its owner sees it. Enough to address a connection and, for TCP, to find its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Socket {
    /// Unique on this host.
    pub cookie: Cookie,
    /// Inode number of the network namespace; 0 for UNIX sockets.
    pub netns: u32,
    /// What carries the bytes.
    pub transport: Transport,
    /// This end.
    pub local: Address,
    /// The other end.
    pub peer: Address,
}

/// Who did it: the thread that was in the system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Task {
    /// Process id (thread group id), in the host's pid namespace.
    pub pid: u32,
    /// Thread id, in the host's pid namespace.
    pub tid: u32,
    /// Equals `tid` unless the process has a runtime adapter: then a [`LogicalTask`], see [`Task::logical`].
    pub key: u64,
    /// How often the thread had gone to sleep of its own accord (`task_struct.nvcsw`), low bits. Between two events
    /// with the same number it did not: what it did last follows from what it did before, without a wait.
    pub rests: u32,
    /// The number that the next task of the process gets, where a runtime adapter knows what they are numbered from.
    pub next: Option<Number>,
}

/// The low bits of a task's number. Those of tasks that were started soon after one another can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(NonZeroU32);

impl Number {
    /// So many bits of it are known: as many as [`LogicalTask`] has besides the number.
    const BITS: u32 = 63 - LogicalTask::ID_BITS;
    /// Above them; keeps the word from being 0.
    const MARK: NonZeroU32 = NonZeroU32::new(1 << Self::BITS).unwrap();

    /// Of this number.
    #[must_use]
    pub const fn of(number: u64) -> Self {
        match NonZeroU32::new(number as u32 & (Self::MARK.get() - 1) | Self::MARK.get()) {
            Some(word) => Self(word),
            None => Self(Self::MARK),
        }
    }

    /// The bits that are known.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0.get() - Self::MARK.get()
    }

    /// By how many it comes after the other; below 0: before.
    #[must_use]
    pub const fn since(self, other: Self) -> i32 {
        let unknown = u32::BITS - Self::BITS;
        (self.bits().wrapping_sub(other.bits()) << unknown) as i32 >> unknown
    }
}

/// A goroutine or async task, as one word: bit 63 is set. Where bit 62 is not, bits 0 to 39 are the low bits of the number that the
/// runtime gave it, and bits 40 to 61 how many numbers before it the task that started it came, 0 where that is not known. Where bit
/// 62 is set, tasks have addresses for names: bits 0 to 30 are its own, bits 31 to 61 that of the task that waits for it, 0 where
/// that is not known; both as [`address`](Self::address) has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogicalTask(u64);

impl LogicalTask {
    const MARK: u64 = 1 << 63;
    const ID_BITS: u32 = 40;
    const ID: u64 = (1 << Self::ID_BITS) - 1;
    const AGO: u64 = (1 << (62 - Self::ID_BITS)) - 1;
    const NEXT: u64 = (1 << (63 - Self::ID_BITS)) - 1;
    const AWAITED: u64 = 1 << 62;
    const ADDRESS_BITS: u32 = 31;
    const ADDRESS: u64 = (1 << Self::ADDRESS_BITS) - 1;

    /// A task and the one that started it (0: not known), by the numbers of their runtime.
    #[must_use]
    #[inline(always)]
    pub const fn new(id: u64, starter: u64) -> Self {
        let ago = id.wrapping_sub(starter);
        let known = starter != 0 && ago <= Self::AGO;
        Self(Self::MARK | if known { ago << Self::ID_BITS } else { 0 } | id & Self::ID)
    }

    /// A task and the one that waits for it (0: not known), by addresses.
    #[must_use]
    #[inline(always)]
    pub const fn awaited(id: u64, waiter: u64) -> Self {
        let (id, waiter) = (Self::address(id), Self::address(waiter));
        Self(Self::MARK | Self::AWAITED | waiter << Self::ADDRESS_BITS | id)
    }

    /// Is this the key of a task that has an address for a name?
    #[must_use]
    #[inline(always)]
    pub const fn is_address(key: u64) -> bool {
        key & (Self::MARK | Self::AWAITED) == Self::MARK | Self::AWAITED
    }

    /// The key of such a task without who waits for it, with that one's address.
    #[must_use]
    #[inline(always)]
    pub const fn with_waiter(key: u64, waiter: u64) -> u64 {
        key | Self::address(waiter) << Self::ADDRESS_BITS
    }

    /// What is told of an address. No two of one kind lie closer than 16 bytes together; two that are 32 GiB apart have one name.
    #[inline(always)]
    const fn address(address: u64) -> u64 {
        address >> 4 & Self::ADDRESS
    }

    /// As in [`Task::key`].
    #[must_use]
    #[inline(always)]
    pub const fn key(self) -> u64 {
        self.0
    }

    /// The word in which kernel programs tell a task and the next task's number: that one stands where the starter would.
    #[must_use]
    #[inline(always)]
    pub const fn with_next(id: u64, next: u64) -> u64 {
        Self::MARK | (next & Self::NEXT) << Self::ID_BITS | id & Self::ID
    }

    /// Such a word in its parts: the key and the number.
    #[must_use]
    pub const fn parted(word: u64) -> (u64, Number) {
        (word & (Self::MARK | Self::ID), Number::of(word >> Self::ID_BITS))
    }

    /// The low bits of its number or address.
    #[must_use]
    pub const fn id(self) -> u64 {
        self.0 & if self.by_address() { Self::ADDRESS } else { Self::ID }
    }

    /// The low bits of its number, where it has one: of two tasks the one that was started first has the lower.
    #[must_use]
    pub const fn number(self) -> Option<u64> {
        if self.by_address() { None } else { Some(self.0 & Self::ID) }
    }

    /// The [`id`](Self::id) of the task that started it.
    #[must_use]
    pub const fn starter(self) -> Option<u64> {
        match self.0 >> Self::ID_BITS & Self::AGO {
            ago if ago != 0 && !self.by_address() => Some(self.id().wrapping_sub(ago) & Self::ID),
            _ => None,
        }
    }

    /// The [`id`](Self::id) of the task that waits for what it gives.
    #[must_use]
    pub const fn waiter(self) -> Option<u64> {
        match self.0 >> Self::ADDRESS_BITS & Self::ADDRESS {
            waiter if waiter != 0 && self.by_address() => Some(waiter),
            _ => None,
        }
    }

    const fn by_address(self) -> bool {
        self.0 & Self::AWAITED != 0
    }
}

impl Task {
    /// The logical task, where a runtime adapter told it.
    #[must_use]
    pub const fn logical(&self) -> Option<LogicalTask> {
        if self.key & LogicalTask::MARK == 0 { None } else { Some(LogicalTask(self.key)) }
    }
}

/// Facts about one [`Data`] event, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DataFlags(pub u16);

impl DataFlags {
    /// The bytes never were in a user buffer (`sendfile`, `splice`): only their length is known.
    pub const FILLER: Self = Self(1);
    /// Done by `io_uring`: only the length is known.
    pub const IO_URING: Self = Self(1 << 1);
    /// The user's buffer could not be read although it should have been.
    pub const FAULT: Self = Self(1 << 2);
    /// A 32-bit program: only the length is known.
    pub const COMPAT: Self = Self(1 << 3);
    /// One whole datagram; `offset` and `len` are the datagram's.
    pub const DATAGRAM: Self = Self(1 << 4);
    /// The connection's policy said not to copy.
    pub const POLICY: Self = Self(1 << 5);

    /// Are all bits of `other` set?
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Bytes that crossed a socket, in one system call (or one message of `sendmmsg`/`recvmmsg`).
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// Sent: when the bytes left (`tcp_wstamp_ns`, else the end of the call). Received: when the call returned.
    pub time: Nanos,
    /// The socket.
    pub socket: Socket,
    /// Which way.
    pub direction: Direction,
    /// Stream offset of the first byte; see [`Transport`] for how it counts.
    pub offset: u64,
    /// Length of the call's data in bytes, captured or not. 0 with `Received` is the peer's end of stream.
    pub len: u32,
    /// The thread.
    pub task: Task,
    /// Id of the task's cgroup in the v2 hierarchy.
    pub cgroup: u64,
    /// What is special about it.
    pub flags: DataFlags,
    /// Events of this socket that found their ring full, so far. Wraps. Over TCP 0 once the daemon has set a policy: offsets tell it there.
    pub lost: u32,
    /// Smoothed round-trip time of the connection, µs; 0 where unknown.
    pub rtt_us: u32,
    /// Segments retransmitted on this connection so far; 0 where unknown.
    pub retransmits: u32,
    /// Received over TCP: how far the peer had acknowledged what this side sent, a sequence number (`tcp_sock.snd_una`). A call
    /// that sends is told of at its end, when its answer may have been read already: this says what that answer came after.
    pub acked: Option<u32>,
    /// The first bytes of the call: `head.len() <= len`.
    pub head: &'a [u8],
    /// The last bytes of the call where `head` does not reach its end:
    /// `head.len() + tail.len() <= len`; the bytes between are not captured.
    pub tail: &'a [u8],
}

/// A change in the life of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// TCP: the program called `connect`; `Life::task` is the caller.
    Connecting,
    /// TCP: established. Opened from this side.
    Connected,
    /// TCP: established. Opened by the peer.
    Accepted,
    /// This side will send no more (FIN sent).
    SentEnd,
    /// The peer will send no more (FIN received).
    ReceivedEnd,
    /// Gone. `error` is the socket's errno (`ECONNRESET`, `ETIMEDOUT`, `EPIPE`, …), 0 for an orderly close.
    Closed {
        /// errno, 0 where there was none.
        error: u16,
        /// Bytes acknowledged by the peer in the whole life of the connection.
        sent: u64,
        /// Bytes received in the whole life of the connection.
        received: u64,
    },
}

/// A socket's life: opened, half-closed, closed.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// When.
    pub time: Nanos,
    /// The socket.
    pub socket: Socket,
    /// The thread that connected, for `Connecting` and `Connected`; zero where the kernel acted alone.
    pub task: Task,
    /// What happened.
    pub change: Change,
}

/// A process replaced its program.
#[derive(Clone, Copy, Debug)]
pub struct Exec<'a> {
    /// When.
    pub time: Nanos,
    /// The process.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Id of its cgroup in the v2 hierarchy.
    pub cgroup: u64,
    /// Arguments, each ended by NUL, possibly cut.
    pub args: &'a [u8],
    /// Environment, `KEY=value` each ended by NUL, possibly cut. Holds secrets: it stays inside the daemon.
    pub env: &'a [u8],
}

/// A process was born, by `fork` or `clone` without `CLONE_THREAD`.
#[derive(Clone, Copy, Debug)]
pub struct Fork {
    /// When.
    pub time: Nanos,
    /// The new process.
    pub pid: u32,
    /// Who made it.
    pub parent: u32,
}

/// A process ended: its last thread is gone.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// When.
    pub time: Nanos,
    /// The process.
    pub pid: u32,
}

/// A thread was born, in a process that is followed.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// When.
    pub time: Nanos,
    /// Who made it.
    pub by: Task,
    /// The new thread's id, in the host's pid namespace.
    pub tid: u32,
}

/// A thread ended, in a process that is followed.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// When.
    pub time: Nanos,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
}

/// A thread woke another one that waited at a futex, in a process whose wake-ups are told.
#[derive(Clone, Copy, Debug)]
pub struct Wake {
    /// When.
    pub time: Nanos,
    /// Who woke it.
    pub by: Task,
    /// The thread that had waited, of the same process.
    pub tid: u32,
    /// Where both met: the futex's address in their process.
    pub address: u64,
}

/// One observation.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Bytes crossed a socket.
    Data(Data<'a>),
    /// A socket opened or closed.
    Life(Life),
    /// A program started.
    Exec(Exec<'a>),
    /// A process was born.
    Fork(Fork),
    /// A process ended.
    Exit(Exit),
    /// A thread was born.
    Birth(Birth),
    /// A thread ended.
    Death(Death),
    /// A thread woke another one.
    Wake(Wake),
}

impl Event<'_> {
    /// When it happened.
    #[must_use]
    pub const fn time(&self) -> Nanos {
        match self {
            Self::Data(data) => data.time,
            Self::Life(life) => life.time,
            Self::Exec(exec) => exec.time,
            Self::Fork(fork) => fork.time,
            Self::Exit(exit) => exit.time,
            Self::Birth(birth) => birth.time,
            Self::Death(death) => death.time,
            Self::Wake(wake) => wake.time,
        }
    }
}

/// How much of a connection's bytes the kernel copies. The daemon writes it once it knows what the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Not known yet: the first bytes of every call, up to the configured head size.
    #[default]
    Undecided,
    /// Nothing to see: no more data events; its bytes are counted at its close.
    Ignore,
    /// Message heads: as `Undecided`, but large calls that do not begin like a head cost a length and a tail.
    Heads,
    /// Up to the largest record, for protocols whose later bytes matter and for encrypted records.
    Full,
}

/// Where the threads of one process keep the identity of the logical task that they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskPlace {
    /// Bytes from the thread pointer to the word; below it on x86-64.
    pub word: i64,
    /// `None`: the word is the identity. Else it points at a structure that has it.
    pub within: Option<TaskFields>,
    /// Address of the word that has the next task's number.
    pub next: Option<u64>,
    /// Tasks that write what others hand them.
    pub writers: Option<Writers>,
    /// Tasks that others wait for.
    pub awaited: Option<Awaited>,
}

/// Tasks that write what others hand them, each for one connection; and where one who has handed something over waits. An event of
/// what they send tells the task that waits. Go's `net/http` works so (`persistConn.writeLoop` and `roundTrip`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writers {
    /// Address of the function that they begin with.
    pub begin: u64,
    /// Where a task's structure has the end of its stack, bytes. The address of the function that it began with stands
    /// [`BEGAN`](Self::BEGAN) words behind the number of the task that started it.
    pub stack_end: u32,
    /// So many bytes below that end is the pointer to the connection.
    pub connection: u32,
    /// Where the connection has the pointer to the channel at which others wait.
    pub channel: u32,
    /// Where the channel has the pointer to the first that waits, whose first word points at its task.
    pub waiting: u32,
}

/// Tasks that others wait for, as asyncio has them: the word is the state of a thread, which points at the context that it runs in;
/// each task has a context of its own, and what is called when the task is done leads to the task that waits for it. Offsets
/// in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Address of the dictionary of the tasks that run, one for each event loop.
    pub running: u64,
    /// Address of the type of functions.
    pub function: u64,
    /// Are the keys of dictionaries as they are since CPython 3.11?
    pub packed: bool,
    /// Where a task has its context.
    pub context: u32,
    /// Where a function has its closure.
    pub closure: u32,
    /// Where what wakes a task has that task.
    pub wakes: u32,
    /// Where a task group has the task that waits for it.
    pub group: Option<GroupFields>,
}

/// Where a task group (`asyncio.TaskGroup`) has the task that waits for it, bytes from its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupFields {
    /// Behind it.
    Inside(u32),
    /// So far behind what a word so far before it points at.
    Outside {
        /// Of the word.
        before: u32,
        /// Of the task.
        behind: u32,
    },
}

impl TaskPlace {
    /// The word is the identity, and nothing else is known.
    #[must_use]
    pub const fn at(word: i64) -> Self {
        Self { word, within: None, next: None, writers: None, awaited: None }
    }
}

impl Writers {
    /// One read brings both: a word of a program's memory costs a hook some 90 ns.
    pub const BEGAN: u32 = 3;
}

/// Offsets in a runtime's own structure of a task, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskFields {
    /// Of the task's number.
    pub id: u32,
    /// Of the number of the task that started it.
    pub starter: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(id: u64, starter: u64) -> (u64, Option<u64>) {
        let task = Task { key: LogicalTask::new(id, starter).key(), ..Task::default() };
        task.logical().map(|task| (task.id(), task.starter())).expect("it is marked")
    }

    #[test]
    fn numbers_are_compared_across_the_end_of_their_bits() {
        let since = |one, other| Number::of(one).since(Number::of(other));
        assert_eq!((since(7, 5), since(5, 7), since(5, 5)), (2, -2, 0));
        assert_eq!((since(1 << 23, (1 << 23) - 1), since((1 << 40) - 1, 1 << 40)), (1, -1));
        assert_eq!(Number::of((1 << 23) + 9).bits(), 9);
    }

    #[test]
    fn a_task_and_the_next_number_share_a_word() {
        let (key, next) = LogicalTask::parted(LogicalTask::with_next(1 << 39 | 7, 9 << 23 | 8));
        assert_eq!((key, next), (LogicalTask::new(1 << 39 | 7, 0).key(), Number::of(8)));
    }

    #[test]
    fn a_task_that_another_waits_for_keeps_both_addresses() {
        let (id, waiter) = (0x7f4e_ee3e_9780, 0x7f4e_ed00_0010);
        let [alone, awaited] = [0, waiter].map(|waiter| LogicalTask::awaited(id, waiter));
        assert_eq!((alone.waiter(), alone.starter(), alone.id()), (None, None, awaited.id()));
        assert_eq!(awaited.waiter(), Some(LogicalTask::awaited(waiter, 0).id()));
        assert_ne!(awaited.waiter(), Some(awaited.id()));
        assert_eq!(LogicalTask::with_waiter(alone.key(), waiter), awaited.key());
        assert!(
            LogicalTask::is_address(alone.key()) && !LogicalTask::is_address(LogicalTask::new(7, 3).key())
        );
        assert_eq!((awaited.starter(), LogicalTask::new(7, 3).waiter()), (None, None));
    }

    #[test]
    fn a_logical_task_keeps_its_number_and_its_starter_s() {
        assert_eq!(parts(7, 0), (7, None));
        assert_eq!(parts(5000, 17), (5000, Some(17)));
        assert_eq!(parts(17, 5000), (17, None), "a number from another processor's batch");
        assert_eq!(parts(1 << 30, 1), (1 << 30, None), "too long ago");
        assert_eq!(parts(1 << 22, 1), (1 << 22, Some(1)), "as long ago as can be told");
        assert_eq!(parts((1 << 22) + 1, 1), ((1 << 22) + 1, None));
        assert_eq!(parts((1 << 40) + 3, 1 << 40), (3, Some(0)));
        assert!(Task { tid: 7, key: 7, ..Task::default() }.logical().is_none());
    }
}
