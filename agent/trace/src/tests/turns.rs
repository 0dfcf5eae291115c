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
