//! Comes in: spans of agents on many hosts. Goes out: which two of them are the ends of one exchange. Refuses: to guess.
//! Two names are looked for, both made of what the kernel saw at either end:
//!
//! * the sequence numbers of the request's and the response's first byte (`wirespan.exchange`): 64 bits of which 62 or so
//!   are random (RFC 6528), the same at both ends whatever translated the addresses between them;
//! * where no response was seen: the request's sequence number with either end's address and port, which must be the same at
//!   both ends, and times that are near each other. Behind a translation of sources the server's place stays what it was,
//!   behind one of destinations the client's; where both are translated nothing is joined.
//!
//! What has two askers or two answerers is ambiguous, and joined no more. Bounded in number and in time.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use wirespan_store::{Call, Join, Kind, Span, SpanId, Text, TraceId, Value, attribute};

/// Names that are held, up to three an end: about 130 bytes each.
const MOST: usize = 196_608;
/// How long the other end is waited for: agents send within seconds, longer when they had to try again.
const WAIT: Duration = Duration::from_secs(120);
/// What the clocks of two hosts may differ by where times are part of the evidence, in nanoseconds.
const NEAR: u64 = 5_000_000_000;

/// Ends of exchanges whose other end has not come.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    by_name: HashMap<Name, Seen>,
    order: VecDeque<(Instant, Name)>,
}

/// What both ends call an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// Sequence numbers of request and response, stream.
    Offsets(u32, u32, u64),
    /// The client's place, the request's sequence number, stream.
    FromClient(Place, u32, u64),
    /// The same by the server's place.
    AtServer(Place, u32, u64),
}

/// Address and port.
type Place = (IpAddr, u16);

#[derive(Clone, Debug)]
enum Seen {
    One(Arc<End>),
    /// More than one span says that it is the same end.
    Several,
}

/// One end of an exchange, as far as the other needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    asks: bool,
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
    service: Text,
    start: u64,
    duration: u64,
    failed: bool,
    response: Option<u32>,
}

/// `wirespan.exchange`, read: request, response and stream.
type Exchange = (u32, Option<u32>, u64);

impl Ends {
    /// Takes spans as they come in; gives the pairs that are complete now.
    pub(crate) fn take(&mut self, spans: &[Span], now: Instant) -> Vec<Join> {
        self.expire(now);
        spans.iter().filter_map(|span| self.meet(span, now)).collect()
    }

    fn meet(&mut self, span: &Span, now: Instant) -> Option<Join> {
        let exchange = exchange(span)?;
        let end = Arc::new(End::of(span, exchange)?);
        let [from_client, at_server] = places(span, &end, exchange);
        let names = [offsets(exchange), from_client, at_server];
        names.into_iter().flatten().fold(None, |found, name| self.named(name, &end, now).or(found))
    }

    fn named(&mut self, name: Name, end: &Arc<End>, now: Instant) -> Option<Join> {
        match self.by_name.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(Seen::One(end.clone()));
                self.order.push_back((now, name));
                None
            }
            Entry::Occupied(mut occupied) => match occupied.get() {
                Seen::One(other) if other.asks != end.asks => end.join(other, name),
                Seen::One(other) if other.span == end.span => None,
                _ => {
                    occupied.insert(Seen::Several);
                    None
                }
            },
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((came, name)) = self.order.front() {
            let old = now.saturating_duration_since(*came) > WAIT;
            if !old && self.order.len() <= MOST {
                return;
            }
            self.by_name.remove(name);
            self.order.pop_front();
        }
    }
}

impl End {
    fn of(span: &Span, (_, response, _): Exchange) -> Option<Self> {
        let asks = match span.kind {
            Kind::Client | Kind::Producer => true,
            Kind::Server | Kind::Consumer => false,
            Kind::Unspecified | Kind::Internal => return None,
        };
        Some(Self {
            asks,
            trace: span.trace,
            span: span.id,
            parent: span.parent,
            service: span.resource.service.clone(),
            start: span.start,
            duration: span.duration,
            failed: span.failed(),
            response,
        })
    }

    /// The two as parent and child, unless something speaks against it.
    fn join(&self, other: &Self, name: Name) -> Option<Join> {
        let (client, server) = if self.asks { (self, other) } else { (other, self) };
        let one_response = client.response.is_none() || server.response.is_none();
        let sure = match name {
            Name::Offsets(..) => true,
            Name::FromClient(..) | Name::AtServer(..) => {
                one_response && client.start.abs_diff(server.start) < NEAR
            }
        };
        // A parent that came in a header, from another trace than the client's, was sent by somebody else than the client.
        let free = server.parent.is_none() || server.trace == client.trace;
        let known = server.parent == Some(client.span) || server.span == client.span;
        (sure && free && !known).then(|| Join {
            trace: server.trace,
            span: server.span,
            whole: client.trace,
            parent: client.span,
            call: server.called_by(client),
        })
    }

