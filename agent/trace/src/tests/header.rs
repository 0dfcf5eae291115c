//! Contexts in the bytes in, parents and links out.

use super::*;

#[test]
fn a_context_in_the_bytes_is_the_parent() {
    let world = check(
        "0 serve a 1 20.1 trace=a1/b1
         1 ask c 2 30.1 trace=a1/b2
         2 end a
         3 end c",
        "a header remote 1.00
c header remote 1.00",
    );
    let spans = world.spans();
    assert_eq!(spans["a"].0, spans["c"].0);
    assert_eq!(spans["a"].0.0[15], 0xa1);
    assert_eq!(spans["a"].1.parent.map(|parent| parent.span_id.0[7]), Some(0xb1));
}

#[test]
fn duplicate_headers_are_no_context() {
    check("0 serve a 1 20.1 trace=a1/b1 trace=a1/b1\n 2 end a", "a");
}

#[test]
fn our_client_lies_between_the_sdk_and_our_server() {
    check(
        "0 ask c 1 10.1 trace=a1/b1
         1 serve s 1 20.1 trace=a1/b1
         8 end s
         9 end c",
        "c header remote 1.00
  s wire 1.00",
    );
    check(
        "1 serve s 1 20.1 trace=a1/b1
         0 ask c 1 10.1 trace=a1/b1
         8 end s
         9 end c",
        "c header remote 1.00
  s wire 1.00",
    );
}

#[test]
fn only_the_server_read_the_context() {
    let world = check(
        "0 ask c 1 10.1
         1 serve s 1 20.1 trace=a1/b1
         8 end s
         9 end c",
        "c
  s wire 1.00",
    );
    assert_eq!(world.spans()["c"].0.0[15], 0xa1);
}

#[test]
fn a_proxy_hands_the_context_on() {
    check(
        "0 serve a 1 20.1 trace=a1/b1
         1 serve b 2 20.1 trace=a2/b2
         2 ask a1 11 20.1 trace=a1/b1
         3 ask b1 12 20.1 trace=a2/b2
         5 end a1
         6 end b1
         8 end a
         9 end b",
        "a header remote 1.00
  a1 header 0.99
b header remote 1.00
  b1 header 0.99",
    );
}

#[test]
fn of_two_requests_with_one_context_the_threads_own_is_the_parent_or_none() {
    check(
        "0 serve a 1 20.1 trace=a1/b1
         1 serve b 2 20.2 trace=a1/b1
         2 ask b1 11 20.2 trace=a1/b1
         3 ask who 12 20.3 trace=a1/b1
         5 end b1
         6 end who
         8 end a
         9 end b",
        "a header remote 1.00
b header remote 1.00
  b1 header 0.99
who header remote 1.00",
    );
}

#[test]
fn the_header_of_an_sdk_wins_over_the_thread() {
    let world = check(
        "0 serve a 1 20.1 trace=a1/b1
         1 ask own 11 20.1 trace=a1/b2
         2 ask foreign 12 20.1 trace=a9/b9
         5 end own
         6 end foreign
         8 end a",
        "foreign header remote 1.00 linked
a header remote 1.00
own header remote 1.00",
    );
    let spans = world.spans();
    let link = spans["foreign"].1.links[0];
    assert_eq!((link.trace_id, link.span_id), (spans["a"].0, spans["a"].1.span_id));
}

#[test]
fn a_response_to_an_sdks_call_brings_its_request_back() {
    check(
        "0 serve a 1 20.1
         1 ask call 11 20.1 trace=a9/b9
         2 serve b 2 20.1
         3 resume call 20.1
         4 ask next 12 20.1
         5 end call
         6 end next
         8 end a
         9 end b",
        "call header remote 1.00 linked
a
next linked
b",
    );
}
