//! Spans in, whole traces and parts of traces out, within the bounds.

use super::*;

#[test]
fn nothing_refers_to_what_was_withdrawn() {
    check(
        "0 ask guess 1 10.1
         1 serve s 1 20.1
         2 ask call 2 20.1
         3 withdraw guess
         5 end call
         8 end s",
        "s
  call task 0.99",
    );
    check(
        "0 serve guess 1 20.1
         1 ask call 2 20.1
         2 withdraw guess
         3 ask next 3 20.1
         5 end call
         8 end next",
        "call\nnext",
    );
    check(
        "0 ask guess 1 10.1 trace=a1/b1
         1 serve s 1 20.1 trace=a1/b1
         3 withdraw guess
         8 end s",
        "s header remote 1.00",
    );
}

#[test]
fn a_reused_context_does_not_gather_the_world() {
    let mut world = World::new(Settings { max_trace_spans: 100, ..settings() });
    world.run("0 serve a 1 20.1");
    for call in 1..=1000 {
        world.run(&format!("{call} ask c{call} 2:{call} 20.1\n {call} end c{call}"));
    }
    world.run("2000 end a\n 9000000 sweep");
    let whole = world.spans()["a"].0;
    let in_it =
        world.out.iter().filter(|trace| trace.id == whole).map(|trace| trace.spans.len()).sum::<usize>();
    assert_eq!((in_it, world.counters().split), (100, 901));
    let (_, last) = world.spans()["c1000"];
    assert_eq!(last.links[0].trace_id, whole);
    assert_eq!(world.counters().spans, 1001);
}

#[test]
fn what_ends_late_comes_in_another_part() {
    let world = check(
        "0 serve a 1 20.1
         1 ask call 2 20.1
         2 end call
         2000001 sweep
         2000002 sweep
         3000000 ask late 3 20.1
         3000001 end late
         3000002 end a",
        "a
  call task 0.99
  late task 0.99",
    );
    let parts: Vec<_> = world.out.iter().map(|trace| trace.spans.len()).collect();
    assert_eq!(parts, [1, 2]);
}

#[test]
fn a_trace_waits_for_stragglers_and_no_longer() {
    let mut world = World::new(settings());
    world.run("0 serve a 1 20.1\n 10 end a\n 20009 sweep");
    assert!(world.out.is_empty());
    world.run("20010 sweep");
    assert_eq!((world.out.len(), world.traces.held()), (1, 0));
}

#[test]
fn where_many_traces_wait_for_stragglers_they_wait_a_tenth_of_the_time() {
    let mut world = World::new(settings());
    for request in 0..200 {
        world.run(&format!("{request} serve s{request} 1:{request} 20.1\n {request} end s{request}"));
    }
    world.run("2060 sweep");
    assert_eq!(world.traces.held(), 139, "those that ended 2,000 before");
    world.run("2199 sweep");
    assert_eq!(world.traces.held(), 128, "no crowd any more");
    world.run("20198 sweep");
    assert_eq!(world.traces.held(), 1);
}

#[test]
fn parents_come_before_children() {
    let world = check(
        "0 ask curl 1 10.1
         0 serve nginx 1 20.1
         0 ask upstream 2 20.1
         0 serve python 2 30.3
         9 end python
         9 end upstream
         9 end nginx
         9 end curl",
        "curl
  nginx wire 1.00
    upstream task 0.99
      python wire 1.00",
    );
    let order: Vec<_> = world.out[0].spans.iter().map(|span| span.span.name.as_str()).collect();
    assert_eq!(order, ["curl", "nginx", "upstream", "python"]);
}

#[test]
fn a_full_table_gives_early_and_turns_away_nothing_finished() {
    let mut world = World::new(Settings { max_spans: 2, ..settings() });
    world.run("0 ask a 1 10.1\n 1 end a\n 2 ask b 2 10.1\n 3 ask c 3 10.1");
    assert_eq!((world.out.len(), world.counters().hurried), (1, 1));
    world.run("4 ask d 4 10.1\n 5 end d\n 6 end c\n 7 end b\n 9000000 sweep");
    assert_eq!((world.counters().untracked, world.counters().unannounced, world.counters().spans), (1, 1, 4));
}

#[test]
fn full_tables_of_evidence_are_counted() {
    let mut world = World::new(Settings { max_threads: 1, max_connects: 1, ..settings() });
    world.run("0 serve a 1 20.1\n 1 serve b 2 20.2\n 2 connect 3 20.1\n 3 connect 4 20.1\n 4 ask c 3 20.9");
    assert_eq!((world.counters().threads_full, world.counters().connects_full), (1, 1));
    world.run("5 end c\n 6 end b\n 7 end a\n 9000000 sweep");
    assert_eq!(world.counters().roots, 3);
}

#[test]
fn a_flush_gives_what_is_finished_and_refers_to_nothing_open() {
    let mut world = World::new(settings());
    world.run("0 serve open 1 20.1\n 1 ask call 2 20.1\n 2 end call");
    let World { traces, out, .. } = &mut world;
    traces.flush(out);
    assert_eq!(world.trees(), "call\n");
    assert_eq!((world.counters().unfinished, world.traces.held()), (1, 0));
}