    fn called_by(&self, client: &Self) -> Call {
        Call {
            from: client.service.clone(),
            to: self.service.clone(),
            start: self.start,
            duration: self.duration,
            failed: self.failed,
        }
    }
}

fn exchange(span: &Span) -> Option<Exchange> {
    let Some(Value::Text(text)) = attribute(&span.attributes, "wirespan.exchange") else { return None };
    let mut parts = text.split(':');
    let request = u32::from_str_radix(parts.next()?, 16).ok()?;
    let response = match parts.next()? {
        "" => None,
        response => Some(u32::from_str_radix(response, 16).ok()?),
    };
    let stream = parts.next().map_or(Some(0), |stream| u64::from_str_radix(stream, 16).ok())?;
    parts.next().is_none().then_some((request, response, stream))
}

fn offsets((request, response, stream): Exchange) -> Option<Name> {
    Some(Name::Offsets(request, response?, stream))
}

fn places(span: &Span, end: &End, (request, _, stream): Exchange) -> [Option<Name>; 2] {
    let local = place(span, "network.local.address", "network.local.port");
    let peer = place(span, "network.peer.address", "network.peer.port");
    let (client, server) = if end.asks { (local, peer) } else { (peer, local) };
    [
        client.map(|client| Name::FromClient(client, request, stream)),
        server.map(|server| Name::AtServer(server, request, stream)),
    ]
}

/// A socket that takes both families shows IPv4 in IPv6's clothes (RFC 4291, 2.5.5.2).
fn place(span: &Span, address: &str, port: &str) -> Option<Place> {
    let (Value::Text(address), Value::Int(port)) =
        (attribute(&span.attributes, address)?, attribute(&span.attributes, port)?)
    else {
        return None;
    };
    let address: IpAddr = address.parse().ok()?;
    Some((address.to_canonical(), u16::try_from(*port).ok()?))
}

#[cfg(test)]
mod tests {
    use wirespan_store::Attribute;

    use super::*;

    const CLIENT: &str = "10.1.0.2:40000";
    const SERVER: &str = "10.2.0.2:80";

    /// A span of trace `n`; where and whereto as the socket has it.
    fn span(n: u8, kind: Kind, exchange: &str, local: &str, peer: &str) -> Span {
        let text = |key: &str, value: &str| Attribute { key: key.into(), value: Value::from(value) };
        let place = |key: &str, of: &str| {
            let (address, port) = of.rsplit_once(':').unwrap();
            let port = Value::Int(port.parse().unwrap());
            let port = Attribute { key: format!("network.{key}.port").into(), value: port };
            [text(&format!("network.{key}.address"), address.trim_matches(['[', ']'])), port]
        };
        let mut attributes = vec![text("wirespan.exchange", exchange)];
        attributes.extend(place("local", local).into_iter().chain(place("peer", peer)));
        Span { trace: TraceId([n; 16]), id: SpanId([n; 8]), kind, attributes, start: 1, ..Span::default() }
    }

    fn client(n: u8, exchange: &str) -> Span {
        span(n, Kind::Client, exchange, CLIENT, SERVER)
    }

    fn server(n: u8, exchange: &str) -> Span {
        span(n, Kind::Server, exchange, SERVER, CLIENT)
    }

    fn joins(spans: &[Span]) -> Vec<(u8, u8)> {
        let mut ends = Ends::default();
        let joins = spans.iter().flat_map(|span| ends.take(std::slice::from_ref(span), Instant::now()));
        joins.map(|join| (join.parent.0[0], join.span.0[0])).collect()
    }

    #[test]
    fn the_ends_of_an_exchange_meet_in_either_order() {
        assert_eq!(joins(&[client(1, "a1:b2"), server(2, "a1:b2")]), [(1, 2)]);
        assert_eq!(joins(&[server(2, "a1:b2:7"), client(1, "a1:b2:7")]), [(1, 2)]);
        assert_eq!(joins(&[client(1, "a1:b2"), server(2, "a1:b3")]), []);
        assert_eq!(joins(&[client(1, "a1:b2:1"), server(2, "a1:b2:3")]), []);
        assert_eq!(joins(&[client(1, "a1:b2"), client(2, "a1:b2")]), []);
    }

