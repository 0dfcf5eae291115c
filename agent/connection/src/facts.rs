//! What is known of a connection as a whole.

use wirespan_proto::event::{Nanos, Socket, Task};

/// Which side of the connection the traced program is on, as far as the kernel told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// The daemon came later than the connection, or the transport does not tell. Messages will.
    #[default]
    Unknown,
    /// The program connected.
    Client,
    /// The program accepted.
    Server,
}

/// One connection, seen from one of its ends.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The socket, with addresses.
    pub socket: Socket,
    /// Who opened it.
    pub side: Side,
    /// The thread that used it last.
    pub task: Task,
    /// Id of the cgroup of the process that used it last.
    pub cgroup: u64,
    /// First event seen.
    pub opened: Nanos,
    /// Smoothed round-trip time at the last event, µs; 0 where unknown.
    pub rtt_us: u32,
    /// Segments retransmitted so far; 0 where unknown.
    pub retransmits: u32,
    /// Did any of its calls go through `io_uring`?
    pub io_uring: bool,
}
