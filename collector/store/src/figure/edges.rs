//! Spans in; who called whom out, joined as they arrive, whichever of the two comes first.
//!
//! A call is a span whose parent belongs to another service, or a server's or consumer's span below a client's or
//! producer's. Calls to what sends no spans itself (databases, queues, peers) show as a client's span that nobody
//! answered.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::{Figures, MINUTE};
use crate::{Kind, Span, SpanId, Text, Value, attribute};

/// What kind of thing is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NodeKind {
    /// It sends spans.
    #[default]
    Service,
    /// A database, known by `db.system.name`.
    Database,
    /// A queue, known by `messaging.system`.
    Messaging,
    /// Known by `peer.service` alone.
    External,
}

/// Calls of one service to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who calls.
    pub from: Text,
    /// Who is called.
    pub to: Text,
    /// What that is.
    pub kind: NodeKind,
    /// Figures of the spans of the one called; of the caller's, where it sends none.
    pub figures: Figures,
}

/// Which calls are asked for: those that began in this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeQuery {
    /// From here, in nanoseconds since 1970; rounded down to a whole minute.
    pub start: u64,
    /// To here, exclusive.
    pub end: u64,
}

/// From, to, and what that is.
pub(crate) type EdgeKey = (Text, Text, NodeKind);
/// Figures by minute and edge.
pub(crate) type EdgeRows = FxHashMap<(u64, EdgeKey), Figures>;

/// A span as far as its neighbours need to know it.
#[derive(Clone, Debug)]
struct Caller {
    service: Text,
    kind: Kind,
    answered: bool,
}

/// A child whose parent has not come yet.
#[derive(Clone, Debug)]
struct Orphan {
    service: Text,
    kind: Kind,
    start: u64,
    figures: Figures,
}

/// What one segment leaves to the next, so that calls across their border are seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handover {
    callers: FxHashMap<u64, Caller>,
    orphans: FxHashMap<u64, Vec<Orphan>>,
}

/// The join. Holds as much as its segment has spans, and what the segment before left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    rows: EdgeRows,
    here: Handover,
    before: Handover,
    /// Clients' spans that a server on another host answered: counted where they were joined.
    answered: FxHashSet<u64>,
}

impl Calls {
    /// Goes on where another segment stopped.
    pub(crate) fn after(before: Handover) -> Self {
        Self { before, ..Self::default() }
    }

    /// Takes one span. `joined`: its parent is on another host, and their call is counted already.
    pub(crate) fn add(&mut self, span: &Span, joined: bool) {
        match span.parent {
            Some(parent) if joined => self.answer(parent),
            _ => self.add_child(span),
        }
        self.as_parent(span);
    }

    /// A server on another host has answered this client's span.
    pub(crate) fn answer(&mut self, span: SpanId) {
        self.answered.insert(span.number());
    }

    fn add_child(&mut self, span: &Span) {
        let Some(parent) = span.parent.map(SpanId::number) else { return };
        let mut figures = Figures::default();
        figures.add(span);
        let orphan =
            Orphan { service: span.resource.service.clone(), kind: span.kind, start: span.start, figures };
        let caller = match self.here.callers.get_mut(&parent) {
            Some(caller) => Some(caller),
            None => self.before.callers.get_mut(&parent),
        };
        match caller {
            Some(caller) => link(&mut self.rows, caller, orphan),
            None => self.here.orphans.entry(parent).or_default().push(orphan),
        }
    }

    fn as_parent(&mut self, span: &Span) {
        let id = span.id.number();
        let mut caller = Caller { service: span.resource.service.clone(), kind: span.kind, answered: false };
        let here = self.here.orphans.remove(&id).unwrap_or_default();
        let before = self.before.orphans.remove(&id).unwrap_or_default();
        for orphan in here.into_iter().chain(before) {
            link(&mut self.rows, &mut caller, orphan);
        }
        // Zipkin's server span shares its client's id: the client stays the one whose children are looked for.
        let known =
            self.here.callers.get(&id).is_some_and(|known| known.kind == Kind::Server && known.answered);
        if !known {
            self.here.callers.insert(id, caller);
        }
    }

    /// All calls so far, with those that nobody answered.
    pub(crate) fn rows(&self, spans: &[Span]) -> EdgeRows {
        let mut rows = self.rows.clone();
        for span in spans.iter().filter(|span| matches!(span.kind, Kind::Client | Kind::Producer)) {
            let id = span.id.number();
            let answered = self.answered.contains(&id)
                || self.here.callers.get(&id).is_some_and(|caller| caller.answered);
            if let Some((name, kind)) = peer(span).filter(|_| !answered) {
                let key = (minute(span.start), (span.resource.service.clone(), name, kind));
                rows.entry(key).or_default().add(span);
            }
        }
        rows
    }

    /// What the next segment needs.
    pub(crate) fn handover(&self) -> Handover {
        self.here.clone()
    }
}

fn link(rows: &mut EdgeRows, caller: &mut Caller, child: Orphan) {
    let across = matches!(caller.kind, Kind::Client | Kind::Producer)
        && matches!(child.kind, Kind::Server | Kind::Consumer);
    if caller.service != child.service || across {
        caller.answered = true;
        let key = (minute(child.start), (caller.service.clone(), child.service, NodeKind::Service));
        rows.entry(key).or_default().merge(&child.figures);
    }
}

/// The other end of a call, by what the caller says of it.
fn peer(span: &Span) -> Option<(Text, NodeKind)> {
    let keys = [
        ("db.system.name", NodeKind::Database),
        ("db.system", NodeKind::Database),
        ("messaging.system", NodeKind::Messaging),
        ("peer.service", NodeKind::External),
    ];
    keys.into_iter().find_map(|(key, kind)| match attribute(&span.attributes, key)? {
        Value::Text(name) if !name.is_empty() => Some((name.clone(), kind)),
        _ => None,
    })
}

fn minute(time: u64) -> u64 {
    time - time % MINUTE
}

/// Rows in, edges by name out.
pub(crate) fn merge_edges<'a>(
    query: EdgeQuery,
    rows: impl Iterator<Item = (u64, &'a EdgeKey, &'a Figures)>,
) -> Vec<Edge> {
    let mut edges: std::collections::BTreeMap<&EdgeKey, Figures> = std::collections::BTreeMap::new();
    for (_, key, figures) in rows.filter(|(start, ..)| (minute(query.start)..query.end).contains(start)) {
        edges.entry(key).or_default().merge(figures);
    }
    let edges = edges.into_iter();
    edges
        .map(|((from, to, kind), figures)| Edge { from: from.clone(), to: to.clone(), kind: *kind, figures })
        .collect()
}
