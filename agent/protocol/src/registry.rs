//! The protocols, one line each. Comes in: what is seen of a connection. Goes out: who claims it. Refuses: two claims.

use wirespan_connection::event::Policy;

use crate::{
    amqp::{self, Amqp},
    conversation::{self, Conversation},
    dns::{self, Dns},
    fastcgi::{self, Fastcgi},
    http::{self, Http},
    http2::{self, Http2},
    kafka::{self, Kafka},
    memcached::{self, Memcached},
    mongodb::{self, Mongodb},
    mysql::{self, Mysql},
    postgresql::{self, Postgresql},
    protocol::{Detection, Protocol, Sight},
    redis::{self, Redis},
    settings::Settings,
    websocket::{self, WebSocket},
};

/// All protocols. Where two are certain the earlier one is taken.
pub static REGISTRY: &[Entry] = &[
    Entry::of::<Http>().told(&http::about::ABOUT),
    Entry::of::<Amqp>().told(&amqp::about::ABOUT),
    Entry::of::<Http2>().told(&http2::about::ABOUT),
    Entry::of::<WebSocket>().told(&websocket::about::ABOUT),
    Entry::of::<Fastcgi>().told(&fastcgi::about::ABOUT),
    Entry::of::<Postgresql>().told(&postgresql::about::ABOUT),
    Entry::of::<Mysql>().told(&mysql::about::ABOUT),
    Entry::of::<Redis>().told(&redis::about::ABOUT),
    Entry::of::<Memcached>().told(&memcached::about::ABOUT),
    Entry::of::<Mongodb>().told(&mongodb::about::ABOUT),
    Entry::of::<Dns>().told(&dns::about::ABOUT),
    Entry::of::<Kafka>().told(&kafka::about::ABOUT),
];

/// A protocol in the registry.
pub struct Entry {
    /// Its name, in lower case.
    pub name: &'static str,
    /// What the kernel is to copy.
    pub policy: Policy,
    /// Tokens by which another protocol hands over to it.
    pub tokens: &'static [&'static str],
    /// What `docs/protocols.md` says of it.
    pub about: Option<&'static About>,
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
            about: None,
            detect: P::detect,
            begin: conversation::begin::<P>,
        }
    }

    /// The same, with what the documentation says of it.
    #[must_use]
    pub const fn told(self, about: &'static About) -> Self {
        Self { about: Some(about), ..self }
    }
}

/// A protocol in words, for who wants to know what to expect: a row of `docs/protocols.md`.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name, with versions or forms.
    pub title: &'static str,
    /// By which bytes it is recognised.
    pub recognised: &'static str,
    /// What tells which answer is whose.
    pub paired: &'static str,
    /// Attributes of its spans, beside those of every span.
    pub attributes: &'static [&'static str],
    /// What is not seen, or not told.
    pub limits: &'static str,
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
