//! Tasks that are numbered as they are started: whose turn it was then, and how many calls a request makes.

use super::{World, settings};

/// A program with one thread, which reads several requests at once.
const ONE: &str = "0 serve x 1:0 20.1#1@0\n1 serve y 2:0 20.1#2@0\n2 answer x 20.1#1@0\n3 end x\n3 end y\n";

/// Requests with one call each, 1 ms apart, so that it is clear whose it is. `call` gives the task that makes it and the next
/// number by then, of the number that came next when its request was read.
fn taught(count: u32, call: impl Fn(u32) -> (u32, u32)) -> String {
    taught_with(count, 1000, call)
}

/// The same; the thread goes to sleep after so many µs.
fn taught_with(count: u32, sleeps: u32, call: impl Fn(u32) -> (u32, u32)) -> String {
    let request = |n: u32| {
        let (at, next) = (1000 + n * 1000, 10 + n);
        let rests = at / sleeps;
        let (task, later) = call(next);
        format!(
            "{at} serve r{n} 1:{at} 20.1#1@{rests}+{next}\n{0} ask c{n} 11:{at} 20.1#{task}@{rests}+{later}\n\
             {1} resume c{n} 20.1#{task}@{rests}+{later}\n{1} end c{n}\n\
             {2} answer r{n} 20.1#1@{rests}+{later}\n{2} end r{n}\n",
            at + 5,
            at + 20,
            at + 25,
        )
    };
    (0..count).map(request).collect()
}

/// Each request starts a task, and that calls.
const fn in_its_turn(next: u32) -> (u32, u32) {
    (next, next + 1)
}

/// Who calls was started before the request was read.
const fn before_its_turn(next: u32) -> (u32, u32) {
    (next - 1, next + 1)
}

/// Each request starts a task, and a connection's task calls for it.
const fn through_a_pool(next: u32) -> (u32, u32) {
    (4, next + 1)
}

/// No request starts any.
const fn without_a_task(next: u32) -> (u32, u32) {
    (4, next)
}

/// All responses come before an answer: it does not show for whom the calls were.
const ENDS: &str = "900020 resume one 20.1#4@920+520\n900020 end one\n900021 resume two 20.1#4@921+520\n900021 end two\n\
                    900030 answer a 20.3#1@930+520\n900030 end a\n900031 answer b 20.3#2@931+520\n900031 end b\n";

/// For which of the requests `a` and `b` the calls `one` and `two` are found to be.
fn parents(taught: &str, crowd: &str) -> [Option<&'static str>; 2] {
    let mut world = World::new(settings());
    world.run(ONE).run(taught).run(crowd).run(ENDS).run("9000000 sweep");
    let spans = world.spans();
    let named = |id| ["a", "b"].into_iter().find(|name| spans[*name].1.span_id == id);
    ["one", "two"].map(|call| spans[call].1.parent.and_then(|parent| named(parent.span_id)))
}

/// `a`'s task is 500, started before `b` was read, and `b`'s 501, which has its turn first.
const CROWD: &str = "900000 serve a 1:900 20.1#1@900+500\n900001 serve b 2:900 20.1#2@900+501\n\
                     900006 ask two 12:1 20.1#501@900+502\n900007 ask one 11:1 20.1#500@900+502\n";

#[test]
fn a_task_calls_for_the_request_in_whose_turn_it_was_started_where_that_was_seen() {
    assert_eq!(parents(&taught(300, in_its_turn), CROWD), [Some("a"), Some("b")]);
    assert_eq!(parents(&taught(20, in_its_turn), CROWD), [None; 2], "seen too seldom");
    assert_eq!(parents(&taught_with(300, 1_000_000, before_its_turn), CROWD), [None; 2], "seen not to be so");
}

#[test]
fn who_has_read_nothing_starts_no_task() {
    let other = "899990 serve o 3:900 20.2#7@890+500\n";
    let crowd =
        CROWD.replace("900001 serve b", "900000 answer o 20.2#7@890+500\n900000 end o\n900001 serve b");
    assert_eq!(parents(&taught(300, in_its_turn), &[other, &crowd].concat()), [Some("a"), Some("b")]);
}

