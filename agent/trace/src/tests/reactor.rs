//! A thread that reads for others, each of which works on one request at a time (puma).

use super::*;

/// Thread 9 has read two requests, which others answer.
const READS: &str =
    "0 serve x 1:0 20.9@0\n1 serve y 2:0 20.9@0\n2 answer x 20.1@0\n3 end x\n4 answer y 20.2@0\n5 end y\n";

fn parent<'a>(world: &'a World, name: &str) -> Option<&'a str> {
    let parent = world.spans()[name].1.parent?.span_id;
    let mut all = world.out.iter().flat_map(|trace| &trace.spans);
    all.find(|span| span.span_id == parent).map(|span| &*span.span.name)
}

/// Thread 3 reads a request itself, sleeps, and calls.
fn slept(before: &str) -> Option<String> {
    let mut world = World::new(settings());
    world
        .run(before)
        .run("100 serve page 3:0 20.3@0\n101 ask call 11 20.3@1\n102 end call\n103 end page\n9000000 sweep");
    parent(&world, "call").map(str::to_owned)
}

#[test]
fn who_works_on_one_request_does_so_after_a_sleep() {
    assert_eq!(slept(READS).as_deref(), Some("page"));
    assert_eq!(slept(&READS.replace("answer x 20.1", "answer x 20.9")), None, "thread 9 serves both");
}

/// Thread 3 has read one request, and the response to a call that seems to be for another, of which links may be wrong.
#[test]
fn several_are_requests_that_a_thread_has_read_itself() {
    let other = "50 serve a 5:0 20.1@5\n51 ask c 12 20.1@5\n52 resume c 20.3@7\n53 serve b 6:0 20.3@7\n\
                 54 answer b 20.3@7\n55 end c\n55 end b\n55 end a\n";
    assert_eq!(slept(&[READS, other].concat()).as_deref(), Some("page"));
}

/// Requests without a pattern, some 3 ms apart. Every fourth is read by thread 9, and all are worked on by threads 10 to 19, which call
/// 100 µs behind, now and then after a sleep, and answer behind the response.
fn before() -> String {
    let mut lines: Vec<(u64, String)> = Vec::new();
    let (mut at, mut free) = (0, [0; 10]);
    for n in 0..1200_u64 {
        at += 300 + n * n * 7919 % 5000;
        let Some(worker) = free.iter().position(|free| *free <= at) else { continue };
        let thread = 10 + worker;
        let (reader, slept) = (if n % 4 == 0 { 9 } else { thread }, u64::from(n % 4 == 1));
        let (before, after) = (2 * n + slept, 2 * n + 1 + slept);
        let (asked, response) = (at + 80 + n % 40, at + 6000 + n * 613 % 9000);
        free[worker] = response + 200;
        lines.extend([
            (at, format!("serve r{n} {}:{n} 20.{reader}@{}", 100 + worker, 2 * n)),
            (asked, format!("ask c{n} {}:{n} 20.{thread}@{before}", 200 + worker)),
            (response, format!("resume c{n} 20.{thread}@{after}")),
            (response, format!("end c{n}")),
            (response + 60, format!("answer r{n} 20.{thread}@{after}")),
            (response + 60, format!("end r{n}")),
        ]);
    }
    lines.sort();
    lines.into_iter().map(|(time, line)| format!("{time} {line}\n")).collect()
}

/// Thread 9 has read the request long before thread 10 calls for it, and another thread has just read another one.
#[test]
fn for_whom_a_worker_calls_its_answer_tells() {
    let mut world = World::new(settings());
    world.run(&before()).run(
        "8000000 serve page 1:0 20.9@9000
         8002500 serve other 2:0 20.11@9000
         8002600 ask call 11:0 20.10@9000
         8009000 resume call 20.10@9001
         8009000 end call
         8009100 answer page 20.10@9001
         8009100 end page
         8019100 answer other 20.11@9001
         8019100 end other
         9990000 sweep",
    );
    assert_eq!(parent(&world, "call"), Some("page"));
}

#[test]
fn who_answers_nothing_is_known_by_what_was_read_just_before() {
    let mut world = World::new(settings());
    world.run(&before()).run(
        "8002500 serve other 2:0 20.11@9000
         8002600 ask call 11:0 20.30@9000
         8009000 end call
         8019100 end other
         9990000 sweep",
    );
    assert_eq!(parent(&world, "call"), Some("other"));
}
