//! Threads that read several requests before they call, and what shows later for whom a call was.

use super::{World, settings};

/// Requests `a` and `b` in one turn of a loop, and three calls; nobody knows for whom.
const TURN: &str = "90000 serve a 1:900 20.1@900\n90001 serve b 2:900 20.1@900\n90002 ask one 11:900 20.1@900\n\
                    90003 ask two 12:900 20.1@900\n90004 ask three 13:900 20.1@900\n";

/// Turns with two requests and a call for each. The responses come one by one, an answer right behind each.
fn turns(count: u32) -> String {
    let turn = |number: u32| {
        let (at, offset, rests) = (number * 100, number, number * 5);
        format!(
            "{at} serve a{number} 1:{offset} 20.1@{rests}\n{at} serve b{number} 2:{offset} 20.1@{rests}\n\
             {at} ask x{number} 11:{offset} 20.1@{rests}\n{at} ask y{number} 12:{offset} 20.1@{rests}\n\
             {0} resume x{number} 20.1@{1}\n{0} answer a{number} 20.1@{1}\n{0} end x{number}\n{0} end a{number}\n\
             {2} resume y{number} 20.1@{3}\n{2} answer b{number} 20.1@{3}\n{2} end y{number}\n{2} end b{number}\n",
            at + 1,
            rests + 1,
            at + 2,
            rests + 2,
        )
    };
    (0..count).map(turn).collect()
}

/// The requests that these calls of the last turn are found to be for.
fn parents<'a>(script: &str, calls: &[&str], requests: &[&'a str]) -> Vec<Option<&'a str>> {
    let mut world = World::new(settings());
    world.run(script).run("9000000 sweep");
    let spans = world.spans();
    let named = |id| requests.iter().find(|name| spans[**name].1.span_id == id).copied();
    calls.iter().map(|call| spans[call].1.parent.and_then(|parent| named(parent.span_id))).collect()
}

#[test]
fn who_waits_for_its_calls_has_none_open_when_it_answers() {
    let ends = "90010 answer a 20.1@905\n90011 end a\n90020 resume one 20.1@910\n90021 end one\n90022 resume two 20.1@915\n\
                90023 end two\n90024 resume three 20.1@920\n90025 end three\n90026 answer b 20.1@920\n90027 end b\n";
    let found = parents(&[TURN, ends].concat(), &["one", "two", "three"], &["a", "b"]);
    assert_eq!(found, [Some("b"); 3]);
}

#[test]
fn a_call_that_was_answered_before_may_be_for_either() {
    let ends = "90010 resume one 20.1@905\n90011 end one\n90012 resume two 20.1@910\n90013 end two\n90014 resume three 20.1@915\n\
                90015 end three\n90020 answer a 20.1@920\n90021 end a\n90022 answer b 20.1@925\n90023 end b\n";
    let found = parents(&[TURN, ends].concat(), &["one", "two", "three"], &["a", "b"]);
    assert_eq!(found, [None; 3]);
}

/// All responses come in one turn, and both answers: what seemed to be for the first may have been for the second.
#[test]
fn a_response_that_only_seemed_to_be_for_an_answered_request_may_have_led_to_the_next_answer() {
    let ends = "90010 resume one 20.1@905\n90010 end one\n90011 resume two 20.1@905\n90011 end two\n90020 answer a 20.1@905\n\
                90020 end a\n90021 answer b 20.1@905\n90021 end b\n90022 end three\n";
    let found = parents(&[TURN, ends].concat(), &["one", "two"], &["a", "b"]);
    assert_eq!(found, [None; 2]);
}

/// The second call is `a`'s, as its answer shows; the first is then too, where calls were seen to follow in order.
#[test]
fn calls_come_in_the_order_in_which_their_requests_were_read_where_that_was_seen() {
    let ends = "90010 resume one 20.1@905\n90011 end one\n90012 resume two 20.1@910\n90013 answer a 20.1@910\n90014 end two\n\
                90015 end a\n90016 resume three 20.1@915\n90017 answer b 20.1@915\n90018 end three\n90019 end b\n";
    let found = |before: &str| parents(&[before, TURN, ends].concat(), &["one", "two", "three"], &["a", "b"]);
    assert_eq!(found(&turns(120)), [Some("a"), Some("a"), Some("b")]);
    assert_eq!(found(&turns(3)), [None, Some("a"), Some("b")]);
}

#[test]
fn who_answers_while_its_calls_are_open_tells_nothing() {
    // It answers each request before the call that is surely for that.
    let hasty = |number: u32| {
        let (at, rests) = (number * 100, number * 5);
        format!(
            "{at} serve h{number} 3:{number} 20.1@{rests}\n{at} ask i{number} 14:{number} 20.1@{rests}\n\
             {at} answer h{number} 20.1@{rests}\n{0} end i{number}\n{0} end h{number}\n",
            at + 1
        )
    };
    let hasty: String = (0..60).map(hasty).collect();
    let ends =
        "90010 answer a 20.1@905\n90011 end a\n90020 end one\n90021 end two\n90022 end three\n90027 end b\n";
    let found = parents(&[hasty.as_str(), TURN, ends].concat(), &["one", "two", "three"], &["a", "b"]);
    assert_eq!(found, [None; 3]);
}

/// Two requests of one connection are read at once and answered at once, as hyper does where the second is soon done.
const HELD_BACK: &str = "80000 serve p 3:0 20.1@800\n80000 serve q 3:50 20.1@800\n80001 answer p 20.1@800\n80001 end p\n\
                         80001 answer q 20.1@800\n80001 end q\n";

#[test]
fn a_response_before_answers_that_were_held_back_led_to_one_of_them() {
    let both = "90000 serve a 4:0 20.1@900\n90000 serve b 4:50 20.1@900\n90001 ask one 11:900 20.1@900\n90010 resume one 20.1@905\n\
                90011 end one\n90012 answer a 20.1@905\n90012 end a\n90012 answer b 20.1@905\n90012 end b\n";
    let found = |before: &str| parents(&[before, HELD_BACK, both].concat(), &["one"], &["a", "b"]);
    assert_eq!(found(&turns(120)), [None]);
}

#[test]
fn what_led_to_a_call_may_have_been_for_the_request_before_on_its_connection() {
    let both = "90000 serve a 4:0 20.1@900\n90000 serve b 4:50 20.1@900\n90001 ask one 11:900 20.1@900\n90010 resume one 20.1@905\n\
                90010 end one\n90011 ask two 12:900 20.1@905\n90012 answer a 20.1@905\n90012 end a\n90020 resume two 20.1@910\n\
                90020 end two\n90021 answer b 20.1@910\n90021 end b\n";
    let found = |before: &str| parents(&[before, HELD_BACK, both].concat(), &["one", "two"], &["a", "b"]);
    assert_eq!(found(&turns(120)), [None, Some("b")]);
}
