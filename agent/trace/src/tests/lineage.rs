//! Threads made for a request.

use super::*;

#[test]
fn what_a_thread_called_was_for_the_request_that_it_was_made_for() {
    check(
        "0 serve page 1 20.1
         1 born 2 20.1
         2 ask one 2 20.2
         3 end one
         4 ask other 3 20.2
         5 end other
         6 died 20.2
         9 end page",
        "page
  one handoff 0.99
  other handoff 0.99",
    );
}

#[test]
fn so_was_what_its_own_threads_called() {
    check(
        "0 serve page 1 20.1
         1 born 2 20.1
         2 born 3 20.2
         3 ask call 2 20.3
         5 end call
         6 died 20.3
         7 died 20.2
         9 end page",
        "page
  call handoff 0.99",
    );
}

#[test]
fn the_end_may_come_after_the_answer() {
    check(
        "0 serve page 1 20.1
         1 born 2 20.1
         2 ask call 2 20.2
         5 end page
         8 end call
         9 died 20.2",
        "page
  call handoff 0.99",
    );
}

#[test]
fn a_thread_that_lives_on_may_be_a_pools() {
    check(
        "0 serve page 1 20.1
         1 born 2 20.1
         2 ask call 2 20.2
         5 end call
         9 end page",
        "page
call linked",
    );
}

#[test]
fn one_that_outlived_its_request_works_for_others() {
    check(
        "0 serve page 1:0 20.1
         1 born 2 20.1
         5 end page
         10 serve next 1:100 20.1
         11 ask call 2 20.2
         12 end call
         13 died 20.2
         15 end next",
        "page
next
call",
    );
}

#[test]
fn one_that_reads_requests_works_for_those() {
    check(
        "0 serve page 1 20.1
         1 born 2 20.1
         2 serve other 2 20.2
         3 ask call 3 20.2
         4 end call
         5 end other
         6 died 20.2
         9 end page",
        "other
  call task 0.99
page",
    );
}

#[test]
fn a_process_that_does_so_always_is_believed_before_the_end() {
    let turn = |number: u32| {
        let at = number * 100;
        let (thread, call) = (number + 10, number + 100);
        format!(
            "{} serve page{number} 1:{at} 20.1\n{} born {thread} 20.1\n{} ask call{number} {call} 20.{thread}\n\
             {} end call{number}\n{} died 20.{thread}\n{} end page{number}\n",
            at,
            at + 1,
            at + 2,
            at + 3,
            at + 4,
            at + 5,
        )
    };
    let mut world = World::new(settings());
    (0..100).for_each(|number| {
        world.run(&turn(number));
    });
    world.run("20000 serve page 1:20000 20.1\n20001 born 5 20.1\n20002 ask call 2 20.5\n20003 end call\n20005 end page");
    world.run("9000000 sweep");
    let spans = world.spans();
    assert_eq!(spans["call"].0, spans["page"].0, "the thread has not ended");
    assert!(spans["call"].1.parent.is_some_and(|parent| parent.confidence > 0.95));
}

#[test]
fn ends_and_births_that_are_not_known_change_nothing() {
    check("0 died 20.2\n1 born 3 20.2\n2 ask call 2 20.3\n3 end call\n4 died 20.3", "call");
}
