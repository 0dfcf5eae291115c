//! Comes in: messages of all connections. Goes out: their events. Bounds the connections and what they hold.

use std::net::{IpAddr, SocketAddr};

use rustc_hash::FxHashMap;
use wirespan_proto::event::{Cookie, Event, Transport};

use crate::{
    capture::{Ends, Observation},
    conversation::{Conversation, Seat},
    endpoints::Endpoints,
    transport::{Message, Tcp},
};

/// Connections followed at a time. One more ends an eighth of them, those unused for longest.
const MAX_FLOWS: usize = 65_536;
/// Captured bytes that wait for earlier ones, of all connections.
const MAX_HELD_BYTES: usize = 64 << 20;

/// The two ends in a fixed order, and what they speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    low: SocketAddr,
    high: SocketAddr,
    is_tcp: bool,
}

impl Key {
    fn of(message: &Message<'_>) -> Self {
        let (a, b) = (message.source, message.destination);
        Self { low: a.min(b), high: a.max(b), is_tcp: message.tcp.is_some() }
    }
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Flows {
    ends: Ends,
    flows: FxHashMap<Key, Conversation>,
    endpoints: Endpoints,
    /// Connections so far.
    count: u32,
    /// Sockets so far.
    cookies: u64,
    held: usize,
    /// Bytes in no captured segment, of connections that are over.
    missing: u64,
    evicted: u64,
}

impl Flows {
    pub(crate) fn new(ends: Ends) -> Self {
        let (flows, endpoints) = Default::default();
        Self { ends, flows, endpoints, count: 0, cookies: 0, held: 0, missing: 0, evicted: 0 }
    }

    /// Bytes that were in no captured packet although their connection was.
    pub(crate) fn missing(&self) -> u64 {
        self.flows.values().map(Conversation::missing).sum::<u64>() + self.missing
    }

    /// Connections that were given up to make room.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Takes a message captured at `time`.
    pub(crate) fn take(&mut self, message: &Message<'_>, time: u64, tell: &mut impl FnMut(Observation<'_>)) {
        let key = Key::of(message);
        if let Some(tcp) = &message.tcp
            && self.flows.get(&key).is_some_and(|flow| flow.is_over_with(tcp))
        {
            self.end(&key, time, tell);
        }
        if !self.flows.contains_key(&key) && !self.open(key, message, time, tell) {
            return;
        }
        let Some(flow) = self.flows.get_mut(&key) else { return };
        flow.used = flow.used.max(time);
        let before = flow.held_bytes();
        let tell = &mut |event: Event<'_>| tell(Observation::Event(event));
        match &message.tcp {
            Some(tcp) => flow.segment(message, tcp, time, tell),
            None => flow.datagram(message, time, tell),
        }
        if self.held + flow.held_bytes() > MAX_HELD_BYTES + before {
            flow.give_up(time, tell);
        }
        self.held = self.held + flow.held_bytes() - before;
    }

    /// The capture is over: gives out what waits for packets that were not captured.
    pub(crate) fn finish(&mut self, time: u64, tell: &mut impl FnMut(Observation<'_>)) {
        let mut keys: Vec<_> = self.flows.keys().copied().collect();
        keys.sort_unstable_by_key(|key| (key.low, key.high));
        for key in keys {
            if let Some(flow) = self.flows.get_mut(&key) {
                flow.give_up(time, &mut |event| tell(Observation::Event(event)));
            }
        }
    }

    /// Begins to follow a connection, where there is a reason to.
    fn open(
        &mut self,
        key: Key,
        message: &Message<'_>,
        time: u64,
        tell: &mut impl FnMut(Observation<'_>),
    ) -> bool {
        let begins = message.tcp.as_ref().is_none_or(|tcp| tcp.syn && !tcp.rst);
        if !begins && message.len == 0 {
            return false;
        }
        if self.flows.len() >= MAX_FLOWS {
            self.make_room(time, tell);
        }
        let (client, server) = ends(message);
        let transport = if key.is_tcp { Transport::Tcp } else { Transport::Udp };
        let seats = self.seats(client, server, tell);
        self.count = self.count.wrapping_add(1);
        self.flows.insert(key, Conversation::new(client, server, self.count, transport, seats));
        true
    }

    /// The ends that are told.
    fn seats(
        &mut self,
        client: SocketAddr,
        server: SocketAddr,
        tell: &mut impl FnMut(Observation<'_>),
    ) -> Vec<Seat> {
        let mut seats = Vec::new();
        if self.ends != Ends::Server {
            seats.push(self.seat(client.ip(), None, tell));
        }
        if self.ends != Ends::Client {
            seats.push(self.seat(server.ip(), Some(server.port()), tell));
        }
        seats
    }

    fn seat(&mut self, address: IpAddr, port: Option<u16>, tell: &mut impl FnMut(Observation<'_>)) -> Seat {
        let (pid, is_new) = self.endpoints.number(address, port);
        if is_new {
            tell(Observation::Endpoint { pid, address, port });
        }
        self.cookies += 1;
        Seat { cookie: Cookie(self.cookies), pid, is_client: port.is_none() }
    }

    fn end(&mut self, key: &Key, time: u64, tell: &mut impl FnMut(Observation<'_>)) {
        if let Some(mut flow) = self.flows.remove(key) {
            self.held -= flow.held_bytes();
            flow.abandon(time, &mut |event| tell(Observation::Event(event)));
            self.missing += flow.missing();
        }
    }

    /// Ends an eighth of the connections at once, so that the search for them is spread.
    fn make_room(&mut self, time: u64, tell: &mut impl FnMut(Observation<'_>)) {
        let mut ages: Vec<_> =
            self.flows.iter().map(|(key, flow)| (flow.used, key.low, key.high, *key)).collect();
        ages.sort_unstable_by_key(|(used, low, high, _)| (*used, *low, *high));
        for (.., key) in ages.into_iter().take(MAX_FLOWS / 8) {
            self.end(&key, time, tell);
            self.evicted += 1;
        }
    }
}

/// Client and server. The SYN tells; without it, the lower port is the server's.
fn ends(message: &Message<'_>) -> (SocketAddr, SocketAddr) {
    let (from, to) = (message.source, message.destination);
    let from_client = match &message.tcp {
        Some(Tcp { syn: true, ack, .. }) => ack.is_none(),
        _ => from.port() >= to.port(),
    };
    if from_client { (from, to) } else { (to, from) }
}