/// The thread that calls has read `a`, and that long ago; the task was started when another one had just read `b`.
#[test]
fn where_the_thread_is_sure_of_another_request_one_of_the_two_is_wrong() {
    let crowd = "880000 serve a 1:900 20.1#1@900+499\n900001 serve b 2:900 20.2#2@900+500\n\
                 900006 ask one 12:1 20.1#500@900+501\n900007 ask two 11:1 20.2#4@900+501\n";
    assert_eq!(parents(&taught(300, in_its_turn), crowd)[0], None);
    assert_eq!(parents(&taught(20, in_its_turn), crowd)[0], Some("a"), "nobody says otherwise");
}

/// The task of a connection, say.
#[test]
fn a_task_that_goes_on_calls_for_others_too() {
    let crowd = "900000 serve a 1:900 20.1#1@900+500\n900001 ask one 11:1 20.1#500@900+501\n\
                 900002 serve b 2:900 20.1#2@900+501\n900003 ask two 11:90 20.1#500@900+501\n";
    assert_eq!(parents(&taught(300, in_its_turn), crowd), [Some("a"), Some("b")]);
}

#[test]
fn the_first_call_of_a_connection_is_for_whom_that_was_opened() {
    let crowd = "900000 serve b 2:900 20.1#2@900+500\n900001 connect 12 20.1#2@900\n\
                 900002 serve a 1:900 20.1#1@900+500\n900006 ask two 12:1 20.1#500@900+501\n\
                 900007 ask one 11:1 20.1#4@900+501\n";
    assert_eq!(parents(&taught(300, in_its_turn), crowd)[1], Some("b"));
}

/// It has started one task, which has called, and goes on calling through a pool.
#[test]
fn a_request_that_has_made_all_its_calls_makes_no_more() {
    let crowd = "900000 serve a 1:900 20.1#1@900+500\n900005 ask one 11:1 20.1#500@900+501\n\
                 900006 ask two 12:1 20.1#4@900+501\n900010 serve b 2:900 20.2#2@900+501\n";
    assert_eq!(parents(&taught(300, in_its_turn), crowd), [Some("a"), None]);
    assert_eq!(
        parents(&taught(300, without_a_task), crowd),
        [Some("a"); 2],
        "it does not start a task for each"
    );
}

/// A thread that reads nothing makes the calls: for whom, only times tell.
#[test]
fn nor_where_its_time_says_so() {
    let elsewhere = |line: &str| {
        let reads = line.contains("serve") || line.contains("answer");
        if reads { format!("{line}\n") } else { format!("{}\n", line.replace("20.1#", "20.9#")) }
    };
    let taught: String = taught(400, in_its_turn).lines().map(elsewhere).collect();
    let crowd = "899900 serve o 3:900 20.1#7@899+500\n900000 serve a 1:900 20.1#1@900+500\n900003 answer o 20.1#7@900+501\n\
                 900003 end o\n900005 ask one 11:1 20.9#500@900+501\n900005 ask two 12:1 20.9#4@900+501\n\
                 900010 serve b 2:900 20.2#2@900+501\n";
    assert_eq!(parents(&taught, crowd), [Some("a"), None]);
}

#[test]
fn of_two_threads_that_have_just_read_either_may_have_started_a_task() {
    let crowd = CROWD.replace("serve b 2:900 20.1", "serve b 2:900 20.2").replace("+501", "+500");

    assert_ne!(crowd, CROWD);
    let mut world = World::new(settings());
    world.run(ONE).run(&taught(300, in_its_turn)).run(&crowd).run(ENDS).run("9000000 sweep");
    let by_start = |call: &str| world.spans()[call].1.parent.is_some_and(|parent| parent.confidence < 0.999);
    assert_eq!(["one", "two"].map(by_start), [false; 2]);
}

