//! Threads that hand work to each other.

use super::*;

/// Two requests at a time, each with a call by a thread of a pool: threads 1 and 2 read them, 11 and 12 make the calls, woken
/// at futex 90. The results are waited for at 91 and 92. In between all meet at a lock, futex 99.
fn turn(number: u64) -> String {
    let (at, offset) = (number * 100, number * 10);
    let lines = [
        format!("serve p{number} 1:{offset} 20.1"),
        format!("serve q{number} 2:{offset} 20.2"),
        "woke 2 20.1 99".into(),
        "woke 1 20.2 99".into(),
        "woke 11 20.1 90".into(),
        "woke 12 20.2 90".into(),
        "woke 11 20.2 99".into(),
        format!("ask c{number} 3:{offset} 20.11"),
        format!("ask d{number} 4:{offset} 20.12"),
        format!("resume c{number} 20.11"),
        format!("end c{number}"),
        "woke 2 20.11 99".into(),
        "woke 1 20.11 91".into(),
        format!("resume d{number} 20.12"),
        format!("end d{number}"),
        "woke 2 20.12 92".into(),
        format!("answer p{number} 20.1"),
        format!("end p{number}"),
        format!("answer q{number} 20.2"),
        format!("end q{number}"),
    ];
    (at..).zip(lines).map(|(time, line)| format!("{time} {line}\n")).collect()
}

/// A process that was seen to work so for a while, and what it does then.
fn learned(script: &str) -> World {
    let mut world = World::new(settings());
    for number in 0..100 {
        world.run(&turn(number));
    }
    world.run(script).run("9000000 sweep");
    world
}

fn parent<'a>(world: &'a World, name: &str) -> Option<(&'a str, f32)> {
    let spans = world.spans();
    let parent = spans[name].1.parent?;
    let of = world.out.iter().flat_map(|trace| &trace.spans).find(|span| span.span_id == parent.span_id)?;
    Some((&of.span.name, parent.confidence))
}

/// Two requests are open and thread 1 hands work to thread 11.
const OPEN: &str = "20000 serve page 1:5000 20.1
    20001 serve other 2:5000 20.2
    20002 woke 11 20.1 90\n";

#[test]
fn a_pool_calls_for_whom_it_was_woken() {
    let world = learned(&format!(
        "{OPEN}20003 ask call 3:5000 20.11\n20004 end call\n20008 end page\n20009 end other"
    ));
    let (name, confidence) = parent(&world, "call").expect("a parent");
    assert!(name == "page" && confidence > 0.95, "{name} {confidence}");
}

/// Nothing is known of futex 95, but that all that was believed at others was right.
#[test]
fn what_is_believed_is_as_sure_as_what_was_believed_before() {
    let open = OPEN.replace("20.1 90", "20.1 95");
    let world = learned(&format!(
        "{open}20003 ask call 3:5000 20.11\n20004 end call\n20008 end page\n20009 end other"
    ));
    let (name, confidence) = parent(&world, "call").expect("a parent");
    assert!(name == "page" && confidence > 0.985, "{name} {confidence}");
}

#[test]
fn at_first_it_is_only_linked() {
    check(
        "0 serve page 1 20.1
         1 serve other 2 20.2
         2 woke 11 20.1 90
         3 ask call 3 20.11
         4 end call
         8 end page
         9 end other",
        "page
other
call linked",
    );
}

#[test]
fn what_it_calls_behind_that_may_be_the_next_ones_in_the_queue() {
    let world = learned(&format!(
        "{OPEN}20003 ask call 3:5000 20.11
         20004 resume call 20.11
         20004 end call
         20005 ask next 3:5010 20.11
         20006 end next
         20008 end page
         20009 end other"
    ));
    assert_eq!(parent(&world, "call").map(|(name, _)| name), Some("page"));
    assert_eq!(parent(&world, "next"), None);
}

#[test]
fn who_waits_for_the_result_had_it_called() {
    let world = learned(
        "20000 serve page 1:5000 20.1
         20001 serve other 2:5000 20.2
         20003 ask call 3:5000 20.11
         20004 resume call 20.11
         20004 end call
         20005 woke 2 20.11 92
         20008 end page
         20009 end other",
    );
    assert_eq!(parent(&world, "call").map(|(name, _)| name), Some("other"));
}

