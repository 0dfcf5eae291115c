//! Nothing tells for whom a call is but the time at which it is made.

use super::*;

/// Requests before what is tested.
const BEFORE: u64 = 300;

/// When the test begins, µs: nothing of what came before is open or within reach.
const THEN: u64 = 2_000_000;

/// Thread 1 reads and answers, thread 9 calls, once or twice, each some 100 µs behind; several requests are open at most times.
/// Nobody is woken, no thread does both.
fn before() -> String {
    let mut lines: Vec<(u64, String)> = Vec::new();
    let mut at = 0;
    for number in 0..BEFORE {
        // Spread without a pattern, 5 ms apart on average.
        at += 500 + number * number * 7919 % 9000;
        lines.push((at, format!("serve before{number} {} 20.1", 100 + number)));
        let mut read = at;
        for call in 0..1 + number % 2 {
            let (asked, response) = (read + 80 + number % 40, read + 6000 + number * 613 % 9000);
            let name = format!("before{number}.{call}");
            lines.extend([
                (asked, format!("ask {name} {} 20.9", 1000 + number * 2 + call)),
                (response, format!("resume {name} 20.9")),
                (response, format!("end {name}")),
            ]);
            read = response;
        }
        let answer = read + 80 + number * 3 % 40;
        lines.extend([
            (answer, format!("answer before{number} 20.1")),
            (answer, format!("end before{number}")),
        ]);
    }
    lines.sort();
    lines.into_iter().map(|(time, line)| format!("{time} {line}\n")).collect()
}

/// What follows, times in µs from its begin.
fn then(script: &str) -> World {
    let mut world = World::new(settings());
    world.run(&before());
    for line in script.lines().map(str::trim) {
        let (time, rest) = line.split_once(' ').expect("a time");
        world.run(&format!("{} {rest}", THEN + time.parse::<u64>().expect("a number")));
    }
    world.run("9000000 sweep");
    world
}

/// Whose child it is, and how that is known.
fn parent<'a>(world: &'a World, name: &str) -> Option<(&'a str, &'static str)> {
    let parent = world.spans()[name].1.parent?;
    let of = world.out.iter().flat_map(|trace| &trace.spans).find(|span| span.span_id == parent.span_id)?;
    assert!((0.95..1.0).contains(&parent.confidence), "{}", parent.confidence);
    Some((&of.span.name, parent.method.name()))
}

#[test]
fn a_call_is_for_what_was_read_when_such_calls_are_made() {
    let world = then(
        "0 serve early 1 20.1
         9000 serve page 2 20.1
         9100 ask call 3 20.9
         9200 serve late 4 20.1
         12000 end call
         15000 end early
         15000 end page
         15000 end late",
    );
    assert_eq!(parent(&world, "call"), Some(("page", "timing")));
}

/// Thread 9 opens a connection after a sleep, for nobody knows whom; a request is read before it stands.
#[test]
fn what_was_read_since_its_connection_was_opened_is_no_reason() {
    let script = format!(
        "{THEN} connect 3 20.9
         {} serve page 1 20.1
         {} ask call 3 20.9
         {} end call
         {} end page
         9000000 sweep",
        THEN + 20,
        THEN + 100,
        THEN + 9000,
        THEN + 15000
    );
    let parents = [true, false].map(|opener_uses| {
        let mut world = World::new(settings());
        world.run(&before());
        (0..20).for_each(|_| world.traces.habits.of(20).opened(opener_uses));
        parent(world.run(&script), "call").map(|(name, how)| (name.to_owned(), how))
    });
    assert_eq!(parents, [None, Some(("page".to_owned(), "timing"))]);
}

