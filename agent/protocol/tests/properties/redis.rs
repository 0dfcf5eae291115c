//! The three properties of every parser, for Redis with random conversations.

use proptest::prelude::*;

use crate::{conversation, noise, properties, rubbish};

fn command() -> impl Strategy<Value = String> {
    let words = |words: Vec<String>| {
        let head = format!("*{}\r\n", words.len());
        words.iter().fold(head, |text, word| text + &format!("${}\r\n{word}\r\n", word.len()))
    };
    let name = prop_oneof![
        Just("GET"),
        Just("set"),
        Just("MGET"),
        Just("EVAL"),
        Just("XREAD"),
        Just("SELECT"),
        Just("MULTI"),
        Just("EXEC"),
        Just("CONFIG"),
        Just("ZUNIONSTORE")
    ];
    let argument = prop_oneof![4 => "[ -~\r\n]{0,12}", 1 => "[0-9]{1,3}", 1 => "[a-z]{300,600}", 1 => Just("STREAMS".to_owned())];
    (name, prop::collection::vec(argument, 0..5))
        .prop_map(move |(name, arguments)| words(std::iter::once(name.to_owned()).chain(arguments).collect()))
}

/// Replies of all types, nested ones too.
fn reply() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "\\+[ -~]{0,9}\r\n",
        "-[A-Z]{1,9} [ -~]{0,9}\r\n",
        ":-?[0-9]{1,5}\r\n",
        ",[0-9]{1,3}\\.[0-9]\r\n",
        Just("_\r\n".to_owned()),
        Just("#t\r\n".to_owned()),
        Just("$-1\r\n".to_owned()),
        Just("*-1\r\n".to_owned()),
        Just("!9\r\nERR wrong\r\n".to_owned()),
        "[ -~\r\n]{0,20}".prop_map(|text| format!("${}\r\n{text}\r\n", text.len())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let many = prop::collection::vec(inner, 0..5);
        (many, prop_oneof![Just('*'), Just('~')])
            .prop_map(|(elements, kind)| format!("{kind}{}\r\n{}", elements.len(), elements.concat()))
    })
}

const PUSH: &str = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

/// A command and its reply, some behind a pushed message.
fn exchange() -> impl Strategy<Value = crate::Exchange> {
    (command(), reply(), any::<bool>()).prop_map(|(ask, answer, push)| {
        (ask.into_bytes(), [if push { PUSH } else { "" }, &answer].concat().into_bytes())
    })
}

/// Pieces of Redis and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        command(),
        reply(),
        "[ -~\r\n]{0,40}",
        Just("PING\r\n".to_owned()),
        Just("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$999999999999999999\r\n".to_owned()),
        Just("*999999999999999999\r\n*999999999999999999\r\n".to_owned()),
        Just("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n".to_owned()),
        Just("*1\r\n$7\r\nMONITOR\r\n".to_owned()),
        Just(PUSH.to_owned()),
        Just("|1\r\n+a\r\n+b\r\n".to_owned()),
    ];
    prop_oneof![4 => text.prop_map(String::into_bytes), 1 => rubbish()]
}

properties!(256, conversation(exchange(), 1..30), noise(piece()));
