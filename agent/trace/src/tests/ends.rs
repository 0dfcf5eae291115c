//! Processes that end: what was learned of one is not true of the next that has its number.

use super::*;

/// An event loop works through what it read in order, which its answers show.
fn in_order(number: u32) -> String {
    let (at, rests) = (number * 10, number * 10);
    format!(
        "{at} serve a{number} 1:{at} 20.1@{rests}\n{at} serve b{number} 2:{at} 20.1@{rests}\n{} answer a{number} 20.1@{rests}\n\
         {} end a{number}\n{} answer b{number} 20.1@{rests}\n{} end b{number}\n",
        at + 1,
        at + 2,
        at + 3,
        at + 4,
    )
}

/// The name of the parent of `call`, which is made while `a` and `b` are to be worked on.
fn parent_of_call(world: &mut World) -> Option<&str> {
    world.run(
        "5000 serve a 1:9000 20.1@900\n5000 serve b 2:9000 20.1@900\n5001 ask call 11 20.1@900\n5002 end call\n\
         5003 end a\n5003 end b\n9000000 sweep",
    );
    let spans = world.spans();
    let parent = spans["call"].1.parent?.span_id;
    spans.iter().find(|(_, (_, span))| span.span_id == parent).map(|(name, _)| *name)
}

fn learned() -> World {
    let mut world = World::new(settings());
    world.run(&(0..60).map(in_order).collect::<String>());
    world
}

#[test]
fn habits_end_with_their_process() {
    assert_eq!(parent_of_call(&mut learned()), Some("a"));
    let mut world = learned();
    world.traces.ended(20);
    assert_eq!(parent_of_call(&mut world), None);
}

#[test]
fn habits_do_not_end_with_another_process() {
    let mut world = learned();
    world.traces.ended(21);
    assert_eq!(parent_of_call(&mut world), Some("a"));
}

/// Runtimes number their tasks from 1 in every process. Task 5 served requests in the one that ended, so that what it called
/// between two of them was its own; in the next one it is a pool's.
#[test]
fn tasks_end_with_their_process() {
    let script = |ends: bool| {
        let mut world = World::new(settings());
        world.run("0 serve old 1:0 20.1#5\n1 end old\n");
        if ends {
            world.traces.ended(20);
        }
        world.run("10 serve page 2 20.1#7\n11 ask call 11 20.1#5\n12 end call\n13 end page\n9000000 sweep");
        world.spans()["call"].1.parent.is_some()
    };
    assert!(!script(false) && script(true));
}

/// Its connections are closed after it has ended.
#[test]
fn what_is_closed_after_the_end_of_its_process_is_no_habit() {
    let mut world = World::new(settings());
    world.run("0 serve page 1 20.1");
    world.traces.ended(20);
    world.run("1 end page\n9000000 sweep");
    assert!(world.traces.habits.known(20).is_none());
    assert_eq!(world.trees().trim(), "page");
}
