//! Comes in: the truth and the spans. Goes out: what was linked rightly, wrongly and not at all, by method, and how often
//! a stated confidence was right. Refuses: I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    join::{Joined, join},
    truth::{Cause, Id, Side, World},
};
use crate::span::Span;

/// Lower ends of the bins of stated confidence.
pub const BINS: [f64; 8] = [0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0];

/// Links of one sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// That the truth has.
    pub expected: usize,
    /// With the right parent.
    pub right: usize,
    /// With a wrong parent.
    pub wrong: usize,
    /// Seen, without a parent.
    pub orphans: usize,
    /// No span was printed of the child.
    pub unseen: usize,
}

/// Links that one method made, by stated confidence, in the order of [`BINS`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Made(pub [Bin; BINS.len()]);

/// Links of one range of stated confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Links in it.
    pub links: usize,
    /// Of those with the true parent.
    pub right: usize,
    /// Sum of what was stated.
    pub stated: f64,
}

/// The verdict on a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Calls made while their cause was answered.
    pub calls: Links,
    /// Calls made after their cause was answered.
    pub after: Links,
    /// Requests received: the parent is the client's end.
    pub wire: Links,
    /// Calls of background jobs.
    pub background: usize,
    /// Of those with a parent.
    pub adopted: usize,
    /// Requests of the load.
    pub traces: usize,
    /// Of those whose whole trace is right, nothing missing and nothing foreign in it.
    pub exact: usize,
    /// Printed traces that hold what belongs to several requests.
    pub merged: usize,
    /// What each method made of calls; `wire` of requests received.
    pub methods: BTreeMap<String, Made>,
}

impl Made {
    /// With the true parent.
    #[must_use]
    pub fn right(&self) -> usize {
        self.0.iter().map(|bin| bin.right).sum()
    }

    /// With another request's, or where none is due.
    #[must_use]
    pub fn wrong(&self) -> usize {
        self.0.iter().map(|bin| bin.links - bin.right).sum()
    }
}

impl Links {
    /// Right among those with a parent, 0 to 1; 1 where there are none.
    #[must_use]
    pub fn precision(&self) -> f64 {
        ratio(self.right, self.right + self.wrong)
    }

    /// Right among those that the truth has, 0 to 1; 1 where there are none.
    #[must_use]
    pub fn recall(&self) -> f64 {
        ratio(self.right, self.expected)
    }

    fn count(&mut self, verdict: Verdict) {
        self.expected += 1;
        *match verdict {
            Verdict::Right => &mut self.right,
            Verdict::Wrong => &mut self.wrong,
            Verdict::Orphan => &mut self.orphans,
            Verdict::Unseen => &mut self.unseen,
        } += 1;
    }
}

impl Score {
    /// Right among the calls that have a parent, adopted ones and those after the answer included.
    #[must_use]
    pub fn precision(&self) -> f64 {
        let right = self.calls.right + self.after.right;
        ratio(right, right + self.calls.wrong + self.after.wrong + self.adopted)
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        for (own, more) in
            [(&mut self.calls, &other.calls), (&mut self.after, &other.after), (&mut self.wire, &other.wire)]
        {
            own.add(more);
        }
        self.background += other.background;
        self.adopted += other.adopted;
        self.traces += other.traces;
        self.exact += other.exact;
        self.merged += other.merged;
        for (method, made) in &other.methods {
            let own = self.methods.entry(method.clone()).or_default();
            own.0.iter_mut().zip(&made.0).for_each(|(own, more)| own.add(more));
        }
    }
}

impl Bin {
    fn add(&mut self, other: &Self) {
        self.links += other.links;
        self.right += other.right;
        self.stated += other.stated;
    }
}

impl Links {
    const fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.right += other.right;
        self.wrong += other.wrong;
        self.orphans += other.orphans;
        self.unseen += other.unseen;
    }
}

/// A share, 0 to 1; of nothing it is 1.
#[must_use]
pub fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Right,
    Wrong,
    Orphan,
    Unseen,
}

/// Judges every link of the traces that began at `since` (nanoseconds since the UNIX epoch) or later. `roots` are the
/// load's own requests.
#[must_use]
pub fn score(world: &World, spans: &[Span], roots: &[Id], since: u64) -> Score {
    let joined = join(world, spans);
    let mut score = Score::default();
    let began = |id: &Id| world.messages.get(*id).is_some_and(|message| message.time.start >= since);
    let roots: BTreeSet<_> = roots.iter().copied().collect();
    for (id, message) in world.messages.iter().enumerate() {
        // Without a partner: its client was stopped before it could write its line.
        let is_half = message.side == Side::Server && !world.partner.contains_key(&id);
        if is_half || !began(&world.root(id)) {
            continue;
        }
        let verdict = verdict(world, &joined, id);
        match (message.side, message.cause) {
            (Side::Server, _) => score.wire.count(verdict),
            (Side::Client, Cause::During(_)) => score.calls.count(verdict),
            (Side::Client, Cause::After(_)) => score.after.count(verdict),
            (Side::Client, Cause::Nobody) if !roots.contains(&id) => {
                score.background += 1;
                score.adopted += usize::from(verdict == Verdict::Wrong);
            }
            (Side::Client, Cause::Nobody) => {}
        }
        if let Some(span) = joined.spans.get(&id) {
            note_method(&mut score, span, verdict);
        }
    }
    let roots: BTreeSet<_> = roots.into_iter().filter(began).collect();
    traces(world, &joined, &roots, &mut score);
    score
}

