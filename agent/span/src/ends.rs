//! Comes in: the socket of an exchange. Goes out: attributes that only repeat what its connection is, made where they are
//! written: they are the same for all spans of a connection.

use std::net::SocketAddr;

use smol_str::SmolStr;
use wirespan_protocol::{
    address,
    event::{Address, Socket, Transport},
    exchange::Role,
};

use crate::{attributes::Attribute, span::Value};

/// Where the bytes of a span went: its `network.*`, and `client.*` or `server.*` where the protocol did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    transport: Transport,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    peer_is: PeerIs,
}

/// What the peer is called besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerIs {
    Client,
    Server,
    /// The server, whose address was said without a port.
    ServerPort,
    /// The protocol said more than we know.
    Said,
}

impl Ends {
    /// Those of a socket; `said` is what the protocol told of them.
    #[must_use]
    pub fn new(socket: &Socket, role: Role, said: &[Attribute]) -> Self {
        Self {
            transport: socket.transport,
            peer: inet(socket.peer),
            local: inet(socket.local),
            peer_is: PeerIs::new(role, said),
        }
    }

    /// By name, in the order in which they are shown.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, Value)> + use<> {
        let Self { transport, peer, local, peer_is } = *self;
        let transport = match transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Unix => "unix",
        };
        let address = |name: &'static str, end: Option<SocketAddr>| {
            end.map(|end| (name, Value::Text(address::text(end.ip()))))
        };
        let port = |name: &'static str, end: Option<SocketAddr>| {
            end.map(|end| (name, Value::Int(end.port().into())))
        };
        let [peer_address, peer_port] = peer_is.names();
        [
            Some(("network.transport", Value::Text(SmolStr::new_static(transport)))),
            address("network.peer.address", peer),
            port("network.peer.port", peer),
            peer_address.and_then(|name| address(name, peer)),
            peer_port.and_then(|name| port(name, peer)),
            address("network.local.address", local),
            port("network.local.port", local),
        ]
        .into_iter()
        .flatten()
    }
}

impl PeerIs {
    /// Semantic conventions: `client.address` is the peer's where no proxy told another; a client's `server.address` is
    /// the peer's where the request did not name one. A consumer is a client of its broker.
    fn new(role: Role, said: &[Attribute]) -> Self {
        let has = |name| said.iter().any(|(said, _)| said == name);
        if role == Role::Server {
            return if has("client.address") { Self::Said } else { Self::Client };
        }
        match (has("server.address"), has("server.port")) {
            (false, _) => Self::Server,
            (true, false) => Self::ServerPort,
            (true, true) => Self::Said,
        }
    }

    /// The attributes that have the peer's address and its port.
    const fn names(self) -> [Option<&'static str>; 2] {
        match self {
            Self::Client => [Some("client.address"), Some("client.port")],
            Self::Server => [Some("server.address"), Some("server.port")],
            Self::ServerPort => [None, Some("server.port")],
            Self::Said => [None, None],
        }
    }
}

pub(crate) const fn inet(address: Address) -> Option<SocketAddr> {
    match address {
        Address::Inet(address) => Some(address),
        Address::Unix(_) | Address::Unknown => None,
    }
}
