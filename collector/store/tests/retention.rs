//! What is too old or too much is forgotten, in whole blocks, the oldest first; what is not, stays.

mod common;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{SPANS, trace, trace_id};
use wirespan_store::{Attribute, EdgeQuery, Embedded, Settings, Span, Store, Value};

/// Spans of a block.
const BLOCK: usize = 400;
/// Traces that fill a block.
const TRACES: u64 = BLOCK as u64 / SPANS;
/// SQLite's log takes some 17 MiB of it.
const BUDGET: u64 = 40 << 20;
const HOUR: Duration = Duration::from_secs(3600);

/// Text that does not compress well: hex digits of numbers that look random.
fn noise(seed: u64) -> String {
    let mut state = seed | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    std::iter::repeat_with(next).take(256).map(|number| format!("{number:012x}")).collect()
}

/// Traces that fill a block, the `n`th: some 600 KiB.
fn block(n: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = (n * TRACES..(n + 1) * TRACES).flat_map(trace).collect();
    for (at, span) in spans.iter_mut().enumerate() {
        let value = Value::from(&*noise(n * 1_000_003 + at as u64));
        span.attributes.push(Attribute { key: "zzz.noise".into(), value });
    }
    spans
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_budget_is_kept_and_the_oldest_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        block_spans: BLOCK,
        bytes: Some(BUDGET),
        age: None,
        ..Settings::new(directory.path().join("data"))
    };
    let store = Embedded::open(settings).unwrap();
    let mut most = 0;
    let blocks = 90;
    for n in 0..blocks {
        store.append(block(n)).unwrap();
        most = most.max(store.figure().unwrap().bytes);
    }
    until("the last block to be sealed", || store.figure().unwrap().unsealed < BLOCK as u64);
    let figure = store.figure().unwrap();
    assert!(figure.forgotten > 0 && figure.blocks > 5, "{figure:?}");
    assert!(most <= BUDGET + (1 << 20), "{most} bytes with a budget of {BUDGET}");
    assert_eq!(figure.spans + figure.forgotten, blocks * BLOCK as u64);
    let newest = blocks * TRACES - 1;
    assert_eq!(store.trace(trace_id(newest)).unwrap().len() as u64, SPANS);
    assert!(store.trace(trace_id(0)).unwrap().is_empty());
    let files = || std::fs::read_dir(directory.path().join("data/blocks")).unwrap().count() as u64;
    until("the files of what was forgotten to go", || files() == store.figure().unwrap().blocks);
}

#[test]
fn what_is_too_old_is_forgotten_with_its_figures() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        block_spans: BLOCK,
        bytes: None,
        age: Some(HOUR),
        ..Settings::new(directory.path().join("data"))
    };
    let store = Embedded::open(settings).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let begun = |n: u64, ago: Duration, service: &str| {
        let mut spans = block(n);
        let first = spans.iter().map(|span| span.start).min().unwrap();
        for span in &mut spans {
            span.start = span.start - first + now - ago.as_nanos() as u64;
            span.resource = wirespan_store::Resource::new(vec![Attribute {
                key: "service.name".into(),
                value: Value::from(service),
            }])
            .into();
        }
        spans
    };
    store.append(begun(0, 3 * HOUR, "old")).unwrap();
    store.append(begun(1, HOUR / 60, "new")).unwrap();
    until("the old block to be forgotten", || store.figure().unwrap().forgotten == BLOCK as u64);
    assert!(store.trace(trace_id(0)).unwrap().is_empty());
    assert_eq!(store.trace(trace_id(TRACES)).unwrap().len() as u64, SPANS);
    let services: Vec<_> =
        store.catalogue().unwrap().services().into_iter().map(|service| service.name).collect();
    assert_eq!(services, ["new"]);
    let edges = store.edges(EdgeQuery { start: 0, end: now - 2 * HOUR.as_nanos() as u64 }).unwrap();
    assert_eq!(edges, []);
}
