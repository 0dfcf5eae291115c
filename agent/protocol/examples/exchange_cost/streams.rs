//! The conversations: real programs', as the captures of the tests have them, a few of their exchanges each. Before the
//! empty line of a file stands what opens the connection, behind it what comes again and again.

use wirespan_protocol::{
    facts::Side,
    testing::{Call, recorded},
};

/// What distinguishes a round from the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Nothing.
    Same,
    /// Ids of HTTP/2's streams grow by so much (RFC 9113 section 5.1.1).
    Streams(u32),
    /// It has a connection of its own.
    Connection,
    /// Each call is a datagram.
    Datagrams,
}

/// A conversation.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    text: &'static str,
    pub(crate) again: Again,
}

impl Stream {
    const fn new(name: &'static str, text: &'static str, again: Again) -> Self {
        Self { name, text, again }
    }

    /// What opens the connection, and what comes again, as the server sees it.
    pub(crate) fn calls(&self) -> (Vec<Call>, Vec<Call>) {
        let (opening, rest) = self.text.split_once("\n\n").unwrap_or(("", self.text.trim_start()));
        (recorded(opening, Side::Server), recorded(rest, Side::Server))
    }
}

/// All of them, in the order of the registry.
pub(crate) static STREAMS: &[Stream] = &[
    Stream::new("http", include_str!("streams/http.txt"), Again::Same),
    Stream::new("amqp", include_str!("streams/amqp.txt"), Again::Same),
    Stream::new("http2", include_str!("streams/http2.txt"), Again::Streams(2)),
    Stream::new("grpc", include_str!("streams/grpc.txt"), Again::Streams(2)),
    Stream::new("websocket", include_str!("streams/websocket.txt"), Again::Connection),
    Stream::new("fastcgi", include_str!("streams/fastcgi.txt"), Again::Same),
    Stream::new("postgresql", include_str!("streams/postgresql.txt"), Again::Same),
    Stream::new("mysql", include_str!("streams/mysql.txt"), Again::Same),
    Stream::new("redis", include_str!("streams/redis.txt"), Again::Same),
    Stream::new("redis-pipeline", include_str!("streams/redis-pipeline.txt"), Again::Same),
    Stream::new("memcached", include_str!("streams/memcached.txt"), Again::Same),
    Stream::new("memcached-binary", include_str!("streams/memcached-binary.txt"), Again::Same),
    Stream::new("mongodb", include_str!("streams/mongodb.txt"), Again::Same),
    Stream::new("dns", include_str!("streams/dns.txt"), Again::Datagrams),
    Stream::new("kafka", include_str!("streams/kafka.txt"), Again::Same),
    Stream::new("kafka-fetch", include_str!("streams/kafka-fetch.txt"), Again::Same),
];