/// Links of the truth whose two spans bear different tokens: where each request has one of its own (echo mode), the rig
/// itself is wrong about these.
#[must_use]
pub fn contradictions(world: &World, spans: &[Span]) -> usize {
    let joined = join(world, spans);
    let token = |id: &Id| joined.spans.get(id).and_then(|span| span.path().rsplit('/').next());
    let links = (0..world.messages.len()).filter_map(|id| Some((id, world.parent(id)?)));
    links
        .filter(|(child, parent)| {
            let (child, parent) = (token(child), token(parent));
            child.is_some() && parent.is_some() && child != parent
        })
        .count()
}

fn verdict(world: &World, joined: &Joined<'_>, id: Id) -> Verdict {
    let Some(span) = joined.spans.get(&id) else { return Verdict::Unseen };
    let Some(given) = &span.parent else { return Verdict::Orphan };
    let truth = world.parent(id).and_then(|parent| joined.spans.get(&parent));
    if truth.is_some_and(|truth| truth.id == *given) { Verdict::Right } else { Verdict::Wrong }
}

fn note_method(score: &mut Score, span: &Span, verdict: Verdict) {
    if !matches!(verdict, Verdict::Right | Verdict::Wrong) {
        return;
    }
    let stated = span.confidence().unwrap_or_default();
    // What is printed was a single-precision number: 0.9 may come as 0.89999998.
    let at = BINS.iter().rposition(|bin| stated + 1e-6 >= *bin);
    let made = score.methods.entry(span.method().unwrap_or("unsaid").to_owned()).or_default();
    if let Some(bin) = at.and_then(|at| made.0.get_mut(at)) {
        bin.add(&Bin { links: 1, right: usize::from(verdict == Verdict::Right), stated });
    }
}

/// Whole traces, and traces that were thrown together.
fn traces(world: &World, joined: &Joined<'_>, roots: &BTreeSet<Id>, score: &mut Score) {
    let mut trees: HashMap<Id, Vec<Id>> = HashMap::new();
    let mut printed: HashMap<&str, BTreeSet<Id>> = HashMap::new();
    for id in 0..world.messages.len() {
        let root = world.root(id);
        trees.entry(root).or_default().push(id);
        if let Some(span) = joined.spans.get(&id) {
            printed.entry(&span.trace).or_default().insert(root);
        }
    }
    let is_merged =
        |members: &&BTreeSet<Id>| members.len() > 1 && members.iter().any(|root| roots.contains(root));
    score.merged = printed.values().filter(is_merged).count();
    score.traces = roots.len();
    score.exact = roots
        .iter()
        .filter(|root| {
            let alone = joined.spans.get(root).and_then(|span| printed.get(span.trace.as_str()));
            let members = trees.get(root).map(Vec::as_slice).unwrap_or_default();
            alone.is_some_and(|roots| roots.len() == 1)
                && members.iter().all(|id| is_in_place(world, joined, *id))
        })
        .count();
}

