//! Comes in: a socket and an offset. Goes out: a name for the exchange that both of its ends agree on, and who is at
//! the other end. Refuses: names for what its ends count differently (datagrams).

use std::{collections::hash_map::Entry, net::SocketAddr};

use rustc_hash::FxHashMap;
use wirespan_span::span::{Address, Key, Role, Socket, Transport};

use crate::room;

/// Which end of an exchange. The numbers go into ids: both ends of a fleet must agree on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It writes the request.
    Asks = b'a' as isize,
    /// It reads the request.
    Answers = b's' as isize,
}

impl End {
    pub(crate) const fn of(role: Role) -> Self {
        match role {
            Role::Client | Role::Producer => Self::Asks,
            Role::Server | Role::Consumer => Self::Answers,
        }
    }
}

/// Where a name is the only one of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Addresses and sequence number: the same wherever the connection is seen.
    Anywhere,
    /// Cookies and loopback addresses: every host has the same ones.
    ThisHost,
}

/// What names an exchange at both of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) scope: Scope,
    pub(crate) bytes: [u8; Self::LEN],
}

impl Identity {
    /// Kind, address, port, address, port, network namespace, offset, sub.
    const LEN: usize = 1 + 2 * (16 + 2) + 4 + 8 + 8;

    /// `None` where the other end would not find the same name.
    pub(crate) fn of(key: Key, end: End, socket: &Socket) -> Option<Self> {
        match (socket.transport, socket.local, socket.peer) {
            (Transport::Tcp, Address::Inet(local), Address::Inet(peer)) => Some(match end {
                End::Asks => Self::tcp(key, local, peer, socket.netns),
                End::Answers => Self::tcp(key, peer, local, socket.netns),
            }),
            (Transport::Unix, _, Address::Unix(peer)) if peer != 0 => Some(match end {
                End::Asks => Self::unix(key, socket.cookie.0, peer),
                End::Answers => Self::unix(key, peer, socket.cookie.0),
            }),
            _ => None,
        }
    }

    /// Only 32 bits of a sequence number cross the wire. A loopback address means another thing in each network
    /// namespace; other addresses mean the same in all that reach each other.
    fn tcp(key: Key, client: SocketAddr, server: SocketAddr, netns: u32) -> Self {
        let loopback = client.ip().is_loopback() && server.ip().is_loopback();
        let (scope, netns) = if loopback { (Scope::ThisHost, netns) } else { (Scope::Anywhere, 0) };
        let offset = key.offset & u64::from(u32::MAX);
        Self { scope, bytes: joined(b't', &[address(client), address(server)], netns, offset, key.sub) }
    }

    fn unix(key: Key, client: u64, server: u64) -> Self {
        let ends = [client, server].map(|cookie| (cookie.into(), 0));
        Self { scope: Scope::ThisHost, bytes: joined(b'u', &ends, 0, key.offset, key.sub) }
    }
}

fn address(address: SocketAddr) -> (u128, u16) {
    let bits = match address {
        SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped().to_bits(),
        SocketAddr::V6(v6) => v6.ip().to_bits(),
    };
    (bits, address.port())
}

fn joined(kind: u8, ends: &[(u128, u16); 2], netns: u32, offset: u64, sub: u64) -> [u8; Identity::LEN] {
    let mut bytes = [0; Identity::LEN];
    let mut rest = bytes.as_mut_slice();
    let mut put = |field: &[u8]| {
        if let Some((slot, behind)) = std::mem::take(&mut rest).split_at_mut_checked(field.len()) {
            slot.copy_from_slice(field);
            rest = behind;
        }
    };
    put(&[kind]);
    for (bits, port) in ends {
        put(&bits.to_be_bytes());
        put(&port.to_be_bytes());
    }
    put(&netns.to_be_bytes());
    put(&offset.to_be_bytes());
    put(&sub.to_be_bytes());
    bytes
}

/// Who is at the ends of the exchanges that are held. One entry per held span at most.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    asks: FxHashMap<u128, Key>,
    answers: FxHashMap<u128, Key>,
}

impl Wires {
    /// Takes an end. `false` where another exchange has it: then this one needs another number.
    pub(crate) fn take(&mut self, identity: u128, end: End, key: Key) -> bool {
        let taken = *self.side(end).entry(identity).or_insert(key);
        taken == key
    }

    pub(crate) fn release(&mut self, identity: u128, end: End, key: Key) {
        if let Entry::Occupied(taken) = self.side(end).entry(identity)
            && *taken.get() == key
        {
            taken.remove();
        }
    }

    /// Gives back room that only a crowd had needed.
    pub(crate) fn fit(&mut self) {
        room::fit(&mut self.asks);
        room::fit(&mut self.answers);
    }

    /// The exchange at the other end.
    pub(crate) fn partner(&self, identity: u128, end: End) -> Option<Key> {
        match end {
            End::Asks => self.answers.get(&identity).copied(),
            End::Answers => self.asks.get(&identity).copied(),
        }
    }

    const fn side(&mut self, end: End) -> &mut FxHashMap<u128, Key> {
        match end {
            End::Asks => &mut self.asks,
            End::Answers => &mut self.answers,
        }
    }
}
