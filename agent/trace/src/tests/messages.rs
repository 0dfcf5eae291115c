//! Messages with ids in, links from who was handed them to who sent them out.

use super::*;

const ID: &str = "message=6ba7b810-9dad-11d1-80b4-00c04fd430c8";

/// Does the span link to the producer `p`, and to nothing else?
#[track_caller]
fn linked(world: &World, name: &str) {
    let spans = world.spans();
    let (trace_id, producer) = spans["p"];
    let links: Vec<_> = spans[name].1.links.iter().map(|link| (link.trace_id, link.span_id)).collect();
    assert_eq!(links, [(trace_id, producer.span_id)], "{name}");
}

#[test]
fn who_is_handed_a_message_is_linked_to_who_sent_it() {
    let world = check(
        &format!(
            "0 publish p 1 10.1
             1 end p {ID}
             100000 sweep
             200000 deliver c 2 20.1
             200001 end c {ID}
             300000 get g 3 30.1
             300001 end g {ID}"
        ),
        "p
c linked
g linked",
    );
    linked(&world, "c");
    linked(&world, "g");
}

/// The message arrives while the request that sent it is being answered: its trace gets its name from a header later.
#[test]
fn a_producer_whose_trace_is_not_over_is_found() {
    let world = check(
        &format!(
            "0 serve a 3 10.1
             1 publish p 1 10.1
             2 end p {ID}
             3 deliver c 2 20.1
             4 end c {ID}
             900000 end a"
        ),
        "c linked
a
  p task 0.99",
    );
    linked(&world, "c");
}

#[test]
fn a_short_id_is_no_name() {
    check("0 publish p 1 10.1\n 1 end p message=m-1\n 2 deliver c 2 20.1\n 3 end c message=m-1", "p\nc");
}

#[test]
fn an_id_that_was_sent_twice_tells_nothing() {
    check(
        &format!(
            "0 publish p 1 10.1
             1 end p {ID}
             2 publish q 2 11.1
             3 end q {ID}
             4 deliver c 3 20.1
             5 end c {ID}"
        ),
        "p\nq\nc",
    );
}

#[test]
fn a_context_in_the_message_says_more() {
    let world = check(
        &format!(
            "0 publish p 1 10.1
             1 end p {ID}
             2 deliver c 2 20.1
             3 end c {ID} link=a1/b1"
        ),
        "p\nc linked",
    );
    let spans = world.spans();
    assert_eq!(spans["c"].1.links.iter().map(|link| link.trace_id.0[15]).collect::<Vec<_>>(), [0xa1]);
}

#[test]
fn nobody_is_linked_to_a_span_that_was_never_given_on() {
    check(&format!("0 deliver c 2 20.1\n 1 end c {ID}\n 2 publish p 1 10.1"), "c");
}

#[test]
fn old_messages_are_forgotten() {
    check(
        &format!(
            "0 publish p 1 10.1
             1 end p {ID}
             700000000 sweep
             700000001 deliver c 2 20.1
             700000002 end c {ID}
             709000000 sweep"
        ),
        "p\nc",
    );
}

#[test]
fn remembered_messages_are_bounded() {
    let mut world = World::new(Settings { max_messages: 1, ..settings() });
    world.run(&format!(
        "0 publish o 1 10.1
         1 end o message=0123456789abcdef
         2 publish p 2 10.1
         3 end p {ID}
         4 deliver d 3 20.1
         5 end d message=0123456789abcdef
         6 deliver c 4 20.1
         7 end c {ID}
         9000000 sweep"
    ));
    assert_eq!(world.counters().messages_full, 1);
    assert!(world.spans()["d"].1.links.is_empty());
    linked(&world, "c");
}
