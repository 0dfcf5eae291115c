//! Logical tasks for which another one reads (asyncio): they stay with a request until they have answered it.

use super::{World, settings};

/// Requests that context 1 reads and task 2 answers, after a call; the thread turns to others meanwhile.
fn rounds(count: u32) -> String {
    let round = |number: u32| {
        let (at, offset, rests) = (number * 10, number * 10, number * 10);
        [
            (0, format!("serve a{number} 1:{offset} 30.1#1@{rests}")),
            (1, format!("ask c{number} 11:{offset} 30.1#2@{rests}")),
            (1, format!("serve z{number} 4:{offset} 30.1#5@{rests}")),
            (1, format!("answer z{number} 30.1#5@{rests}")),
            (1, format!("end z{number}")),
            (2, format!("resume c{number} 30.1#1@{}", rests + 1)),
            (2, format!("end c{number}")),
            (3, format!("answer a{number} 30.1#2@{}", rests + 1)),
            (3, format!("end a{number}")),
        ]
        .map(|(after, what)| format!("{} {what}\n", at + after))
        .concat()
    };
    (0..count).map(round).collect()
}

/// Two requests are open, and the thread has slept since it read either.
const TWO: &str = "5000 serve a 1:900 30.1#1@900\n5001 serve b 4:900 30.1#5@901\n";

#[track_caller]
fn parent_of_call(script: &str) -> Option<String> {
    let mut world = World::new(settings());
    world.run(script).run("9000000 sweep");
    let spans = world.spans();
    let parent = spans["call"].1.parent?;
    let named = spans.iter().find(|(_, (_, span))| span.span_id == parent.span_id);
    named.map(|(name, _)| (*name).to_owned())
}

#[test]
fn a_task_stays_with_its_request_until_that_is_answered() {
    let last = "5000 serve a 1:900 30.1#1@900\n5001 ask first 11:900 30.1#2@900\n5001 serve b 4:900 30.1#5@901\n\
                5002 ask call 12:900 30.1#2@910\n5003 end first\n5003 end call\n5004 end a\n5004 end b\n";
    assert_eq!(parent_of_call(&(rounds(80) + last)).as_deref(), Some("a"));
    // A process that has shown nothing of the kind.
    assert_eq!(parent_of_call(last), None);
}

#[test]
fn what_a_task_called_was_for_the_request_that_it_answers() {
    let last =
        "5002 ask call 12:900 30.1#2@910\n5003 end call\n5004 answer a 30.1#2@911\n5004 end a\n5004 end b\n";
    assert_eq!(parent_of_call(&(rounds(80) + TWO + last)).as_deref(), Some("a"));
    assert_eq!(parent_of_call(&(TWO.to_owned() + last)), None);
}

#[test]
fn a_call_after_the_answer_is_not_for_the_next_request() {
    let last = "5002 answer a 30.1#2@905\n5002 end a\n5003 ask call 12:900 30.1#2@910\n5004 end call\n\
                5005 serve c 1:950 30.1#1@920\n5006 answer c 30.1#2@921\n5006 end c\n5007 end b\n";
    assert_eq!(parent_of_call(&(rounds(80) + TWO + last)), None);
}

#[test]
fn a_task_that_writes_for_all_stays_with_nobody() {
    // Its thread read `a`, then `b`, and it wrote a call for each.
    let last = "5000 serve a 1:900 30.1#1@900\n5001 ask first 11:900 30.1#9@900\n5002 serve b 4:900 30.1#5@901\n\
                5003 ask call 11:950 30.1#9@901\n5004 end first\n5004 end call\n5005 end a\n5005 end b\n";
    assert_eq!(parent_of_call(&(rounds(80) + last)).as_deref(), Some("b"));
}

#[test]
fn a_task_that_has_the_name_of_one_that_ended_is_another() {
    // Context 7 called for `a`; then a task for `c` got its address.
    let last = "5000 serve a 1:900 30.1#1@900\n5001 ask first 11:900 30.1#7@900\n5002 end first\n\
                5003 serve b 4:900 30.1#5@900\n5003 serve c 5:900 30.1#6@900\n5004 ask call 12:900 30.1#7@900\n\
                5005 end call\n5006 end a\n5006 end b\n5006 end c\n";
    assert_ne!(parent_of_call(&(rounds(80) + last)).as_deref(), Some("a"));
}

#[test]
fn what_a_job_calls_is_no_work_on_a_request() {
    // Were it, only `b` would be left for `call`.
    let script = "10 ask j1 20 30.1#3@1\n11 end j1\n12 ask j2 21 30.1#3@2\n13 end j2\n14 ask j3 22 30.1#3@3\n15 end j3\n\
                  20 serve a 1 30.1#1@9\n20 ask job 23 30.1#3@9\n21 serve b 4 30.1#5@9\n22 ask call 24 30.1#8@9\n\
                  23 end job\n23 end call\n24 end a\n24 end b\n";
    assert_eq!(parent_of_call(script), None);
}
