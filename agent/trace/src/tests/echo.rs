//! Rare names that a request and a call have in common.

use super::*;
use crate::echoes::Echoes;

/// Two requests on a thread that hands everything to threads of which nothing is known.
const OPEN: &str = "0 serve page 1 20.1 token=7
     1 serve other 2 20.2 token=8\n";

#[test]
fn a_call_that_names_what_one_request_named_is_made_for_it() {
    check(
        &format!("{OPEN}2 ask call 3 20.11 token=8\n3 end call\n8 end page\n9 end other"),
        "page
other
  call echo 0.98",
    );
}

#[test]
fn what_two_requests_name_is_not_rare() {
    check(
        "0 serve page 1 20.1 token=7
         1 serve other 2 20.2 token=7
         2 ask call 3 20.11 token=7
         3 end call
         8 end page
         9 end other",
        "page
other
call",
    );
}

#[test]
fn an_answered_request_named_nothing() {
    check(
        &format!("{OPEN}2 end page\n3 ask call 3 20.11 token=7\n4 end call\n9 end other"),
        "page
other
call",
    );
}

#[test]
fn the_name_is_of_the_process_that_read_it() {
    check(
        &format!("{OPEN}2 ask call 3 21.11 token=7\n3 end call\n8 end page\n9 end other"),
        "call
page
other",
    );
}

#[test]
fn what_an_earlier_request_named_is_not_rare() {
    check(
        "0 serve before 1:0 20.1 token=7
         1 end before
         2 serve page 1:100 20.1 token=7
         3 ask call 3 20.11 token=7
         4 end call
         8 end page",
        "before
page
call",
    );
}

#[test]
fn a_name_says_more_than_what_a_thread_read_last() {
    check(
        "0 serve page 1 20.1 token=7
         1 serve other 2 20.1 token=8
         2 ask call 3 20.1 token=7
         3 end call
         8 end page
         9 end other",
        "page
  call echo 0.98
other",
    );
}

#[test]
fn names_are_forgotten_after_a_while() {
    let mut echoes = Echoes::default();
    let key = |offset| Key { cookie: Cookie(1), offset, sub: 0 };
    for number in 1..100_000 {
        let tokens = Tokens::new([number, 0]);
        echoes.reads(1, &tokens, key(number));
        assert_eq!(echoes.of(1, &tokens), Some(key(number)));
        echoes.leave(1, &tokens, key(number));
    }
    echoes.reads(1, &Tokens::new([1, 0]), key(1));
    assert!(
        echoes.of(1, &Tokens::new([1, 0])).is_some() && echoes.of(1, &Tokens::new([99_999, 0])).is_none()
    );
}

#[test]
fn a_program_that_calls_itself_is_not_its_own_cause() {
    check(
        "0 serve page 1 20.1 token=7
         2 ask call 3 20.11 token=9
         3 serve inner 3 20.2 token=9
         4 end inner
         5 end call
         8 end page",
        "page
call
  inner wire 1.00",
    );
}
