//! Goroutines and async tasks that adapters told, parents out.

use super::*;

/// By their thread, the second call would be b's.
#[test]
fn a_task_s_call_is_for_the_request_that_it_read() {
    check(
        "0 serve a 1 20.1#5
         1 serve b 2 20.1#6
         2 ask b1 11 20.1#6
         3 ask a1 12 20.2#5
         4 ask a2 13 20.1#5
         9 end b1
         9 end a1
         9 end a2
         10 answer a 20.1#5
         10 end a
         11 end b",
        "a
  a1 task 1.00
  a2 task 1.00
b
  b1 task 1.00",
    );
}

#[test]
fn a_task_that_has_answered_works_for_itself() {
    let world = check(
        "0 serve a 1:0 20.1#5
         1 end a
         2 serve b 2 20.1#6
         3 ask late 11 20.1#5
         4 end late
         5 serve c 1:90 20.1#5
         6 ask c1 12 20.1#5
         7 end c1
         8 end b
         9 end c",
        "a
late
b
c
  c1 task 1.00",
    );
    assert_eq!(world.counters().vetoed, 1, "its thread had b");
}

/// The task of a pooled connection: what its thread had read is still the best that is known.
#[test]
fn a_task_that_reads_no_requests_writes_for_others() {
    check(
        "0 serve a 1 20.1#5
         1 ask a1 11 20.1#9
         2 end a1
         3 end a",
        "a
  a1 task 0.99",
    );
}

#[test]
fn a_started_task_s_first_call_is_for_its_starter_s_request() {
    check(
        "0 serve a 1 20.1#5
         1 serve b 2 20.2#6
         2 ask a1 11 20.2#8<5
         3 end a1
         4 end a
         5 end b",
        "a
  a1 task 0.99
b",
    );
}

/// The second is started by the first, which has not read anything.
#[test]
fn what_a_started_task_starts_is_for_the_same_request() {
    check(
        "0 serve a 1 20.1#5
         1 serve b 2 20.2#6
         2 ask a1 11 20.2#8<5
         3 ask a2 12 20.2#9<8
         4 end a1
         4 end a2
         5 end a
         6 end b",
        "a
  a1 task 0.99
  a2 task 0.99
b",
    );
}

/// A worker that was started for the first request and stays.
#[test]
fn a_started_task_does_not_outlive_its_request() {
    check(
        "0 serve a 1:0 20.1#5
         1 ask a1 11:0 20.2#8<5
         2 end a1
         3 end a
         4 serve b 1:90 20.1#5
         5 ask other 11:90 20.2#8<5
         6 end other
         7 end b",
        "a
  a1 task 0.99
b
other",
    );
}

/// It was started for `a`, which is still worked on, and has become a worker: its thread has `b`.
#[test]
fn a_started_task_s_later_calls_may_be_for_others() {
    check(
        "0 serve a 1 20.1#5
         1 ask a1 11:0 20.2#8<5
         2 end a1
         3 serve b 2 20.2#6
         4 ask b1 11:90 20.2#8<5
         5 end b1
         6 end b
         7 end a",
        "b
  b1 task 0.99
a
  a1 task 0.99",
    );
}

#[test]
fn a_task_first_seen_between_two_requests_belongs_to_neither() {
    check(
        "0 serve a 1:0 20.1#5
         1 end a
         2 ask other 11:0 20.2#8<5
         3 serve b 1:90 20.1#5
         4 ask more 11:90 20.2#8<5
         5 end other
         6 end more
         7 end b",
        "a
other
b
more",
    );
}

/// Go's server reads the first byte of the next request in a goroutine of its own.
#[test]
fn a_helper_reads_for_the_task_that_serves() {
    check(
        "0 serve a 1:0 20.1#5
         1 end a
         2 serve b 1:90 20.2#8<5
         3 ask b1 11 20.3#5
         4 end b1
         5 end b",
        "a
b
  b1 task 1.00",
    );
}

/// Requests are read in one task and answered in another: who reads does not work on them.
#[test]
fn a_process_whose_tasks_hand_requests_on_is_not_taken_at_their_word() {
    let mut world = World::new(settings());
    for n in 0..10 {
        let at = n * 10;
        let (read, answered) = (at + 1, at + 5);
        world.run(&format!(
            "{read} serve a{n} 1:{at} 20.1#5\n{answered} answer a{n} 20.2#6\n{answered} end a{n}"
        ));
    }
    world.run("200 serve b 1:900 20.1#5\n201 ask call 11 20.3#5\n202 end call\n203 end b\n9000000 sweep");
    assert!(world.spans()["call"].1.parent.is_none());
}

/// hyper holds answers back while it works on the requests behind.
#[test]
fn answers_that_are_held_back_make_the_request_in_work_unsure() {
    let mut world = World::new(settings());
    world.run(
        "0 serve a 1:0 20.1#5
         0 serve b 1:50 20.1#5
         1 answer a 20.1#5
         1 end a
         1 answer b 20.1#5
         1 end b
         10 serve c 1:90 20.1#5
         10 serve d 1:95 20.1#5
         11 ask c1 11 20.1#9
         12 resume c1 20.1#9
         12 end c1
         13 ask d1 11:50 20.1#9
         14 end d1
         15 answer c 20.1#5
         15 end c
         15 answer d 20.1#5
         15 end d
         20 serve e 1:99 20.1#5
         21 ask e1 11:99 20.1#9
         22 end e1
         23 end e
         9000000 sweep",
    );
    let spans = world.spans();
    assert!(spans["c1"].1.parent.is_none() && spans["d1"].1.parent.is_none());
    assert_eq!(spans["e1"].1.parent.unwrap().span_id, spans["e"].1.span_id);
}

/// A background job that drives its own connection, on a thread that serves requests.
#[test]
fn a_task_that_mostly_calls_without_a_cause_has_none() {
    check(
        "0 ask job 11:0 20.1#3
         1 resume job 20.1#3
         1 end job
         1 ask more 11:20 20.1#3
         2 resume more 20.1#3
         2 end more
         2 serve a 1 20.1#5
         3 ask again 11:50 20.1#3
         4 resume again 20.1#3
         4 end again
         5 answer a 20.1#5
         5 end a",
        "job
more
again linked
a",
    );
}