#[test]
fn what_a_thread_started_it_turns_to_before_it_sleeps() {
    let later =
        CROWD.replace("20.1#501@900+502", "20.1#501@901+502").replace("20.1#500@900+502", "20.1#500@901+502");
    assert_ne!(later, CROWD);
    assert_eq!(parents(&taught(300, in_its_turn), &later), [None; 2]);
}

#[test]
fn what_was_started_long_after_a_request_was_read_may_be_a_timer_s() {
    let timer = CROWD.replace("900006 ask two", "930000 ask two").replace("900007 ask one", "930000 ask one");
    let ends = ENDS.replace("9000", "9300").replace("90030", "93030");
    let mut world = World::new(settings());
    world.run(ONE).run(&taught(300, in_its_turn)).run(&timer).run(&ends).run("9000000 sweep");
    let spans = world.spans();
    assert_eq!(
        ["one", "two"].map(|call| spans[call].1.parent.is_some()),
        [true, false],
        "b was read behind a's"
    );
}

#[test]
fn a_task_that_outlives_its_request_calls_for_nobody() {
    let answered = CROWD.replace("900006 ask", "900002 answer a 20.1#1@900+502\n900002 end a\n900006 ask");
    assert_eq!(parents(&taught(300, in_its_turn), &answered), [None, Some("b")]);
    let both = answered.replace("900006 ask", "900003 answer b 20.1#2@900+502\n900003 end b\n900006 ask");
    assert_eq!(parents(&taught(300, in_its_turn), &both), [None; 2]);
}

/// Both calls go through the task of a connection. `a` has started no task, `b` two.
const POOLED: &str = "900000 serve a 1:900 20.1#1@900+500\n900001 serve b 2:900 20.1#2@900+500\n\
                      900006 ask one 11:1 20.1#4@900+502\n900007 ask two 12:1 20.1#4@900+502\n";

#[test]
fn a_request_makes_no_more_calls_than_it_started_tasks_where_that_was_seen() {
    assert_eq!(parents(&taught(300, through_a_pool), POOLED), [Some("b"); 2]);
    assert_eq!(parents(&taught(20, through_a_pool), POOLED), [None; 2], "seen too seldom");
    assert_eq!(parents(&taught(300, without_a_task), POOLED), [None; 2], "seen not to be so");
}

/// Each has started one, and it shows late for whom the first call is: the other's response comes after `a` was answered.
#[test]
fn a_request_whose_calls_are_all_known_makes_no_other() {
    let crowd = POOLED.replace("20.1#2@900+500", "20.1#2@900+501");
    let ends = "900020 resume one 20.1#4@920+520\n900020 end one\n900030 answer a 20.3#1@920+520\n900030 end a\n\
                900040 resume two 20.1#4@940+520\n900040 end two\n900041 answer b 20.3#2@940+520\n900041 end b\n";
    let mut world = World::new(settings());
    world.run(ONE).run(&taught(300, through_a_pool)).run(&crowd).run(ends).run("9000000 sweep");
    let spans = world.spans();
    let of = |call: &str| spans[call].1.parent.map(|parent| parent.span_id);
    assert_eq!([of("one"), of("two")], ["a", "b"].map(|name| Some(spans[name].1.span_id)));
}

/// Neither has started any, but somebody calls: what remains tells.
#[test]
fn where_no_request_has_a_call_to_make_each_may_have() {
    let crowd = POOLED.replace("+502", "+500");
    let ends = "900010 answer a 20.3#1@910+500\n900010 end a\n900020 resume one 20.1#4@920+500\n900020 end one\n\
                900021 resume two 20.1#4@921+500\n900021 end two\n900031 answer b 20.3#2@931+500\n900031 end b\n";
    let mut world = World::new(settings());
    world.run(ONE).run(&taught(300, through_a_pool)).run(&crowd).run(ends).run("9000000 sweep");
    let spans = world.spans();
    let of = |call: &str| spans[call].1.parent.map(|parent| parent.span_id);
    assert_eq!([of("one"), of("two")], [Some(spans["b"].1.span_id); 2]);
}