#[test]
fn of_two_at_the_same_time_it_is_for_neither() {
    let world = then(
        "0 serve page 1 20.1
         5 serve other 2 20.1
         100 ask call 3 20.9
         9000 end call
         15000 end page
         15000 end other",
    );
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn a_call_at_another_time_is_for_nobody() {
    let world = then(
        "0 serve page 1 20.1
         3000 ask call 3 20.9
         9000 end call
         15000 end page",
    );
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn the_answer_tells_behind_the_response() {
    let world = then(
        "0 serve page 1 20.1
         5 serve other 2 20.1
         100 ask call 3 20.9
         9000 resume call 20.9
         9000 end call
         9100 answer other 20.1
         9100 end other
         15000 end page",
    );
    assert_eq!(parent(&world, "call"), Some(("other", "timing")));
}

#[test]
fn what_led_to_that_call_is_for_the_same() {
    let world = then(
        "0 serve page 1 20.1
         5 serve other 2 20.1
         100 ask call 3 20.9
         3000 resume call 20.9
         3000 end call
         3100 ask next 4 20.9
         9000 resume next 20.9
         9000 end next
         9100 answer other 20.1
         9100 end other
         15000 end page",
    );
    assert_eq!(parent(&world, "next"), Some(("other", "timing")));
    assert_eq!(parent(&world, "call"), Some(("other", "timing")));
}

#[test]
fn a_response_to_what_was_called_before_the_request_is_no_reason_to_answer_it() {
    let world = then(
        "0 serve page 1 20.1
         5 serve other 2 20.1
         100 ask call 3 20.9
         8000 serve late 5 20.1
         8005 serve later 6 20.1
         8100 ask next 4 20.9
         10000 resume call 20.9
         10000 resume next 20.9
         10000 end call
         10000 end next
         10100 answer late 20.1
         10100 end late
         15000 end page
         15000 end later
         15000 end other",
    );
    assert_eq!(parent(&world, "next"), Some(("late", "timing")));
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn where_too_much_happens_at_once_time_tells_nothing() {
    let crowd: String = (0..200).map(|n| format!("{} serve crowd{n} {}:0 20.1\n", n * 5, 2000 + n)).collect();
    let ends: String = (0..200).map(|n| format!("30000 end crowd{n}\n")).collect();
    let world = then(&format!(
        "{crowd}9000 serve page 2 20.1
         9100 ask call 3 20.9
         12000 end call
         15000 end page\n{}",
        ends.trim_end()
    ));
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn a_process_that_ended_has_taught_the_next_one_nothing() {
    let mut world = World::new(settings());
    world.run(&before());
    world.traces.ended(20);
    world.run(&format!(
        "{THEN} serve page 1 20.1
         {} ask call 3 20.9
         {} end call
         {} end page
         9000000 sweep",
        THEN + 100,
        THEN + 9000,
        THEN + 15000
    ));
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn what_a_thread_may_have_taken_over_is_for_whom_its_time_tells() {
    // Thread 2 reads requests, too. Twice thread 1 was seen to call again for what it had read.
    let reader = "0 serve early 5 20.2@1\n1 end early\n";
    let learned: String = [(1, 100), (2, 200_000)]
        .map(|(n, at)| {
            format!(
                "{at} serve s{n} {n} 20.1@{n}0
                 {0} ask first{n} 1{n} 20.1@{n}0
                 {1} ask second{n} 2{n} 20.1@{n}0
                 {2} end first{n}
                 {3} resume second{n} 20.1@{n}5
                 {3} end second{n}
                 {4} answer s{n} 20.1@{n}5
                 {4} end s{n}\n",
                at + 100,
                at + 50_000,
                at + 60_000,
                at + 100_000,
                at + 100_100,
            )
        })
        .concat();
    let last = "400000 serve page 3 20.1@90
         400100 ask first 13 20.1@90
         450000 serve other 4 20.2@9
         450100 ask call 23 20.1@90
         460000 end first
         460000 end call
         470000 end page
         470000 end other";
    let world = then(&(reader.to_owned() + &learned + last));
    assert_eq!(parent(&world, "call"), Some(("other", "timing")));
}
