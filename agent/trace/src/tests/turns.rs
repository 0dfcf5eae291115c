//! Event loops that read several things before they sleep, and what their answers teach.

use super::{World, settings};

/// One turn after another: a request on connection 1, one on connection 2 for which a connection is opened, and one on
/// connection 3 before that connection's first request goes out. The second one's answer comes right behind the response.
fn turns(count: u32) -> String {
    let turn = |number: u32| {
        let (at, offset, rests) = (number * 100, number * 10, number * 10);
        let opened = number + 100;
        [
            (0, format!("serve a{number} 1:{offset} 20.1@{rests}")),
            (1, format!("serve b{number} 2:{offset} 20.1@{rests}")),
            (2, format!("connect {opened} 20.1@{rests}")),
            (3, format!("serve c{number} 3:{offset} 20.1@{rests}")),
            (4, format!("ask call{number} {opened} 20.1@{rests}")),
            (4, format!("answer c{number} 20.1@{rests}")),
            (4, format!("end c{number}")),
            (5, format!("resume call{number} 20.1@{}", rests + 5)),
            (6, format!("answer b{number} 20.1@{}", rests + 5)),
            (7, format!("end call{number}")),
            (8, format!("end a{number}")),
            (9, format!("end b{number}")),
        ]
        .map(|(after, what)| format!("{} {what}\n", at + after))
        .concat()
    };
    (0..count).map(turn).collect()
}

/// Has `call` a parent?
fn placed(script: &str) -> bool {
    let mut world = World::new(settings());
    world.run(script).run("9000000 sweep");
    world.spans()["call"].1.parent.is_some()
}

#[test]
fn what_was_read_while_a_connection_was_opened_teaches_nothing() {
    let last = "5000 serve a 1:900 20.1@900\n5001 serve b 2:900 20.1@900\n5002 connect 500 20.1@900\n\
                5003 serve c 3:900 20.1@900\n5004 ask call 500 20.1@900\n5005 end call\n5006 end a\n5007 end b\n5008 end c\n";
    assert!(placed(&(turns(20) + last)));
}

#[test]
fn what_the_rule_does_not_need_to_know_does_not_weaken_it() {
    // The job's response: nobody knows for whom the call was. The request that was read last is known.
    let last = "4998 serve z 6:900 20.1@898\n5000 ask job 400 20.1@899\n5001 resume job 20.1@900\n5002 serve b 2:900 20.1@900\n\
                5003 connect 500 20.1@900\n5004 ask call 500 20.1@900\n5005 end call\n5006 end job\n5007 end b\n5007 end z\n";
    assert!(placed(&(turns(20) + last)));
}

#[test]
fn answers_behind_a_response_among_others_tell_for_whom_the_call_was() {
    // The job's thread slept, so nobody knows for whom `call` is, until its response is followed by an answer.
    let last = "5000 serve b 2:900 20.1@900\n5000 serve d 4:900 20.1@900\n5001 ask call 500 20.1@905\n\
                5002 serve e 5:900 20.1@910\n5003 resume call 20.1@910\n5004 answer b 20.1@910\n\
                5005 end call\n5006 end b\n5007 end d\n5008 end e\n";
    assert!(placed(&(turns(20) + last)));
}

/// A pool: the connection that was opened for `a` is given to `b`, which its answer shows.
fn given_away(number: u32) -> String {
    let (at, offset, rests, opened) = (number * 100, number * 10, number * 10, number + 100);
    [
        (0, format!("serve a{number} 1:{offset} 20.1@{rests}")),
        (1, format!("connect {opened} 20.1@{rests}")),
        (2, format!("serve b{number} 2:{offset} 20.1@{}", rests + 1)),
        (3, format!("ask call{number} {opened} 20.1@{}", rests + 1)),
        (4, format!("resume call{number} 20.1@{}", rests + 2)),
        (5, format!("answer b{number} 20.1@{}", rests + 2)),
        (6, format!("end call{number}")),
        (6, format!("end a{number}")),
        (6, format!("end b{number}")),
    ]
    .map(|(after, what)| format!("{} {what}\n", at + after))
    .concat()
}

#[test]
fn a_connection_that_is_given_away_is_not_for_whom_it_was_opened() {
    let mut world = World::new(settings());
    world.run(
        "0 serve a 1 20.1@0\n1 connect 500 20.1@0\n2 serve b 2 20.1@1\n3 ask call 500 20.1@1\n4 end call\n",
    );
    world.run("5 end a\n5 end b\n9000000 sweep");
    assert!(world.spans()["call"].1.parent.is_none(), "one of two, and nobody knows which");
    let mut world = World::new(settings());
    world.run(&(0..60).map(given_away).collect::<String>()).run("9000000 sweep");
    let spans = world.spans();
    for number in ["0", "59"] {
        let parent = spans[format!("call{number}").as_str()].1.parent.map(|parent| parent.span_id);
        assert_eq!(parent, Some(spans[format!("b{number}").as_str()].1.span_id), "{number}");
    }
}

/// Connection 500 is opened while thread 1 works on `b` and `c`, having read `c` since it slept.
const OPENED: &str = "1000 serve b 2:900 20.1@900\n1001 serve c 3:900 20.1@901\n1002 connect 500 20.1@901\n\
                      1003 ask call 500 20.1@905\n1004 end call\n1005 end b\n1005 end c\n";

#[test]
fn where_several_threads_read_one_may_open_connections_for_another() {
    assert!(placed(OPENED));
    assert!(!placed(&("0 serve a 1 20.2@0\n1 end a\n".to_owned() + OPENED)));
}

