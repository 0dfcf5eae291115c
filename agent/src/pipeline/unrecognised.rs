//! Connections of protocols that wirespan does not know: no span is made of them, but they are not passed over in
//! silence. Counted by peer when they close.

use std::net::IpAddr;

use rustc_hash::FxHashMap;
use wirespan_connection::facts::{Facts, Side};
use wirespan_proto::event::{Address, Transport};

/// Peers told apart; all others are counted together.
const MOST: usize = 1024;

/// Counts of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub connections: u64,
    /// Bytes both ways.
    pub bytes: u64,
    /// Sum of their durations, ns.
    pub duration_ns: u64,
}

/// What connections of one group have in common: whom they spoke to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A server somewhere: address and port.
    Server(Transport, IpAddr, u16),
    /// Clients of a server here: its port.
    Clients(Transport, u16),
    /// UNIX sockets, and whatever did not fit into the table.
    Other,
}

/// One group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whom they spoke to.
    pub peer: Peer,
    /// Their counts.
    pub total: Total,
}

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Unrecognised(FxHashMap<Peer, Total>);

impl Unrecognised {
    /// Counts one connection that is over.
    pub(super) fn count(&mut self, facts: &Facts, bytes: u64, duration_ns: u64) {
        if bytes == 0 {
            return;
        }
        let peer = peer(facts);
        let full = self.0.len() >= MOST && !self.0.contains_key(&peer);
        let total = self.0.entry(if full { Peer::Other } else { peer }).or_default();
        total.connections += 1;
        total.bytes = total.bytes.saturating_add(bytes);
        total.duration_ns = total.duration_ns.saturating_add(duration_ns);
    }

    /// All of them together.
    pub(super) fn total(&self) -> Total {
        self.0.values().fold(Total::default(), |sum, one| Total {
            connections: sum.connections + one.connections,
            bytes: sum.bytes.saturating_add(one.bytes),
            duration_ns: sum.duration_ns.saturating_add(one.duration_ns),
        })
    }

    /// One by one, the most bytes first.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<_> =
            self.0.iter().map(|(peer, total)| Group { peer: *peer, total: *total }).collect();
        groups.sort_unstable_by_key(|group| std::cmp::Reverse(group.total.bytes));
        groups
    }
}

/// The stable end: a client's own port says nothing.
fn peer(facts: &Facts) -> Peer {
    let transport = facts.socket.transport;
    match (facts.socket.local, facts.socket.peer) {
        (Address::Inet(local), Address::Inet(peer)) => {
            let served_here = match facts.side {
                Side::Server => true,
                Side::Client => false,
                // Servers sit on the lower port, nearly always.
                Side::Unknown => local.port() < peer.port(),
            };
            if served_here {
                Peer::Clients(transport, local.port())
            } else {
                Peer::Server(transport, peer.ip(), peer.port())
            }
        }
        _ => Peer::Other,
    }
}
