//! What every store does: one test, run against each.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use common::{BEGIN, MS, SPANS, trace, trace_id};
use wirespan_store::{
    Arrival, Attribute, Call, EdgeQuery, Embedded, Field, Fields, Filter, Hit, Join, Kind, Memory, NodeKind,
    Op, Operand, Owner, RedQuery, Scalar, Search, Settings, Sort, Span, SpanId, StatusCode, Store, TraceId,
    Value,
};

/// More than four blocks of [`BLOCK`] spans and a rest.
const TRACES: u64 = 120;
const BLOCK: usize = 100;

fn fill(store: &dyn Store) {
    // Ten traces a batch; children before parents in every other, a trace's last span in the next batch in every third.
    let mut late: Vec<Span> = Vec::new();
    for first in (0..TRACES).step_by(10) {
        let mut batch = std::mem::take(&mut late);
        for n in first..first + 10 {
            let mut spans = trace(n);
            if n % 2 == 0 {
                spans.reverse();
            }
            if n % 3 == 0 {
                late.extend(spans.pop());
            }
            batch.extend(spans);
        }
        store.append(batch).unwrap();
    }
    store.append(late).unwrap();
}

fn embedded(directory: &tempfile::TempDir) -> Embedded {
    let settings = Settings { block_spans: BLOCK, age: None, ..Settings::new(directory.path().join("data")) };
    Embedded::open(settings).unwrap()
}

/// Waits until all that can be is in blocks.
fn settle(store: &dyn Store) {
    let until = Instant::now() + Duration::from_secs(20);
    while store.figure().unwrap().unsealed >= BLOCK as u64 {
        assert!(Instant::now() < until, "nothing is sealed: {:?}", store.figure());
        std::thread::yield_now();
    }
}

#[test]
fn memory_keeps_the_contract() {
    let store = Memory::new(TRACES as usize * SPANS as usize);
    fill(&store);
    contract(&store);
}

#[test]
fn embedded_keeps_the_contract_before_and_after_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = embedded(&directory);
    fill(&store);
    contract(&store);
    settle(&store);
    assert!(store.figure().unwrap().blocks >= 2, "{:?}", store.figure());
    contract(&store);
    drop(store);
    let again = embedded(&directory);
    settle(&again);
    contract(&again);
}

fn contract(store: &dyn Store) {
    traces(store);
    searches(store);
    orders_and_pages(store);
    names(store);
    red(store);
    edges(store);
    scans(store);
    assert_eq!(store.figure().unwrap().spans, TRACES * SPANS);
    assert_eq!(store.recent(7).unwrap().len(), 7);
}

fn traces(store: &dyn Store) {
    for n in [0, 3, 57, TRACES - 1] {
        assert_eq!(store.trace(trace_id(n)).unwrap(), trace(n), "trace {n}");
        let outline: Vec<_> = trace(n).iter().map(Hit::of).collect();
        assert_eq!(store.outline(trace_id(n)).unwrap(), outline);
    }
    assert_eq!(store.trace(TraceId([9; 16])).unwrap(), []);
}

fn numbers(store: &dyn Store, search: &Search) -> Vec<u64> {
    let found = store.search(search).unwrap();
    found.hits.iter().map(|hit| (hit.start - BEGIN) / (1000 * MS)).collect()
}

fn attribute(owner: Owner, key: &str, op: Op, operand: Operand) -> Filter {
    Filter::Compare(Field::Attribute(owner, key.into()), op, operand)
}

/// Conditions that hold for the root of every tenth trace, and only there.
fn tenths() -> Vec<Filter> {
    use Field::{EventName, Name, Status, StatusMessage};
    let text = |text: &str| Operand::Text(text.into());
    let pattern = |pattern: &str| Operand::Pattern(regex::Regex::new(pattern).unwrap());
    vec![
        Filter::Compare(Status, Op::Eq, Operand::Status(StatusCode::Error)),
        Filter::Compare(StatusMessage, Op::Eq, text("it broke")),
        Filter::Compare(EventName, Op::Eq, text("exception")),
        attribute(Owner::Span, "http.response.status_code", Op::Ge, Operand::Int(500)),
        attribute(Owner::Any, "http.response.status_code", Op::Eq, Operand::Written("500".into())),
        attribute(Owner::Span, "url.path", Op::Eq, pattern("^/cart/[0-9]*0$")),
        attribute(Owner::Event, "exception.type", Op::Eq, text("Broken")),
        Filter::And(vec![
            attribute(Owner::Any, "host.name", Op::Eq, text("shop-1")),
            Filter::Compare(Name, Op::Eq, text("GET /cart/{id}")),
            Filter::Not(Box::new(Filter::Compare(Status, Op::Ne, Operand::Status(StatusCode::Error)))),
        ]),
    ]
}

