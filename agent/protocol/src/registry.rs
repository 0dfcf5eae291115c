//! The protocols, one line each. Comes in: what is seen of a connection. Goes out: who claims it. Refuses: two claims.

use wirespan_connection::event::Policy;

use crate::{
    amqp::Amqp,
    conversation::{self, Conversation},
    dns::Dns,
    http::Http,
    http2::Http2,
    kafka::Kafka,
    memcached::Memcached,
    mysql::Mysql,
    postgresql::Postgresql,
    protocol::{Detection, Protocol, Sight},
    redis::Redis,
    settings::Settings,
    websocket::WebSocket,
};

/// All protocols. Where two are certain the earlier one is taken.
pub static REGISTRY: &[Entry] = &[
    Entry::of::<Http>(),
    Entry::of::<Amqp>(),
    Entry::of::<Http2>(),
    Entry::of::<WebSocket>(),
    Entry::of::<Postgresql>(),
    Entry::of::<Mysql>(),
    Entry::of::<Redis>(),
    Entry::of::<Memcached>(),
    Entry::of::<Dns>(),
    Entry::of::<Kafka>(),
];

/// A protocol in the registry.
pub struct Entry {
    /// Its name, in lower case.
    pub name: &'static str,
    /// What the kernel is to copy.
    pub policy: Policy,
    /// Tokens by which another protocol hands over to it.
    pub tokens: &'static [&'static str],
    pub(crate) detect: fn(&Sight<'_>, &Settings) -> Detection,
    pub(crate) begin: fn(&Sight<'_>) -> Box<dyn Conversation>,
}

impl Entry {
    /// The entry of protocol `P`.
    #[must_use]
    pub const fn of<P: Protocol>() -> Self {
        Self {
            name: P::NAME,
            policy: P::POLICY,
            tokens: P::TOKENS,
            detect: P::detect,
            begin: conversation::begin::<P>,
        }
    }
}

/// What the registry says of a connection.
#[derive(Clone, Copy)]
pub(crate) enum Claim {
    /// This one.
    Certain(&'static Entry),
    /// This one perhaps, and no other.
    Perhaps(&'static Entry),
    /// Several perhaps.
    Several,
    /// None.
    Nobody,
}

/// Asks every protocol.
pub(crate) fn claim(registry: &'static [Entry], sight: &Sight<'_>, settings: &Settings) -> Claim {
    let mut claim = Claim::Nobody;
    for entry in registry {
        match ((entry.detect)(sight, settings), claim) {
            (Detection::Certain, _) => return Claim::Certain(entry),
            (Detection::Unsure, Claim::Nobody) => claim = Claim::Perhaps(entry),
            (Detection::Unsure, _) => claim = Claim::Several,
            (Detection::NotForUs, _) => {}
        }
    }
    claim
}
