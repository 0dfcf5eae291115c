//! What the pipeline keeps with each connection.

use wirespan_connection::{connection::Connection, stream::Stream};
use wirespan_proto::event::{Direction, Policy};
use wirespan_protocol::session::Session;

/// State of the later stages, for one connection.
#[derive(Default)]
pub(super) struct Tracked {
    pub(super) session: Session,
    /// Was it decided whether the connection is ours?
    pub(super) looked: bool,
    /// Not to be shown: the other end of our own, or given up.
    pub(super) ours: bool,
    /// Not to be shown for now: there is no time for it.
    pub(super) left_out: bool,
    /// Exchanges that are open.
    pub(super) open: usize,
    /// Did an exchange on it ever end?
    pub(super) answered: bool,
    /// What the kernel was told last.
    pub(super) policy: Policy,
}

impl Tracked {
    /// Is its protocol known, or was it? One that was only supposed, and was not spoken after all, does not count.
    pub(super) const fn recognised(&self) -> bool {
        self.answered || self.open > 0 || self.session.protocol().is_some()
    }
}

/// Drops what the connection holds, unread.
pub(super) fn skip(connection: &mut Connection<Tracked>) {
    for direction in [Direction::Received, Direction::Sent] {
        let half = connection.half(direction);
        loop {
            let front = half.front();
            let gap = match front.next {
                wirespan_connection::stream::Next::Gap(_, len) => len,
                _ => 0,
            };
            let len = front.bytes.len() as u64 + gap;
            if len == 0 {
                break;
            }
            half.consume(len);
        }
    }
}
