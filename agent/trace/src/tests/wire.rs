//! Both ends of connections in, parents and ids out.

use super::*;

#[test]
fn the_server_may_be_seen_before_its_client() {
    let world = check(
        "5 serve nginx 1 20.1
         8 ask upstream 2 20.1
         0 ask curl 1 10.1
         20 end upstream
         25 end nginx
         30 end curl",
        "curl
  nginx wire 1.00
    upstream task 0.99",
    );
    assert_eq!(world.out.len(), 1, "one part");
}

#[test]
fn the_server_may_even_end_before_its_client_is_seen() {
    check("5 serve nginx 1 20.1\n 25 end nginx\n 0 ask curl 1 10.1\n 30 end curl", "curl\n  nginx wire 1.00");
}

#[test]
fn of_a_unix_socket_a_server_that_begins_long_before_its_client_is_not_its_server() {
    let script = "0 serve b u1 20.1\n 2000 ask a u1 10.1\n 3000 end b\n 4000 end a";
    let world = check(script, "b\na");
    assert_eq!(world.counters().vetoed, 1);
    assert_ne!(world.spans()["a"].0, world.spans()["b"].0);
}

#[test]
fn unix_sockets_of_older_connections_count_differently() {
    check("0 ask a u1:0 10.1\n 100 end a\n 5000 serve b u1:0 20.1\n 5100 end b", "a\nb");
    check("0 ask a u1:0 10.1\n 1 serve b u1:0 20.1\n 10 end b\n 11 end a", "a\n  b wire 1.00");
}

#[test]
fn what_tcp_numbers_is_one_however_late_it_is_read() {
    // Nobody waits for an answer to what is published without a confirmation; a client may give up.
    check("0 publish a 1 10.1\n 10 end a\n 5000 serve b 1 20.1\n 5100 end b", "a\n  b wire 1.00");
    // A send whose record was made late.
    check("0 serve b 1 20.1\n 2000 ask a 1 10.1\n 3000 end b\n 4000 end a", "a\n  b wire 1.00");
}

#[test]
fn retries_have_ids_of_their_own() {
    let world = check(
        "0 serve a 1 20.1
         1 ask try 11:0 20.1
         2 end try
         3 ask retry 11:60 20.1
         4 end retry
         5 ask again 12:0 20.1
         6 end again
         9 end a",
        "a
  try task 0.99
  retry task 0.99
  again task 0.99",
    );
    let ids: std::collections::HashSet<_> = world.spans().values().map(|(_, span)| span.span_id).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn the_same_name_twice_at_once_gets_two_ids() {
    let mut world = World::new(settings());
    world.run("0 ask a 1 20.1");
    // The same connection in another network namespace: what a stray packet copy or a proxy may show.
    let Activity::Started(mut start) =
        world.start(Role::Client, Nanos(1000), &["1", "ask", "b", "1", "30.1"])
    else {
        panic!("a start");
    };
    start.key.cookie = Cookie(99);
    world.started.insert("b".to_owned(), (start.key, Role::Client, start.time));
    let World { traces, out, .. } = &mut world;
    traces.accept(Activity::Started(start), out);
    world.run("2 end a\n 3 end b\n 9000000 sweep");
    let spans = world.spans();
    assert_ne!(spans["a"].1.span_id, spans["b"].1.span_id);
    assert_ne!(spans["a"].0, spans["b"].0);
}

#[test]
fn ids_agree_wherever_the_connection_is_seen() {
    let given = |seed, script: &str| {
        let mut world = World::new(Settings::new([7; 16], [seed; 16]));
        world.run(script).run("9000000 sweep");
        world.out.remove(0)
    };
    let client = given(1, "0 ask a 1:5 10.1\n 9 end a");
    let server = given(2, "0 serve a 1:5 20.1\n 9 end a");
    assert_eq!(client.id, server.id);
    assert_ne!(client.spans[0].span_id, server.spans[0].span_id);
    let unix = |seed| given(seed, "0 ask a u1 10.1\n 9 end a").id;
    assert_ne!(unix(1), unix(2), "cookies mean nothing on another host");
    let wrapped = given(1, "0 ask a 1:4294967301 10.1\n 9 end a");
    assert_ne!(client.id, wrapped.id, "sequence numbers come again after 4 GiB, ids do not");
}

#[test]
fn a_client_encloses_its_server() {
    let world = check("2 ask a u1 10.1\n 0 serve b u1 20.1\n 9 end a\n 12 end b", "a\n  b wire 1.00");
    let (_, server) = world.spans()["b"];
    assert_eq!(server.span.boot, (Nanos(2000), Nanos(9000)));
    assert_eq!((server.span.start, server.span.end), (UnixNanos(2000), UnixNanos(9000)));
    let world = check("0 ask a 1 10.1\n 1 serve b 1 20.1\n 9 end a\n 5000 end b", "a\n  b wire 1.00");
    assert_eq!(world.spans()["b"].1.span.boot.1, Nanos(5_000_000), "the client gave up; the server did not");
}

#[test]
fn a_program_that_calls_itself_makes_no_circle() {
    check(
        "0 serve page u1 20.1
         1 ask self u2 20.1
         2 serve inner u2 20.1
         3 end inner
         4 end self
         5 end page",
        "page
  self task 0.99
    inner wire 1.00",
    );
    check("0 serve inner u2 20.1\n 0 ask self u2 20.1\n 3 end inner\n 4 end self", "self\n  inner wire 1.00");
}
