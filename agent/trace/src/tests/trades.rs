//! Runtimes whose threads take work over from each other: what a thread does next need not follow from what it read last.

use super::{World, settings};

/// Threads 1 and 2 read requests, thread 1 several at once.
const TRADES: &str =
    "0 serve x 1:0 20.1@0\n1 serve y 2:0 20.1@0\n2 serve z 3:0 20.2@0\n3 end x\n3 end y\n3 end z\n";

/// The same, all on thread 1.
const LOOP: &str =
    "0 serve x 1:0 20.1@0\n1 serve y 2:0 20.1@0\n2 serve z 3:0 20.1@0\n3 end x\n3 end y\n3 end z\n";

/// Thread 1 reads a request and calls twice.
const TWICE: &str = "100 serve page 1:9 20.1@9\n101 ask first 11 20.1@9\n102 ask second 12 20.1@9\n";

/// It reads the first one's response and calls again.
const RETURNED: &str = "103 resume first 20.1@10\n104 end first\n105 ask third 11:9 20.1@10\n";

const ENDS: &str = "900 end page\n";

/// Which of these calls have a parent.
fn placed(script: &str, calls: &[&str]) -> Vec<bool> {
    let ends: String = calls.iter().map(|call| format!("800 end {call}\n")).collect();
    let mut world = World::new(settings());
    world.run(script).run(&ends).run(ENDS).run("9000000 sweep");
    let spans = world.spans();
    calls.iter().map(|call| spans[call].1.parent.is_some()).collect()
}

#[test]
fn who_has_done_what_it_read_may_have_taken_over_what_it_does_next() {
    assert_eq!(placed(&[TRADES, TWICE].concat(), &["first", "second"]), [true, false]);
    assert_eq!(placed(&[LOOP, TWICE].concat(), &["first", "second"]), [true, true]);
}

#[test]
fn where_calls_are_made_at_once_a_response_need_not_lead_to_the_next() {
    assert_eq!(placed(&[TRADES, TWICE, RETURNED].concat(), &["second", "third"]), [false, false]);
    assert_eq!(placed(&[LOOP, TWICE, RETURNED].concat(), &["second", "third"]), [true, true]);
    // Who makes one call after the other goes on when a response has come.
    let once = TWICE.lines().take(2).collect::<Vec<_>>().join("\n") + "\n";
    assert_eq!(placed(&[TRADES, &once, RETURNED].concat(), &["third"]), [true]);
}

/// A request with one call, then one behind its response, whose answer shows for whom that was.
fn one_after_the_other(number: u32) -> String {
    let (at, n, offset, rests) = (200 + number * 10, number, 100 + number * 10, 100 + number * 10);
    format!(
        "{at} serve s{n} 1:{offset} 20.1@{rests}\n{at} ask c{n} 11:{offset} 20.1@{rests} shape=5\n\
         {0} resume c{n} 20.1@{1}\n{0} end c{n}\n{0} ask d{n} 11:{2} 20.1@{1} shape=5\n\
         {3} resume d{n} 20.1@{4}\n{3} answer s{n} 20.1@{4}\n{3} end d{n}\n{3} end s{n}\n",
        at + 2,
        rests + 1,
        offset + 5,
        at + 5,
        rests + 2,
    )
}

#[test]
fn answers_show_whether_responses_lead_to_calls() {
    let learned: String = (0..8).map(one_after_the_other).collect();
    let script = [TRADES, TWICE, RETURNED, &learned, "700 resume second 20.1@890\n"].concat();
    let last = "701 serve last 4:9 20.1@900\n702 ask before 13 20.1@900\n703 resume before 20.1@901\n\
                703 end before\n704 ask behind 13:9 20.1@901\n899 end last\n";
    assert_eq!(placed(&(script + last), &["behind"]), [true]);
}

#[test]
fn a_situation_of_which_nothing_is_known_tells_nothing_of_a_kind_of_calls() {
    let again = |number: u32| {
        let (at, n, offset, rests) = (200 + number * 10, number, 100 + number * 10, 100 + number * 10);
        format!(
            "{at} serve s{n} 1:{offset} 20.1@{rests}\n{at} ask c{n} 11:{offset} 20.1@{rests}\n\
             {0} resume c{n} 20.1@{1}\n{0} end c{n}\n{0} ask d{n} 11:{2} 20.1@{1} shape=5\n{0} end d{n}\n{0} end s{n}\n",
            at + 2,
            rests + 1,
            offset + 5,
        )
    };
    let unknown: String = (0..6).map(again).collect();
    let last = "701 serve last 4:9 20.1@900\n702 ask call 13 20.1@900 shape=5\n899 end last\n";
    assert_eq!(placed(&[TRADES, TWICE, RETURNED, &unknown, last].concat(), &["call"]), [true]);
}