#[test]
fn a_lock_tells_nothing() {
    let world = learned(
        "20000 serve page 1:5000 20.1
         20001 serve other 2:5000 20.2
         20002 woke 11 20.1 99
         20003 ask call 3:5000 20.11
         20004 resume call 20.11
         20004 end call
         20005 woke 2 20.11 99
         20008 end page
         20009 end other",
    );
    assert_eq!(parent(&world, "call"), None);
    assert!(world.spans()["call"].1.links.is_empty());
}

#[test]
fn a_job_hands_over_no_request() {
    let world = learned(&format!(
        "{OPEN}20003 woke 11 20.7 90
         20004 ask call 3:5000 20.11
         20005 end call
         20008 end page
         20009 end other"
    ));
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn a_job_that_was_woken_at_a_futex_works_for_itself() {
    let jobs: String = (0..6)
        .map(|n| format!("{} ask job{n} 5:{n} 20.7\n{} end job{n}\n", 19_980 + n, 19_980 + n))
        .collect();
    let world = learned(&format!(
        "19979 serve page 1:5000 20.1
         19979 serve other 2:5000 20.2
         {jobs}20002 woke 7 20.1 90
         20004 ask call 3:5000 20.7
         20005 end call
         20008 end page
         20009 end other"
    ));
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn a_worker_is_not_taken_for_one_that_waits_for_results() {
    let world = learned(&format!(
        "{OPEN}20003 ask call 3:5000 20.11
         20004 resume call 20.11
         20004 end call
         20005 woke 12 20.11 90
         20006 ask next 4:5000 20.12
         20007 end next
         20008 end page
         20009 end other"
    ));
    let method = world.spans()["next"].1.parent.map(|parent| parent.method.name());
    assert_ne!(method, Some("handoff"), "it was woken by one that had called");
}

/// It reads the first response while the second is on its way: that makes it no reader of requests, whose wake-ups hand work on.
#[test]
fn a_worker_with_two_calls_under_way_hands_nothing_on() {
    let world = learned(&format!(
        "{OPEN}20003 ask call 3:5000 20.11
         20003 ask other-call 4:5000 20.11
         20004 resume call 20.11
         20005 woke 12 20.11 90
         20006 ask next 5:5000 20.12
         20007 end next
         20007 end call
         20007 end other-call
         20008 end page
         20009 end other"
    ));
    assert_eq!(parent(&world, "next"), None);
}

#[test]
fn an_answered_request_has_nothing_called_for_it() {
    let world = learned(&format!(
        "{OPEN}20003 end page
         20004 ask call 3:5000 20.11
         20005 end call
         20009 end other"
    ));
    assert_eq!(parent(&world, "call"), None);
}

/// As [`turn`], with one request at a time.
fn alone(number: u64) -> String {
    let of_the_other = |line: &&str| {
        line.contains(".2 ")
            || line.ends_with(".2")
            || line.contains(".12")
            || line.contains(" q")
            || line.contains(" d")
    };
    let turn = turn(number);
    turn.lines().filter(|line| !of_the_other(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_process_with_one_request_at_a_time_has_no_other_to_confuse() {
    let mut world = World::new(settings());
    for number in 0..100 {
        world.run(&alone(number));
    }
    world.run("20000 serve page 1:5000 20.1\n20002 woke 11 20.1 90\n20003 ask call 3:5000 20.11");
    world.run("20004 end call\n20008 end page\n9000000 sweep");
    assert_eq!(parent(&world, "call").map(|(name, _)| name), Some("page"));
}

#[test]
fn what_was_learned_so_is_forgotten_once_it_has_several() {
    let mut world = World::new(settings());
    for number in 0..100 {
        world.run(&alone(number));
    }
    world
        .run(OPEN)
        .run("20003 ask call 3:5000 20.11\n20004 end call\n20008 end page\n20009 end other\n9000000 sweep");
    assert_eq!(parent(&world, "call"), None);
}

/// A worker wakes the next one: thread 11, woken for p, wakes 12, and both call for that. Another request has its work done by then.
fn passed_on(number: u64) -> String {
    let (at, offset) = (number * 10_000, number * 10);
    let lines = [
        (0, format!("serve q{number} 2:{offset} 20.2")),
        (1, "woke 13 20.2 90".into()),
        (2, format!("ask e{number} 5:{offset} 20.13")),
        (6000, format!("serve p{number} 1:{offset} 20.1")),
        (6001, "woke 11 20.1 90".into()),
        (6002, "woke 12 20.11 90".into()),
        (6003, format!("ask c{number} 3:{offset} 20.11")),
        (6004, format!("ask d{number} 4:{offset} 20.12")),
        (6005, format!("resume c{number} 20.11")),
        (6006, format!("end c{number}")),
        (6007, "woke 1 20.11 91".into()),
        (6008, format!("resume d{number} 20.12")),
        (6009, format!("end d{number}")),
        (6010, "woke 1 20.12 92".into()),
        (6011, format!("answer p{number} 20.1")),
        (6012, format!("end p{number}")),
        (6013, format!("resume e{number} 20.13")),
        (6014, format!("end e{number}")),
        (6015, "woke 2 20.13 93".into()),
        (6016, format!("answer q{number} 20.2")),
        (6017, format!("end q{number}")),
    ];
    lines.map(|(after, line)| format!("{} {line}\n", at + after)).concat()
}

/// Thread 11 wakes 12, and both call, while another request is read `at` a time; and what comes then.
fn passing_on(at: u64, then: &str) -> World {
    let mut world = World::new(settings());
    for number in 0..100 {
        world.run(&passed_on(number));
    }
    let mut lines = vec![
        (2_000_000, "serve page 1:5000 20.1"),
        (2_000_001, "woke 11 20.1 90"),
        (2_000_003, "woke 12 20.11 90"),
        (2_000_005, "ask first 3:5000 20.11"),
        (2_000_006, "ask call 4:5000 20.12"),
        (at, "serve other 2:5000 20.2"),
    ];
    lines.sort_by_key(|(time, _)| *time);
    for (time, line) in lines {
        world.run(&format!("{time} {line}"));
    }
    world.run(then).run("9000000 sweep");
    world
}

const ANSWERED: &str = "2000008 end first\n2000008 end call\n2000009 end page\n2000009 end other";

#[test]
fn a_worker_that_another_one_woke_calls_for_the_same_request() {
    let world = passing_on(1_990_000, ANSWERED);
    assert_eq!(parent(&world, "call").map(|(name, _)| name), Some("page"));
}

#[test]
fn unless_another_request_was_read_of_which_the_work_may_be_in_the_queue() {
    let world = passing_on(2_000_002, ANSWERED);
    assert_eq!(parent(&world, "first").map(|(name, _)| name), Some("page"), "its own thread woke that one");
    assert_eq!(parent(&world, "call"), None);
}

#[test]
fn a_request_that_is_answered_before_its_call_had_none() {
    let world = passing_on(
        2_000_002,
        "2000007 answer other 20.2
         2000007 end other
         2000008 end first
         2000009 end call
         2000010 end page",
    );
    assert_eq!(parent(&world, "call").map(|(name, _)| name), Some("page"));
}

#[test]
fn a_worker_that_was_not_woken_may_have_taken_what_another_one_was_woken_for() {
    let mut world = World::new(settings());
    for number in 0..100 {
        world.run(&passed_on(number));
    }
    world.run(
        "2000000 serve page 1:5000 20.1
         2000001 woke 11 20.1 90
         2000002 ask call 3:5000 20.11
         2006000 resume call 20.11
         2006000 end call
         2006001 serve other 2:5000 20.2
         2006002 woke 12 20.2 90
         2006003 serve third 6:5000 20.3
         2006004 ask taken 3:5010 20.11
         2006005 ask next 4:5000 20.12
         2006006 end taken
         2006006 end next
         2006008 end page
         2006008 end third
         2006009 end other
         9000000 sweep",
    );
    assert_eq!(parent(&world, "call").map(|(name, _)| name), Some("page"));
    assert_eq!((parent(&world, "taken"), parent(&world, "next")), (None, None));
}

/// As [`alone`], in this process.
fn alone_in(pid: u64, number: u64) -> String {
    let connection = |n: u64| format!(" {}:", pid * 100 + n);
    let turn = alone(number).replace(" 20.", &format!(" {pid}.")).replace(" 1:", &connection(1));
    let turn = turn.replace(" 3:", &connection(3));
    turn.lines()
        .map(|line| {
            let (time, rest) = line.split_once(' ').expect("a time");
            let words = rest.split(' ').map(|word| match word.strip_prefix(['p', 'c']) {
                Some(number) if number.parse::<u64>().is_ok() => format!("{word}-{pid}"),
                _ => word.to_owned(),
            });
            format!("{time} {}\n", words.collect::<Vec<_>>().join(" "))
        })
        .collect()
}

/// Processes of one program, each of which has seen a few requests, one at a time.
fn kin() -> World {
    let mut world = World::new(settings());
    for number in 0..100 {
        world.run(&alone_in(20 + number % 20, number));
    }
    world
}

const NEWCOMER: &str = "20000 serve page 1:5000 50.1
    20002 woke 11 50.1 90
    20003 ask call 3:5000 50.11
    20004 end call\n";

#[test]
fn what_processes_at_one_address_learn_holds_for_each_of_them() {
    let mut world = kin();
    let _before = world.traces.wake_orders().count();
    world.run(NEWCOMER);
    assert_eq!(world.traces.wake_orders().collect::<Vec<_>>(), [WakeOrder { pid: 50, told: true }]);
    world.run("20008 end page\n9000000 sweep");
    let (name, confidence) = parent(&world, "call").expect("a parent");
    assert!(name == "page" && confidence > 0.95, "{name} {confidence}");
}

#[test]
fn what_they_learn_one_by_one_says_nothing_of_one_that_has_several_requests() {
    let mut world = kin();
    world.run(NEWCOMER).run("20008 end page\n20010 serve other 2:5000 50.2\n20010 serve third 4:5000 50.3");
    world.run("20011 woke 11 50.2 90\n20012 ask next 3:5010 50.11\n20013 end next");
    world.run("20014 end other\n20015 end third\n9000000 sweep");
    assert_eq!(parent(&world, "next"), None);
}

#[test]
fn wake_ups_are_asked_for_where_they_may_tell_and_given_up_where_they_do_not() {
    let mut world = World::new(settings());
    let calls = |from: u64| -> String {
        (from..from + 8).map(|n| format!("{n} ask call{n} 3:{n} 20.11\n{n} end call{n}\n")).collect()
    };
    world.run("0 serve page 1 20.1").run(&calls(10));
    let orders = |world: &mut World| world.traces.wake_orders().collect::<Vec<_>>();
    assert_eq!(orders(&mut world), [WakeOrder { pid: 20, told: true }]);
    world.run(&calls(30));
    assert_eq!(orders(&mut world), [], "once");
    (0..16_384).for_each(|_| {
        world.run("100 woke 11 20.1 99");
    });
    assert_eq!(orders(&mut world), [WakeOrder { pid: 20, told: false }]);
}

/// Thread 9 reads two requests, and calls come from threads that read none.
#[test]
fn wake_ups_are_asked_for_where_a_thread_reads_for_others_and_not_where_it_serves_several() {
    let orders = |then: &str| {
        let calls: String =
            (10..18).map(|n| format!("{n} ask call{n} 3:{n} 20.11\n{n} end call{n}\n")).collect();
        let mut world = World::new(settings());
        world.run("0 serve p1 1 20.9\n1 serve p2 2 20.9").run(then).run(&calls);
        world.traces.wake_orders().count()
    };
    assert_eq!((orders(""), orders("2 answer p1 20.9")), (1, 0));
}

#[test]
fn one_process_too_many_is_told_off_until_another_ends() {
    let mut world = World::new(settings());
    let mut woke = |pid: u32| {
        world.run(&format!("1 woke 11 {pid}.1 90"));
        world.traces.wake_orders().collect::<Vec<_>>()
    };
    assert!((1..=256).all(|pid| woke(pid).is_empty()));
    assert_eq!(woke(1000), [WakeOrder { pid: 1000, told: false }]);
    world.traces.ended(7);
    world.run("2 woke 11 1000.1 90");
    assert_eq!(world.traces.wake_orders().count(), 0);
}

#[test]
fn a_process_that_answers_nothing_needs_no_wake_ups() {
    let mut world = World::new(settings());
    for n in 0..100 {
        world.run(&format!("{n} ask call{n} 3:{n} 20.11\n{n} end call{n}"));
    }
    assert_eq!(world.traces.wake_orders().count(), 0);
}