    #[test]
    fn addresses_may_be_translated_where_both_offsets_are_known() {
        let behind = span(2, Kind::Server, "a1:b2", "192.0.2.7:8080", "192.0.2.1:61000");
        assert_eq!(joins(&[client(1, "a1:b2"), behind]), [(1, 2)]);
        let unanswered = |local, peer| span(2, Kind::Server, "a1:", local, peer);
        let source = unanswered(SERVER, "192.0.2.1:61000");
        assert_eq!(joins(&[client(1, "a1:"), source.clone()]), [(1, 2)]);
        assert_eq!(joins(&[source.clone(), client(1, "a1:b2")]), [(1, 2)]);
        assert_eq!(joins(&[client(1, "a2:"), source]), []);
        assert_eq!(joins(&[client(1, "a1:"), unanswered("192.0.2.7:8080", CLIENT)]), [(1, 2)]);
        assert_eq!(joins(&[client(1, "a1:"), unanswered("192.0.2.7:8080", "192.0.2.1:61000")]), []);
    }

    #[test]
    fn without_a_response_addresses_and_times_must_agree() {
        assert_eq!(joins(&[client(1, "a1:"), server(2, "a1:")]), [(1, 2)]);
        assert_eq!(joins(&[client(1, "a1:"), server(2, "a1:b2")]), [(1, 2)]);
        let mapped = span(2, Kind::Server, "a1:", "[::ffff:10.2.0.2]:80", "[::ffff:10.1.0.2]:40000");
        assert_eq!(joins(&[client(1, "a1:"), mapped]), [(1, 2)]);
        let late = Span { start: 6_000_000_000, ..server(2, "a1:") };
        assert_eq!(joins(&[client(1, "a1:"), late]), []);
    }

    #[test]
    fn what_two_say_of_themselves_is_joined_to_neither() {
        assert_eq!(joins(&[client(1, "a1:b2"), client(3, "a1:b2"), server(2, "a1:b2")]), []);
        assert_eq!(joins(&[client(1, "a1:b2"), client(1, "a1:b2"), server(2, "a1:b2")]), [(1, 2)]);
    }

    #[test]
    fn a_parent_from_another_trace_stays() {
        let parent = Some(SpanId([9; 8]));
        assert_eq!(joins(&[client(1, "a1:b2"), Span { parent, ..server(2, "a1:b2") }]), []);
        let same = Span { parent, trace: TraceId([1; 16]), ..server(2, "a1:b2") };
        assert_eq!(joins(&[client(1, "a1:b2"), same]), [(1, 2)]);
        let known = Span { parent: Some(SpanId([1; 8])), trace: TraceId([1; 16]), ..server(2, "a1:b2") };
        assert_eq!(joins(&[client(1, "a1:b2"), known]), []);
    }

    #[test]
    fn a_join_tells_who_called_whom() {
        let resource = |service: &str| {
            let name = Attribute { key: "service.name".into(), value: Value::from(service) };
            Arc::new(wirespan_store::Resource::new(vec![name]))
        };
        let asks = Span { resource: resource("web"), duration: 9, ..client(1, "a1:b2") };
        let answers = Span { resource: resource("cart"), start: 3, duration: 5, ..server(2, "a1:b2") };
        let join = Ends::default().take(&[answers, asks], Instant::now()).pop().unwrap();
        let call = Call { from: "web".into(), to: "cart".into(), start: 3, duration: 5, failed: false };
        assert_eq!(join.call, call);
    }

    #[test]
    fn nonsense_names_nothing() {
        for name in ["", ":", "a1", "a1:b2:c:d", "a1:b2:", "xyz:1", "123456789:1", "é:é"] {
            assert_eq!(joins(&[client(1, name), server(2, name)]), [], "{name}");
        }
    }

    #[test]
    fn what_waits_too_long_is_forgotten_and_the_rest_is_bounded() {
        let mut ends = Ends::default();
        let begin = Instant::now();
        ends.take(&[client(1, "a1:b2")], begin);
        assert_eq!(ends.take(&[server(2, "a1:b2")], begin + WAIT + WAIT), []);
        for n in 0..MOST as u32 / 2 {
            ends.take(&[client(1, &format!("{n:x}:{n:x}"))], begin + WAIT + WAIT);
        }
        assert!(ends.by_name.len() <= MOST + 3 && ends.order.len() <= MOST + 3);
    }
}