/// The right parent; none where none is due, or where the answer was out before.
fn is_in_place(world: &World, joined: &Joined<'_>, id: Id) -> bool {
    let may_be_root = world.parent(id).is_none()
        || world.messages.get(id).is_some_and(|message| matches!(message.cause, Cause::After(_)));
    match verdict(world, joined, id) {
        Verdict::Right => true,
        Verdict::Orphan => may_be_root,
        Verdict::Wrong | Verdict::Unseen => false,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Result;
    use serde_json::json;

    use super::*;

    const VISITOR: u16 = 5000;
    const SHOP: u16 = 80;
    const BACKEND: u16 = 90;
    const POOL: u16 = 6000;

    fn line(cause: &serde_json::Value, ports: (u16, u16), time: (u64, u64)) -> serde_json::Value {
        let [local, peer] = [ports.0, ports.1].map(|port| format!("127.0.0.1:{port}"));
        json!({"cause": cause, "local": local, "peer": peer, "start": time.0, "end": time.1})
    }

    /// Two requests of a visitor; the shop calls the backend for the first, and once for nobody.
    fn world() -> Result<World> {
        world_where(1)
    }

    /// The same, where the truth says that the call was for this request.
    fn world_where(cause: u64) -> Result<World> {
        let mut world = World::default();
        let null = serde_json::Value::Null;
        let lines =
            |lines: &[serde_json::Value]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let mut served = [line(&null, (SHOP, VISITOR), (11, 18)), line(&null, (SHOP, VISITOR), (31, 38))];
        served[0]["in"] = json!(1);
        served[1]["in"] = json!(2);
        world.process(&lines(&[
            line(&null, (VISITOR, SHOP), (10, 19)),
            line(&null, (VISITOR, SHOP), (30, 39)),
        ]))?;
        let calls = [line(&json!(cause), (POOL, BACKEND), (12, 15)), line(&null, (POOL, BACKEND), (32, 33))];
        world.process(&lines(&[&served[..], &calls[..]].concat()))?;
        world.pair();
        Ok(world)
    }

    /// A span whose parent has the id `parent`, 0 for none, by this method with this confidence.
    fn span(
        id: u64,
        kind: u8,
        ports: (u16, u16),
        time: (u64, u64),
        parent: u64,
        how: (&str, f64),
    ) -> Result<Span> {
        let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
        // An orphan begins a trace, and so does a request of the visitor.
        let trace = match id {
            5 | 6 if parent.is_empty() => id,
            _ if time.0 < 30 => 1,
            _ => 2,
        };
        let line = json!({
            "traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "parentSpanId": parent, "name": "GET", "kind": kind,
            "startTimeUnixNano": time.0.to_string(), "endTimeUnixNano": time.1.to_string(),
            "attributes": {
                "network.local.address": "127.0.0.1", "network.local.port": ports.0,
                "network.peer.address": "127.0.0.1", "network.peer.port": ports.1,
                "url.path": if time.0 < 30 { "/item/one" } else { "/item/other" },
                "wirespan.link.method": how.0, "wirespan.link.confidence": how.1,
            },
            "resource": {},
        });
        Span::parse(&line.to_string())
    }

    /// The visitor's and the shop's spans of both requests, then the two calls with these parents.
    fn spans(calls: [u64; 2]) -> Result<Vec<Span>> {
        let task = ("task", 0.9);
        Ok(vec![
            span(1, 3, (VISITOR, SHOP), (10, 19), 0, ("", 0.0))?,
            span(2, 2, (SHOP, VISITOR), (11, 18), 1, ("wire", 1.0))?,
            span(3, 3, (VISITOR, SHOP), (30, 39), 0, ("", 0.0))?,
            span(4, 2, (SHOP, VISITOR), (31, 38), 3, ("wire", 1.0))?,
            span(5, 3, (POOL, BACKEND), (12, 15), calls[0], task)?,
            span(6, 3, (POOL, BACKEND), (32, 33), calls[1], task)?,
        ])
    }

    fn judged(calls: [u64; 2]) -> Result<Score> {
        Ok(score(&world()?, &spans(calls)?, &[0, 1], 0))
    }

    #[test]
    fn all_is_right() -> Result<()> {
        let score = judged([2, 0])?;
        assert_eq!((score.calls.right, score.calls.expected, score.wire.right), (1, 1, 2));
        assert_eq!(
            (score.background, score.adopted, score.traces, score.exact, score.merged),
            (1, 0, 2, 2, 0)
        );
        assert_eq!((score.precision(), score.calls.recall()), (1.0, 1.0));
        assert_eq!((score.methods["task"].right(), score.methods["task"].wrong()), (1, 0));
        Ok(())
    }

    #[test]
    fn a_wrong_parent_is_wrong_and_an_orphan_is_none() -> Result<()> {
        let wrong = judged([4, 0])?;
        assert_eq!((wrong.calls.wrong, wrong.calls.orphans, wrong.precision()), (1, 0, 0.0));
        assert_eq!(wrong.methods["task"].0[4], Bin { links: 1, right: 0, stated: 0.9 });
        let orphan = judged([0, 0])?;
        assert_eq!((orphan.calls.wrong, orphan.calls.orphans, orphan.calls.recall()), (0, 1, 0.0));
        assert_eq!(orphan.exact, 1, "the second request has no call");
        Ok(())
    }

    #[test]
    fn a_background_call_with_a_parent_is_adopted() -> Result<()> {
        let score = judged([2, 4])?;
        assert_eq!((score.adopted, score.background, score.precision()), (1, 1, 0.5));
        assert_eq!((score.merged, score.exact), (1, 1));
        Ok(())
    }

    #[test]
    fn a_lost_span_is_unseen() -> Result<()> {
        let mut spans = spans([2, 0])?;
        spans.remove(4);
        let score = score(&world()?, &spans, &[0, 1], 0);
        assert_eq!((score.calls.unseen, score.calls.right, score.exact), (1, 0, 1));
        Ok(())
    }

    #[test]
    fn what_began_before_is_not_scored() -> Result<()> {
        let score = score(&world()?, &spans([2, 4])?, &[0, 1], 20);
        assert_eq!((score.calls.expected, score.wire.expected, score.adopted), (0, 1, 1));
        assert_eq!((score.traces, score.merged, score.exact), (1, 1, 0));
        Ok(())
    }

    #[test]
    fn tokens_contradict_a_false_truth() -> Result<()> {
        let spans = spans([2, 0])?;
        assert_eq!(contradictions(&world()?, &spans), 0);
        assert_eq!(contradictions(&world_where(2)?, &spans), 1);
        Ok(())
    }
}