#[test]
fn calls_that_outlive_whom_they_were_opened_for_were_for_others() {
    let outlived = |number: u32| {
        let (at, offset, rests, opened) = (number * 10, number * 10, number * 10, number + 100);
        format!(
            "{at} serve x{number} 4:{offset} 20.1@{rests}\n{at} serve y{number} 5:{offset} 20.1@{}\n\
             {at} connect {opened} 20.1@{}\n{} ask z{number} {opened} 20.1@{}\n{} end y{number}\n{} end x{number}\n\
             {} end z{number}\n",
            rests + 1,
            rests + 1,
            at + 1,
            rests + 5,
            at + 2,
            at + 2,
            at + 3,
        )
    };
    let outlived: String = (0..4).map(outlived).collect();
    assert!(!placed(&(outlived + OPENED)));
}

fn lines(at: u32, lines: &[(u32, String)]) -> String {
    lines.iter().map(|(after, what)| format!("{} {what}\n", at + after)).collect()
}

/// The name of the parent of this span.
fn parent(world: &World, name: &str) -> Option<String> {
    let spans = world.spans();
    let parent = spans[name].1.parent?.span_id;
    spans.iter().find(|(_, (_, span))| span.span_id == parent).map(|(name, _)| (*name).to_owned())
}

/// A proxy reads the response for `x`, the request `y` and the response for `z`; then it passes the request on, and only then
/// the responses back.
fn passed_on(number: u32) -> String {
    let (n, offset, rests) = (number, number * 10, number * 10);
    let (first, second, third) = (rests, rests + 1, rests + 2);
    lines(
        number * 100,
        &[
            (0, format!("serve x{n} 1:{offset} 20.1@{first}")),
            (1, format!("ask cx{n} 11:{offset} 20.1@{first}")),
            (2, format!("serve z{n} 3:{offset} 20.1@{first}")),
            (3, format!("ask cz{n} 13:{offset} 20.1@{first}")),
            (10, format!("resume cx{n} 20.1@{second}")),
            (10, format!("serve y{n} 2:{offset} 20.1@{second}")),
            (10, format!("resume cz{n} 20.1@{second}")),
            (11, format!("ask cy{n} 12:{offset} 20.1@{second}")),
            (12, format!("answer x{n} 20.1@{second}\n{0} end cx{n}\n{0} end x{n}", number * 100 + 12)),
            (13, format!("answer z{n} 20.1@{second}\n{0} end cz{n}\n{0} end z{n}", number * 100 + 13)),
            (20, format!("resume cy{n} 20.1@{third}")),
            (21, format!("answer y{n} 20.1@{third}\n{0} end cy{n}\n{0} end y{n}", number * 100 + 21)),
        ],
    )
}

#[test]
fn a_proxy_passes_requests_on_before_responses_back() {
    // Nothing follows that could tell of this one.
    let last = passed_on(60).lines().take(8).map(|line| format!("{line}\n")).collect::<String>()
        + "7000 end cy60\n7001 end cx60\n7001 end cz60\n7002 end x60\n7002 end y60\n7002 end z60\n";
    let mut world = World::new(settings());
    world.run(&(0..60).map(passed_on).collect::<String>()).run(&last).run("9000000 sweep");
    assert_eq!(parent(&world, "cy60").as_deref(), Some("y60"));
}

/// Connections are opened by who reads; calls over those that exist are written later, in the order of the requests.
fn opened(number: u32) -> String {
    let (n, offset, rests, opened) = (number, number * 10, number * 10, number + 100);
    let (first, second, third) = (rests, rests + 1, rests + 2);
    lines(
        number * 100,
        &[
            (0, format!("serve a{n} 1:{offset} 20.1@{first}")),
            (1, format!("serve b{n} 2:{offset} 20.1@{first}")),
            (2, format!("connect {opened} 20.1@{first}")),
            (3, format!("ask ca{n} 11:{offset} 20.1@{first}")),
            (4, format!("ask cb{n} {opened} 20.1@{first}")),
            (10, format!("resume ca{n} 20.1@{second}")),
            (11, format!("answer a{n} 20.1@{second}\n{0} end ca{n}\n{0} end a{n}", number * 100 + 11)),
            (20, format!("resume cb{n} 20.1@{third}")),
            (21, format!("answer b{n} 20.1@{third}\n{0} end cb{n}\n{0} end b{n}", number * 100 + 21)),
        ],
    )
}

#[test]
fn connections_may_be_opened_in_another_order_than_calls_are_made() {
    let last = opened(60).lines().take(5).map(|line| format!("{line}\n")).collect::<String>()
        + "7000 end ca60\n7001 end cb60\n7002 end a60\n7002 end b60\n";
    let mut world = World::new(settings());
    world.run(&(0..60).map(opened).collect::<String>()).run(&last).run("9000000 sweep");
    assert_eq!(parent(&world, "ca60").as_deref(), Some("a60"));
    assert_eq!(parent(&world, "cb60").as_deref(), Some("b60"));
}

#[test]
fn a_job_between_the_requests_of_a_turn_takes_no_one_s_place() {
    // What it calls comes out of nothing mostly, so this was not for `a60` either.
    let jobs: String = (0..40)
        .map(|number| format!("{} ask job{number} 30:{number} 20.9 shape=7\n", 5900 + number))
        .collect();
    let last = "6000 serve a60 1:900 20.1@900\n6001 serve b60 2:900 20.1@900\n6002 ask job 30:900 20.1@900 shape=7\n\
                6003 ask call 11:900 20.1@900\n7000 end job\n7000 end call\n7002 end a60\n7002 end b60\n";
    let mut world = World::new(settings());
    world.run(&(0..59).map(opened).collect::<String>()).run("5899 serve q 9 20.1@890\n").run(&jobs);
    world.run("5990 end q\n").run(last).run("9000000 sweep");
    assert_eq!(parent(&world, "call").as_deref(), Some("a60"));
}
