//! Comes in: the truth and the printed spans. Goes out: which span is which message. Refuses: spans of other connections
//! (the host may be busy with other things).

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use super::{
    align::{Interval, align},
    truth::{Id, Side, Tuple, World},
};
use crate::span::{Kind, Span};

/// Moments that one event gave differ by less: wall-clock time is put on late.
const AT_ONCE_NS: u64 = 5_000;

/// Both directions of the join.
#[derive(Debug, Default)]
pub struct Joined<'a> {
    /// The span of each message that was seen.
    pub spans: HashMap<Id, &'a Span>,
    /// The message of each span, by span id.
    pub messages: HashMap<&'a str, Id>,
}

/// Joins by connection and place on it; where spans are missing, by connection and time.
#[must_use]
pub fn join<'a>(world: &World, spans: &'a [Span]) -> Joined<'a> {
    let mut seen: HashMap<Tuple, Vec<&Span>> = HashMap::new();
    for span in spans {
        if let Some(tuple) = tuple(span) {
            seen.entry(tuple).or_default().push(span);
        }
    }
    let mut joined = Joined::default();
    for (tuple, ids) in world.tuples() {
        let Some(mut spans) = seen.remove(&tuple) else { continue };
        in_order(&mut spans);
        let times: Vec<_> = spans.iter().map(|span| Interval { start: span.start, end: span.end }).collect();
        for (span, at) in spans.iter().zip(align(&times, &world.times(&ids))) {
            if let Some(id) = at.and_then(|at| ids.get(at)) {
                joined.spans.insert(*id, span);
                joined.messages.insert(&span.id, *id);
            }
        }
    }
    joined
}

/// As on the connection. Pipelined requests may be written and read at once, and their answers too: those the load numbers
/// in `User-Agent`, which no program but a proxy passes on.
fn in_order(spans: &mut [&Span]) {
    spans.sort_by_key(|span| span.start);
    for at_once in spans.chunk_by_mut(|one, next| next.start - one.start < AT_ONCE_NS) {
        at_once.sort_by_key(|span| (span.text("user_agent.original"), span.end));
    }
}

/// The connection that a span went over, from its end.
fn tuple(span: &Span) -> Option<Tuple> {
    let side = match span.kind {
        Kind::Server => Side::Server,
        Kind::Client | Kind::Producer | Kind::Consumer => Side::Client,
    };
    Some((side, address(span, "local")?, address(span, "peer")?))
}

fn address(span: &Span, end: &str) -> Option<SocketAddr> {
    let ip: IpAddr = span.text(&format!("network.{end}.address"))?.parse().ok()?;
    let port = span.integer(&format!("network.{end}.port"))?.try_into().ok()?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}
