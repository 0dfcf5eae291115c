//! What every store does: one test, run against each.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use std::time::{Duration, Instant};

use common::{BEGIN, MS, SPANS, trace, trace_id};
use wirespan_store::{
    EdgeQuery, Embedded, Field, Filter, Hit, Kind, Memory, NodeKind, Op, Operand, Owner, RedQuery, Search,
    Settings, Sort, Span, StatusCode, Store, TraceId,
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
}

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
