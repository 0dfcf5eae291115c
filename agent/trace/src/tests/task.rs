//! What threads read, wrote and opened in, parents out.

use super::*;

#[test]
fn a_chain_of_programs_with_a_thread_per_request() {
    check(
        "0 ask curl 1 10.1
         5 serve nginx 1 20.1
         8 ask upstream 2 20.1
         9 serve python 2 30.3
         20 end python
         21 resume upstream 20.1
         22 end upstream
         25 end nginx
         30 end curl",
        "curl
  nginx wire 1.00
    upstream task 0.99
      python wire 1.00",
    );
}

#[test]
fn a_context_ends_with_its_answer() {
    check(
        "0 serve page 1 20.1
         5 ask inside 2 20.1
         8 end inside
         10 end page
         11 ask outside 3 20.1
         20 end outside",
        "page
  inside task 0.99
outside",
    );
}

#[test]
fn a_worker_of_a_pool_takes_up_the_next_request() {
    check(
        "0 serve first 1:0 20.1
         10 end first
         11 serve second 1:100 20.1
         12 ask call 2 20.1
         20 end call
         30 end second",
        "first
second
  call task 0.99",
    );
}

#[test]
fn other_threads_and_processes_are_not_adopted() {
    check(
        "0 serve page 1 20.1
         5 ask background 2 20.9
         6 ask other 3 21.1
         8 end background
         9 end other
         10 end page",
        "other
page
background",
    );
}

/// A process opens a connection for a request, and one that it made uses it.
#[test]
fn what_another_process_calls_is_not_for_this_one_s_request() {
    check(
        "0 serve page 1 20.1
         1 connect 11 20.1
         2 ask call 11 21.1
         3 end call
         4 end page",
        "call
page",
    );
}

/// The thread slept since it read anything, in a program that does not wait for each request: a timer may have woken it.
#[test]
fn what_an_event_loop_calls_after_a_sleep_may_be_nobody_s() {
    check(
        "0 serve a 1 20.1@0
         1 serve b 2 20.1@1
         2 ask a1 11 20.1@1
         3 end b
         4 ask call 12 20.1@5
         5 end a1
         6 end call
         7 end a",
        "b
  a1 task 0.99
a
call linked",
    );
}

/// What was read before the last sleep has had its turn.
#[test]
fn an_event_loop_works_on_what_it_read_since_it_slept() {
    check(
        "0 serve a 1 20.1@0
         1 serve b 2 20.1@5
         2 ask call 11 20.1@5
         3 end call
         4 end b
         5 end a",
        "b
  call task 0.99
a",
    );
}

#[test]
fn a_loop_works_on_what_it_read_last_and_a_response_brings_the_request_back() {
    check(
        "0 serve a 1 20.1
         1 ask a1 11 20.1
         2 serve b 2 20.1
         3 ask b1 12 20.1
         10 resume a1 20.1
         11 end a1
         12 ask a2 11:50 20.1
         20 resume b1 20.1
         21 end b1
         22 ask b2 12:50 20.1
         30 end a2
         31 end b2
         32 end a
         33 end b",
        "a
  a1 task 0.99
  a2 task 0.97
b
  b1 task 0.97
  b2 task 0.97",
    );
}

#[test]
fn what_follows_the_response_to_a_background_call_is_background() {
    check(
        "0 ask poll 9 20.1
         1 serve a 1 20.1
         2 resume poll 20.1
         3 ask next 9:50 20.1
         4 end poll
         5 end next
         9 end a",
        "poll
a
next",
    );
}

/// The thread waits for what it calls, so what it called before an answer was for that answer.
#[test]
fn pipelined_requests_are_worked_on_in_order() {
    let mut script = String::new();
    for n in 0..40 {
        let (at, offset) = (n * 10, n * 100);
        write!(
            script,
            "{at} serve warm{n} 1:{offset} 20.1\n{} ask call{n} 2:{offset} 20.1\n{} resume call{n} 20.1@{n}
             {} end call{n}\n{} answer warm{n} 20.1@{n}\n{} end warm{n}\n",
            at + 1,
            at + 2,
            at + 3,
            at + 4,
            at + 5
        )
        .expect("a String takes all");
    }
    let mut world = World::new(settings());
    world.run(&script).run(
        "1000 serve a 3:0 20.1@50
         1000 serve b 3:50 20.1@50
         1000 serve c 3:90 20.1@50
         1001 ask a1 2:9000 20.1@50
         1005 resume a1 20.1@51
         1005 end a1
         1006 answer a 20.1@51
         1006 end a
         1006 answer b 20.1@51
         1006 end b
         1007 ask c1 2:9050 20.1@51
         1008 end c1
         1009 end c
         9000000 sweep",
    );
    let spans = world.spans();
    for (call, request) in [("a1", "a"), ("c1", "c")] {
        let parent = spans[call].1.parent.expect("a parent").span_id;
        assert_eq!(parent, spans[request].1.span_id, "{call}");
    }
}