fn searches(store: &dyn Store) {
    let newest: Vec<u64> = (0..TRACES).rev().filter(|n| n % 10 == 0).collect();
    for filter in tenths() {
        assert_eq!(numbers(store, &Search::new(filter.clone(), 1000)), newest, "{filter:?}");
    }
    let count = |filter: Filter| {
        store.search(&Search { count: true, ..Search::new(filter, 1) }).unwrap().count.unwrap()
    };
    assert_eq!(count(Filter::All), TRACES * SPANS);
    assert_eq!(count(attribute(Owner::Span, "server.port", Op::Eq, Operand::Text("5432".into()))), TRACES);
    assert_eq!(count(attribute(Owner::Any, "tags", Op::Eq, Operand::Int(42))), 1);
    assert_eq!(count(attribute(Owner::Any, "user.vip", Op::Eq, Operand::Bool(true))), TRACES / 2);
    assert_eq!(count(attribute(Owner::Span, "wirespan.load", Op::Lt, Operand::Int(1))), 4);
    assert_eq!(count(Filter::Exists(Field::ParentId)), TRACES * (SPANS - 1));
    assert_eq!(count(Filter::Compare(Field::Service, Op::Eq, Operand::Text("cart".into()))), TRACES * 2);
    assert_eq!(count(Filter::Compare(Field::Service, Op::Eq, Operand::Text("nobody".into()))), 0);
    for (found, owner, key, written) in WRITTEN {
        let filter = attribute(owner, key, Op::Eq, Operand::Written(written.into()));
        let both = Filter::Or(vec![Filter::Exists(Field::Attribute(Owner::Any, "no.such".into())), filter]);
        assert_eq!(count(both), found * TRACES, "{owner:?} {key} {written}");
    }
    assert_eq!(count(attribute(Owner::Any, "no.such", Op::Ne, Operand::Int(1))), 0);
}

/// How many spans of a trace have such an attribute.
const WRITTEN: [(u64, Owner, &str, &str); 8] = [
    (0, Owner::Any, "http.request.method", "PUT"),
    (1, Owner::Any, "http.request.method", "GET"),
    (0, Owner::Any, "host.name", "shop"),
    (SPANS, Owner::Any, "host.name", "shop-1"),
    (2, Owner::Resource, "service.name", "web"),
    (0, Owner::Span, "service.name", "web"),
    (1, Owner::Any, "server.port", "5432"),
    (1, Owner::Any, "tags", "a"),
];

fn orders_and_pages(store: &dyn Store) {
    let roots = Filter::Not(Box::new(Filter::Exists(Field::ParentId)));
    let page = |sort, limit, offset| Search { sort, offset, ..Search::new(roots.clone(), limit) };
    assert_eq!(numbers(store, &page(Sort::Newest, 3, 2)), [TRACES - 3, TRACES - 4, TRACES - 5]);
    assert_eq!(numbers(store, &page(Sort::Oldest, 3, 0)), [0, 1, 2]);
    assert_eq!(
        numbers(store, &page(Sort::Longest, 2, 0)).iter().map(|n| n % 50).collect::<Vec<_>>(),
        [49, 49]
    );
    assert_eq!(
        numbers(store, &page(Sort::Shortest, 3, 0)).iter().map(|n| n % 50).collect::<Vec<_>>(),
        [0, 0, 0]
    );
    let last = store.search(&page(Sort::Newest, 10, TRACES as usize - 5)).unwrap();
    assert_eq!((last.hits.len(), last.more), (5, false));
    let some = Search { start: BEGIN + 5000 * MS, end: BEGIN + 8000 * MS, ..page(Sort::Oldest, 100, 0) };
    assert_eq!(numbers(store, &some), [5, 6, 7]);
    let each = Search { per_trace: true, limit: 4, ..Search::new(Filter::All, 4) };
    assert_eq!(numbers(store, &each), [TRACES - 1, TRACES - 2, TRACES - 3, TRACES - 4]);
}

