//! The three properties of every parser, for DNS with random conversations.

use proptest::prelude::*;

use crate::{Exchange, conversation, noise, properties, rubbish};

/// A question and its answer, behind their lengths.
fn exchange() -> impl Strategy<Value = Exchange> {
    let labels = prop::collection::vec("[a-zA-Z0-9_-]{1,12}", 0..4);
    let kind = prop_oneof![Just(1_u8), Just(28), Just(5), Just(16)];
    (any::<u16>(), labels, kind, 0_u8..6, any::<bool>()).prop_map(|(id, labels, kind, code, edns)| {
        let mut name = Vec::new();
        for label in labels {
            name.push(label.len() as u8);
            name.extend(label.into_bytes());
        }
        name.extend([0, 0, kind, 0, 1]);
        let more: &[u8] = if edns { b"\0\0\x29\x04\xd0\0\0\0\0\0\0" } else { b"" };
        let ask =
            [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)], &name[..], more].concat();
        let record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x09\0\x04\x0a\x01\x02\x03";
        let head = [0x81, 0x80 | code, 0, 1, 0, 1, 0, 0, 0, u8::from(edns)];
        let answer = [&id.to_be_bytes()[..], &head, &name[..], record, more].concat();
        (framed(&ask), framed(&answer))
    })
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// Pieces of DNS and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        exchange().prop_map(|(ask, _)| ask),
        exchange().prop_map(|(_, answer)| answer),
        exchange().prop_map(|(ask, _)| ask[2..].to_vec()),
        exchange().prop_map(|(_, answer)| answer[2..].to_vec()),
        Just(b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01".to_vec()),
        rubbish(),
    ]
}

/// Answers in another order than their questions.
#[test]
fn the_last_question_may_be_answered_first() {
    proptest!(|(exchanges in prop::collection::vec(exchange(), 1..12), side in crate::side())| {
        let (asks, mut answers): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
        answers.reverse();
        crate::every_request_ends(side, &crate::talk(crate::together(asks.into_iter().zip(answers).collect())));
    });
}

properties!(256, conversation(exchange(), 1..12), noise(piece()));