#[test]
fn the_first_request_of_a_connection_belongs_to_whom_it_was_opened_for() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         2 serve b 2 20.1
         3 ask a1 11 20.1
         4 ask b1 11:50 20.1
         5 end a1
         6 end b1
         8 end a
         9 end b",
        "a
  a1 handoff 0.99
b
  b1 task 0.97",
    );
}

#[test]
fn another_thread_may_use_what_a_request_opened() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         3 ask a1 11 20.2
         5 end a1
         8 end a",
        "a
  a1 handoff 0.99",
    );
}

#[test]
fn a_thread_with_one_request_is_stronger_than_who_connected() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         2 serve b 2 20.2
         3 ask b1 11 20.2
         4 end b1
         5 end b
         6 end a",
        "b
  b1 task 0.99
a",
    );
}

#[test]
fn a_connection_of_the_background_is_nobodys() {
    let world = check(
        "0 connect 11 20.1
         1 serve a 1 20.1
         2 serve b 2 20.1
         3 ask ping 11 20.1
         4 end ping
         5 end a
         6 end b",
        "a
b
ping",
    );
    assert_eq!(world.counters().vetoed, 1);
}

#[test]
fn an_answered_opener_hands_nothing_over() {
    check(
        "0 serve a 1 20.1
         1 connect 11 20.1
         2 end a
         3 ask late 11 20.2
         4 end late",
        "a
late",
    );
}

/// An event loop answers requests that overlap; now and then a job of its own calls, after a sleep.
fn jobs(kind: &str) -> String {
    let turn = |number: u32| {
        let (at, rests) = (number * 100, number * 10);
        let (job, offset) = (number + 100, number * 10);
        format!(
            "{at} serve a{number} 1:{offset} 20.1@{rests}\n{} serve b{number} 2:{offset} 20.1@{}\n\
             {} end a{number}\n{} end b{number}\n{} ask job{number} {job} 20.1@{} {kind}\n{} end job{number}\n",
            at + 1,
            rests + 1,
            at + 2,
            at + 3,
            at + 4,
            rests + 5,
            at + 5,
        )
    };
    let last =
        "3000 serve page 1:900 20.1@900\n3001 ask call 500 20.1@900 shape=7\n3002 end call\n3003 end page";
    (0..20).map(turn).collect::<String>() + last
}

#[test]
fn what_a_program_does_of_its_own_accord_is_not_adopted_by_chance() {
    let mut world = World::new(settings());
    world.run(&jobs("shape=7")).run("9000000 sweep");
    let spans = world.spans();
    assert_eq!(spans["call"].1.parent.map(|parent| parent.method.name()), None);
    assert_eq!(spans["call"].1.links.len(), 1, "it is said all the same");
}

#[test]
fn calls_of_another_kind_are_believed() {
    let mut world = World::new(settings());
    world.run(&jobs("shape=8")).run("9000000 sweep");
    assert!(world.spans()["call"].1.parent.is_some());
}

/// Where answers come behind a sleep, the one request that is open seems to be what a thread works on then: also when a timer fires.
#[test]
fn nor_is_what_its_timers_do() {
    let turn = |at: u64| {
        format!(
            "{at} serve page{at} 1:{at} 20.1@{at}
             {} ask timer{at} 5:{at} 20.1@{} shape=7
             {} end timer{at}
             {} answer page{at} 20.1@{}
             {} end page{at}\n",
            at + 1,
            at + 1,
            at + 2,
            at + 3,
            at + 3,
            at + 4
        )
    };
    let turns: String = (0..40).map(|number| turn(100 + number * 10)).collect();
    let mut world = World::new(settings());
    world.run(&format!(
        "0 serve first 1 20.1\n1 serve second 2 20.1\n2 answer first 20.1\n2 end first\n3 end second\n{turns}
         1000 serve page 1:1000 20.1@1000
         1001 ask call 3 20.1@1000 shape=7
         1002 end call
         1003 end page
         9000000 sweep"
    ));
    assert_eq!(world.spans()["call"].1.parent.map(|parent| parent.method.name()), None);
}
