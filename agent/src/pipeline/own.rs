//! The daemon's own connections. The kernel programs never capture them; but their other end may be on this host (a
//! collector beside us), and its spans would be about our spans, without end.

use std::net::SocketAddr;

use rustc_hash::FxHashSet;
use wirespan_proto::event::{Address, Change, Life, Socket};

/// Addresses of our connections, ours first.
#[derive(Debug, Default)]
pub(super) struct Own(FxHashSet<(SocketAddr, SocketAddr)>);

/// More than one exporter opens; an old one forgotten costs a span.
const MOST: usize = 1024;

impl Own {
    /// Takes note of what one of our sockets does.
    pub(super) fn learn(&mut self, life: &Life) {
        let (Address::Inet(local), Address::Inet(peer)) = (life.socket.local, life.socket.peer) else {
            return;
        };
        // The port that was ours may be anybody's next; its old entry is harmless until then and not after.
        if life.change == Change::Connected && local.port() != 0 {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert((local, peer));
        }
    }

    /// Is this the other end of one of ours?
    pub(super) fn is_other_end(&self, socket: &Socket) -> bool {
        match (socket.local, socket.peer) {
            (Address::Inet(local), Address::Inet(peer)) => {
                !self.0.is_empty() && self.0.contains(&(peer, local))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use wirespan_proto::event::{Cookie, Nanos, Task, Transport};

    use super::*;

    fn socket(local: &str, peer: &str) -> Socket {
        let address = |text: &str| Address::Inet(text.parse().unwrap());
        let (local, peer) = (address(local), address(peer));
        Socket { cookie: Cookie(1), netns: 0, transport: Transport::Tcp, local, peer }
    }

    #[test]
    fn the_collector_beside_us_is_recognised() {
        let mut own = Own::default();
        let (here, there) = ("127.0.0.1:40000", "127.0.0.1:4317");
        let connected = Life {
            time: Nanos(1),
            socket: socket(here, there),
            task: Task::default(),
            change: Change::Connected,
        };
        own.learn(&connected);
        assert!(own.is_other_end(&socket(there, here)));
        assert!(!own.is_other_end(&socket(here, there)));
        assert!(!own.is_other_end(&socket(there, "127.0.0.1:40001")), "somebody else's client");
    }
}
