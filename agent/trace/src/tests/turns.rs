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
