//! Tasks that others wait for, as an adapter told: asyncio reads in one context, calls in others and answers in the one that
//! waits for these.

use super::*;

/// The name of the parent of each of these spans, or `-`.
fn parents(world: &mut World, names: &[&str]) -> Vec<String> {
    world.run("90000000 sweep");
    let spans = world.spans();
    let name_of = |id: SpanId| spans.iter().find(|(_, (_, span))| span.span_id == id).map(|(name, _)| *name);
    let parent = |name: &&str| spans[name].1.parent.and_then(|parent| name_of(parent.span_id)).unwrap_or("-");
    names.iter().map(|name| parent(name).to_owned()).collect()
}

/// A process whose tasks 100 to 139 have each answered a request for which one that they waited for had called. It may have
/// several requests open.
fn gathers() -> World {
    let mut world = World::new(settings());
    for n in 0_u32..40 {
        let (at, rests, handler) = (n * 100, n * 2, 100 + n);
        world.run(&format!(
            "{at} serve r{n} {}:{at} 20.1#1~0@{rests}
             {} serve s{n} 9:{at} 20.1#1~0@{}
             {at} ask c{n} 11:{at} 20.1#2~{handler}@{rests}
             {} resume c{n} 20.1#1~0@{}
             {} end c{n}
             {} answer r{n} 20.1#{handler}~0@{}
             {} end r{n}
             {} answer s{n} 20.1#{}~0@{}
             {} end s{n}",
            n % 3 + 1,
            at + 50,
            rests + 1,
            at + 60,
            rests + 1,
            at + 60,
            at + 61,
            rests + 1,
            at + 61,
            at + 70,
            rests + 1,
            handler + 100,
            at + 70,
        ));
    }
    world
}

/// Both were read in one turn, and what the tasks are worked on in no order.
#[test]
fn a_task_s_call_is_for_the_request_that_who_waits_for_it_answers() {
    let mut world = gathers();
    world.run(
        "5000 serve a 1:5000 20.1#1~0@100
         5000 serve b 2:5000 20.1#1~0@100
         5001 ask b1 11:5000 20.1#901~900@100
         5001 ask a1 12:5000 20.1#801~800@100
         5001 ask b2 13:5000 20.1#902~900@100
         5010 resume b1 20.1#1~0@101
         5010 end b1
         5011 resume b2 20.1#1~0@102
         5011 end b2
         5012 resume a1 20.1#1~0@103
         5012 end a1
         5013 answer b 20.1#900~0@103
         5013 end b
         5014 answer a 20.1#800~0@103
         5014 end a",
    );
    assert_eq!(parents(&mut world, &["a1", "b1", "b2"]), ["a", "b", "b"]);
}

/// What a task did tells nothing of another one with its address.
#[test]
fn an_address_that_is_used_again_is_another_task() {
    let mut world = World::new(settings());
    for n in 0_u32..40 {
        let (at, task) = (n * 100, format!("20.1#{}~0@{n}", 100 + n));
        world.run(&format!(
            "{at} serve r{n} 1:{at} 20.1#1~0@{n}
             {at} ask c{n} 11:{at} {task}\n{0} end c{n}\n{0} answer r{n} {task}\n{0} end r{n}",
            at + 10
        ));
    }
    world.run(
        "5000 serve a 1:5000 20.1#1~0@100 token=77
         5001 ask a1 11:5000 20.1#100~900@100 token=77
         5002 end a1
         5003 serve b 2:5000 20.1#1~0@101
         5004 ask b1 11:5100 20.1#100~0@102
         5005 end b1
         5006 answer b 20.1#100~0@102
         5006 end b
         5007 answer a 20.1#900~0@102
         5007 end a",
    );
    assert_eq!(parents(&mut world, &["a1", "b1"]), ["a", "b"]);
}

/// A task that starts all workers waits for them all, and answers nothing.
#[test]
fn who_waits_for_all_has_nobody_s_calls() {
    let mut world = gathers();
    world.run(
        "5000 serve a 1:5000 20.1#1~0@100
         5000 serve b 2:5000 20.1#1~0@100
         5001 ask b1 11:5000 20.1#902~900@100
         5002 ask a1 12:5000 20.1#901~900@100
         5003 answer a 20.1#901~900@101
         5003 end a
         5004 end a1
         5005 end b1
         5006 answer b 20.1#800~0@101
         5006 end b",
    );
    assert_eq!(parents(&mut world, &["a1", "b1"]), ["a", "-"]);
}

/// A task calls for one that another one waits for, and that one answers nothing: its thread is asked again.
#[test]
fn where_no_answer_tells_the_thread_does() {
    let mut world = gathers();
    for n in 0_u32..20 {
        let at = 5_000 + n * 3_000_000;
        world.run(&format!(
            "{at} serve p{n} 1:{at} 20.1#1~0@{n}
             {at} ask q{n} 11:{at} 20.1#901~900@{n}
             {0} end q{n}\n{0} answer p{n} 20.1#800~0@{n}\n{0} end p{n}\n{1} sweep",
            at + 10,
            at + 2_900_000,
        ));
    }
    let names: Vec<_> = (0..20).map(|n| format!("q{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let placed = parents(&mut world, &names);
    assert_eq!((placed[0].as_str(), placed[19].as_str()), ("-", "p19"), "{placed:?}");
}

/// One task for each connection waits for one that each request has (aiohttp's server).
#[test]
fn a_task_serves_a_connection_by_others() {
    let mut world = World::new(settings());
    for n in 0_u32..80 {
        let (at, connection) = (n * 100, n % 2 + 1);
        let handler = format!("20.1#{}~{connection}0@{n}", 100 + n % 7);
        world.run(&format!(
            "{at} serve r{n} {connection}:{at} 20.1#1~0@{n}
             {0} answer r{n} {handler}\n{0} end r{n}",
            at + 10
        ));
    }
    world.run(
        "9000 serve a 1:9000 20.1#1~0@100
         9000 serve b 2:9000 20.1#1~0@100
         9000 serve b2 2:9100 20.1#1~0@100
         9001 ask b1 11:9000 20.1#103~20@100
         9001 ask a1 12:9000 20.1#105~10@100
         9002 end a1
         9002 end b1
         9003 answer b 20.1#103~20@101
         9003 end b
         9004 ask b3 11:9100 20.1#101~20@101
         9005 end b3
         9006 answer b2 20.1#101~20@101
         9006 end b2
         9007 answer a 20.1#105~10@101
         9007 end a",
    );
    assert_eq!(parents(&mut world, &["a1", "b1", "b3"]), ["a", "b", "b2"]);
}

/// All that a client had sent was read at once: that the last one was read last means nothing.
#[test]
fn of_pipelined_requests_the_answer_tells() {
    let mut world = gathers();
    world.run(
        "5000 serve a 1:5000 20.1#1~0@100
         5000 serve b 1:5100 20.1#1~0@100
         5000 serve c 1:5200 20.1#1~0@100
         5001 ask a1 11:5000 20.1#800~0@100
         5002 resume a1 20.1#1~0@101
         5002 end a1
         5003 answer a 20.1#800~0@101
         5003 end a
         5004 ask b1 11:5100 20.1#801~0@101
         5005 resume b1 20.1#1~0@102
         5005 end b1
         5006 answer b 20.1#801~0@102
         5006 end b
         5007 ask c1 11:5200 20.1#802~0@102
         5008 end c1
         5009 answer c 20.1#802~0@102
         5009 end c",
    );
    assert_eq!(parents(&mut world, &["a1", "b1", "c1"]), ["a", "b", "c"]);
}
