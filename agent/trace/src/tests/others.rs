//! Bugs that other tracers had, where no test beside a rule shows its guard. docs/causality.md lists all of them with the
//! names of their tests.

use super::*;

/// Of the calls named `call:REQUEST` those with another parent than REQUEST, and how many have the right one.
fn children(world: &World) -> (Vec<String>, usize) {
    let spans = world.spans();
    let name_of = |id: SpanId| spans.iter().find(|(_, (_, span))| span.span_id == id).map(|(name, _)| *name);
    let (mut wrong, mut right) = (Vec::new(), 0);
    for (name, (_, span)) in &spans {
        let (Some((_, request)), Some(parent)) = (name.split_once(':'), span.parent) else { continue };
        match name_of(parent.span_id) {
            Some(parent) if parent == request => right += 1,
            parent => wrong.push(format!("{name} is under {parent:?}")),
        }
    }
    (wrong, right)
}

/// Ninety-nine calls that a thread makes once its request is answered.
#[test]
fn nothing_is_nested_under_a_request_that_was_answered() {
    let mut world = World::new(settings());
    world.run(
        "0 serve page 1 20.1\n 1 ask call:page 2 20.1\n 2 end call:page\n 3 answer page 20.1\n 4 end page",
    );
    for call in 1..100 {
        world.run(&format!(
            "{} ask later{call} 2:{call} 20.1\n {} end later{call}",
            call * 10,
            call * 10 + 1
        ));
    }
    world.run("9000000 sweep");
    assert_eq!(children(&world), (vec![], 1));
    let spans = world.spans();
    let later = spans.iter().filter(|(name, _)| name.starts_with("later"));
    assert_eq!(later.filter(|(_, (_, span))| span.parent.is_none()).count(), 99);
}

/// One thread reads requests and puts them into a queue; workers call and answer. What a worker did before says nothing of
/// what it does now.
#[test]
fn workers_of_a_java_pool_keep_no_parent() {
    let mut world = World::new(settings());
    for n in 0_u32..60 {
        let (at, worker, connection) = (n * 100, n % 4 + 2, n % 5 + 10);
        // The next request is read before this one is worked on.
        world.run(&format!(
            "{at} serve r{n} {connection}:{at} 20.1@{n}
             {} ask c:r{n} {}:{at} 20.{worker}@{n}
             {} resume c:r{n} 20.{worker}@{}
             {} end c:r{n}
             {} answer r{n} 20.{worker}@{}
             {} end r{n}",
            at + 150,
            worker + 30,
            at + 160,
            n + 1,
            at + 160,
            at + 170,
            n + 1,
            at + 171,
        ));
    }
    world.run("9000000 sweep");
    let (wrong, right) = children(&world);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(right >= 40, "its workers wait for what they call, so their answers tell: {right}");
}

/// A carrier runs whichever virtual thread is ready, and sleeps where none is: the one that calls is rarely the one that it
/// read for last.
#[test]
fn a_carrier_thread_is_not_the_virtual_thread_on_it() {
    let mut world = World::new(settings());
    // Requests overlap, four at a time; the carriers that read, call and answer differ.
    let mut script: Vec<(u32, String)> = Vec::new();
    for n in 0_u32..80 {
        let at = n * 100;
        let carrier = |after: u32| format!("20.{}@{}", (n * 7 + after + n / 3) % 2 + 1, (at + after) / 20);
        let mut line = |after: u32, text: String| script.push((at + after, text));
        line(0, format!("serve r{n} {}:{at} {}", n % 8 + 10, carrier(0)));
        line(230, format!("ask c:r{n} {}:{at} {}", n % 8 + 30, carrier(230)));
        line(335, format!("resume c:r{n} {}", carrier(335)));
        line(335, format!("end c:r{n}"));
        line(350, format!("answer r{n} {}", carrier(351)));
        line(351, format!("end r{n}"));
    }
    script.sort_by_key(|(time, _)| *time);
    for (time, text) in script {
        world.run(&format!("{time} {text}"));
    }
    world.run("9000000 sweep");
    let (wrong, right) = children(&world);
    assert!(wrong.is_empty(), "{right} right, wrong: {wrong:?}");
}

/// Twenty retries over connections that have the same addresses and begin at the same number: all ids differ.
#[test]
fn a_retry_over_the_same_addresses_shares_no_id() {
    let mut world = World::new(settings());
    world.run("0 serve page 1 20.1");
    for attempt in 1..=20 {
        // The connection broke: the next has the same addresses, and begins at the same offset.
        world.run(&format!(
            "{} ask try{attempt} 2:0 20.1\n{} end try{attempt}",
            attempt * 2,
            attempt * 2 + 1
        ));
    }
    world.run("50 end page\n 9000000 sweep");
    let ids: std::collections::HashSet<_> =
        world.out.iter().flat_map(|trace| &trace.spans).map(|span| span.span_id).collect();
    assert_eq!(ids.len(), 21);
}

/// A trace that is full says so: what would be its next span is a root with a link to it, and is counted.
#[test]
fn a_trace_that_reached_its_limit_says_so() {
    let mut world = World::new(Settings { max_trace_spans: 3, ..settings() });
    world.run("0 serve page 1 20.1");
    for call in 1..=5 {
        world.run(&format!("{call} ask c{call} 2:{call} 20.1\n {call} end c{call}"));
    }
    world.run("20 end page\n 9000000 sweep");
    let (spans, page) = (world.spans(), world.spans()["page"].0);
    let roots = ["c3", "c4", "c5"].map(|name| spans[name].1);
    assert!(roots.iter().all(|span| span.parent.is_none() && span.links[0].trace_id == page));
    assert_eq!(world.counters().split, 3);
}