fn scans(store: &dyn Store) {
    let counted = |start, end, most: u64| {
        let (mut spans, mut carts) = (0, 0);
        let mut each = |span: &dyn Fields| {
            spans += 1;
            carts += u64::from(span.any(&Field::Service, &mut |name| name == Scalar::Text("cart")));
            if spans == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        store.scan(start, end, &mut each).unwrap();
        (spans, carts)
    };
    assert_eq!(counted(0, u64::MAX, u64::MAX), (TRACES * SPANS, TRACES * SPANS / 2));
    assert_eq!(counted(BEGIN + 5000 * MS, BEGIN + 15_000 * MS, u64::MAX), (10 * SPANS, 10 * SPANS / 2));
    assert_eq!(counted(0, u64::MAX, 7).0, 7);
    assert_eq!(counted(0, BEGIN, u64::MAX), (0, 0));
}

fn names(store: &dyn Store) {
    let catalogue = store.catalogue().unwrap();
    let services: Vec<_> = catalogue
        .services()
        .into_iter()
        .map(|service| (service.name.to_string(), service.spans, service.errors))
        .collect();
    assert_eq!(services, [("cart".to_owned(), TRACES * 2, 0), ("web".to_owned(), TRACES * 2, TRACES / 10)]);
    let operations: Vec<_> = catalogue
        .operations(Some("cart"))
        .into_iter()
        .map(|operation| (operation.name.to_string(), operation.kind, operation.spans))
        .collect();
    assert_eq!(
        operations,
        [
            ("GET /cart/{id}".to_owned(), Kind::Server, TRACES),
            ("SELECT cart".to_owned(), Kind::Client, TRACES)
        ]
    );
}

fn red(store: &dyn Store) {
    let query = RedQuery {
        service: Some("web".into()),
        operation: None,
        kinds: vec![Kind::Server],
        start: BEGIN,
        end: BEGIN + 3_600_000 * MS,
        step: 60_000 * MS,
        by_operation: true,
    };
    let series = store.red(&query).unwrap();
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].operation.as_deref(), Some("GET /cart/{id}"));
    let points: Vec<_> = series[0]
        .points
        .iter()
        .map(|(start, figures)| ((start - BEGIN) / MS, figures.spans, figures.errors, figures.max / MS))
        .collect();
    assert_eq!(points, [(0, 60, 6, 59), (60_000, 60, 6, 59)]);
    let hour = RedQuery { step: 3_600_000 * MS, by_operation: false, ..query };
    let series = store.red(&hour).unwrap();
    let total = &series[0].points[&BEGIN];
    assert_eq!((total.spans, total.errors), (TRACES, TRACES / 10));
    let median = total.quantile(0.5).unwrap() as f64 / MS as f64;
    assert!((29.0..=35.0).contains(&median), "{median} ms");
}

fn edges(store: &dyn Store) {
    let edges = store.edges(EdgeQuery { start: BEGIN, end: BEGIN + 3_600_000 * MS }).unwrap();
    let found: Vec<_> = edges
        .iter()
        .map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.kind, edge.figures.spans))
        .collect();
    assert_eq!(
        found,
        [("cart", "postgresql", NodeKind::Database, TRACES), ("web", "cart", NodeKind::Service, TRACES)]
    );
}

/// Two traces as two agents see one request: `web` calls on one host, `cart` serves on the other. The server's end is the
/// root of its trace.
fn halves(n: u64) -> (Vec<Span>, Vec<Span>, Join) {
    let mut spans = trace(n);
    let mut far = spans.split_off(2);
    let part = TraceId([0xfa, n as u8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    far.iter_mut().for_each(|span| span.trace = part);
    let server = far.first_mut().unwrap();
    let parent = server.parent.take().unwrap();
    let call = Call {
        from: "web".into(),
        to: "cart".into(),
        start: server.start,
        duration: server.duration,
        failed: false,
    };
    let join = Join { trace: part, span: server.id, whole: trace_id(n), parent, call };
    (spans, far, join)
}

/// The halves as one trace: what is added says how the parent is known.
fn joined(n: u64) -> Vec<Span> {
    let mut spans = trace(n);
    spans[2].attributes = vec![
        Attribute { key: "wirespan.link.confidence".into(), value: Value::Float(1.0) },
        Attribute { key: "wirespan.link.method".into(), value: Value::from("wire") },
    ];
    spans
}

fn take(store: &dyn Store, spans: Vec<Span>, joins: Vec<Join>) {
    store.take(Arrival { spans, joins }).unwrap();
}

/// Whichever half comes first, whether the join comes with one of them or later, a late part of the far trace included.
fn joins(store: &dyn Store, settle: impl Fn(&dyn Store)) {
    for n in 0..6 {
        let (near, mut far, join) = halves(n);
        let late = far.pop().unwrap();
        match n {
            0 => {
                take(store, near, vec![]);
                take(store, far, vec![join]);
            }
            1 => {
                take(store, far, vec![]);
                take(store, near, vec![join]);
            }
            _ => {
                take(store, far, vec![]);
                take(store, near, vec![]);
                if n % 2 == 0 {
                    (200 * n..200 * n + 30).for_each(|n| take(store, trace(n), vec![]));
                    settle(store);
                }
                take(store, vec![], vec![join.clone(), join]);
            }
        }
        take(store, vec![late], vec![]);
    }
}

fn are_joined(store: &dyn Store) {
    for n in 0..6 {
        let (_, _, join) = halves(n);
        assert_eq!(store.trace(trace_id(n)).unwrap(), joined(n), "trace {n}");
        assert_eq!(store.trace(join.trace).unwrap(), joined(n), "trace {n} by its other id");
        let outline: Vec<_> = joined(n).iter().map(Hit::of).collect();
        assert_eq!(store.outline(join.trace).unwrap(), outline);
        let path = attribute(Owner::Span, "db.system.name", Op::Eq, Operand::Text("postgresql".into()));
        let at = BEGIN + n * 1000 * MS;
        let search = Search { start: at, end: at + 1000 * MS, per_trace: true, ..Search::new(path, 10) };
        let found: Vec<_> = store.search(&search).unwrap().hits.iter().map(|hit| hit.trace).collect();
        assert_eq!(found, [trace_id(n)]);
    }
    // Each call once, wherever its spans were when they were joined.
    let edges = store.edges(EdgeQuery { start: BEGIN, end: BEGIN + 60_000 * MS }).unwrap();
    let edges: Vec<_> =
        edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.figures.spans)).collect();
    assert_eq!(edges, [("cart", "postgresql", 6), ("web", "cart", 6)]);
}

#[test]
fn memory_joins_traces() {
    let store = Memory::new(10_000);
    joins(&store, |_| {});
    are_joined(&store);
}

#[test]
fn embedded_joins_traces_also_across_blocks_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let store = embedded(&directory);
    joins(&store, settle);
    are_joined(&store);
    drop(store);
    let again = embedded(&directory);
    are_joined(&again);
    (9000..9060).for_each(|n| take(&again, trace(n), vec![]));
    settle(&again);
    are_joined(&again);
}

#[test]
fn three_hosts_are_one_trace() {
    let directory = tempfile::tempdir().unwrap();
    let stores: [Box<dyn Store>; 2] = [Box::new(Memory::new(1000)), Box::new(embedded(&directory))];
    for store in stores {
        let id = |n: u8| TraceId([n; 16]);
        let span = |n: u8, kind| Span {
            trace: id(n),
            id: SpanId([n, kind as u8, 1, 1, 1, 1, 1, 1]),
            kind,
            start: BEGIN + u64::from(n),
            ..Span::default()
        };
        let both = |n| vec![span(n, Kind::Server), span(n, Kind::Client)];
        let join = |part: u8, whole: u8| Join {
            trace: id(part),
            span: span(part, Kind::Server).id,
            whole: id(whole),
            parent: span(whole, Kind::Client).id,
            call: Call::default(),
        };
        // The far pair is joined first, and the circle that a wrong join would make is none.
        take(&*store, [both(1), both(2), both(3)].concat(), vec![join(3, 2)]);
        take(&*store, vec![], vec![join(2, 1)]);
        take(&*store, vec![], vec![join(1, 3)]);
        for n in 1..=3 {
            let spans = store.trace(id(n)).unwrap();
            assert_eq!(spans.len(), 6, "by {n}");
            assert!(spans.iter().all(|span| span.trace == id(1)));
        }
    }
}

/// A sender that missed the acknowledgement sends all once more: nothing counts twice, in memory, in blocks, or after a
/// restart.
#[test]
fn what_is_sent_again_is_kept_once() {
    let store = Memory::new(TRACES as usize * SPANS as usize);
    fill(&store);
    fill(&store);
    contract(&store);
    assert_eq!(store.figure().unwrap().repeated, TRACES * SPANS);

    let directory = tempfile::tempdir().unwrap();
    let store = embedded(&directory);
    fill(&store);
    fill(&store);
    settle(&store);
    fill(&store);
    contract(&store);
    assert_eq!(store.figure().unwrap().repeated, 2 * TRACES * SPANS);
    drop(store);
    let again = embedded(&directory);
    fill(&again);
    contract(&again);
}

/// A span and its repetition in one request, and both parts of a trace that is joined to another.
#[test]
fn what_is_sent_twice_at_once_or_under_another_trace_is_kept_once() {
    let directory = tempfile::tempdir().unwrap();
    let stores: [Box<dyn Store>; 2] = [Box::new(Memory::new(1000)), Box::new(embedded(&directory))];
    for store in stores {
        let (near, far, join) = halves(0);
        take(&*store, [near.clone(), far.clone(), near.clone()].concat(), vec![join.clone()]);
        take(&*store, far, vec![join]);
        take(&*store, near, vec![]);
        assert_eq!(store.trace(trace_id(0)).unwrap(), joined(0));
        let figure = store.figure().unwrap();
        assert_eq!((figure.spans, figure.repeated), (SPANS, SPANS + 2));
    }
}
