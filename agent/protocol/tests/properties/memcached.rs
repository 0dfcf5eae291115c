//! The three properties of every parser, for Memcached with random conversations.

use proptest::prelude::*;

use crate::{Call, Exchange, conversation, noise, properties, received, rubbish, sent, talk};

/// A command of the text or the meta protocol with its answer.
fn text() -> impl Strategy<Value = Exchange> {
    let key = "[a-z]{1,12}";
    prop_oneof![
        (key, "[ -~\r\n]{0,30}").prop_map(|(key, value)| {
            (format!("set {key} 0 0 {}\r\n{value}\r\n", value.len()), "STORED\r\n".to_owned())
        }),
        (key, "[ -~\r\n]{0,30}").prop_map(|(key, value)| {
            let answer = format!("VALUE {key} 0 {}\r\n{value}\r\nEND\r\n", value.len());
            (format!("get {key} other\r\n"), answer)
        }),
        key.prop_map(|key| (format!("incr {key} 1\r\n"), "12\r\n".to_owned())),
        key.prop_map(|key| (format!("delete {key}\r\n"), "NOT_FOUND\r\n".to_owned())),
        (key, "[ -~\r\n]{0,30}").prop_map(|(key, value)| {
            (format!("mg {key} v\r\n"), format!("VA {}\r\n{value}\r\n", value.len()))
        }),
        key.prop_map(|key| (format!("mg {key} v q\r\nmn\r\n"), "MN\r\n".to_owned())),
        key.prop_map(|key| (format!("append {key} 0 0 1\r\nx\r\n"), "SERVER_ERROR no\r\n".to_owned())),
        Just(("stats\r\n".to_owned(), "STAT a 1\r\nSTAT b 2\r\nEND\r\n".to_owned())),
    ]
    .prop_map(|(ask, answer)| (ask.into_bytes(), answer.into_bytes()))
}

fn packet(magic: u8, opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body = (extras.len() + key.len() + value.len()) as u32;
    let mut bytes = vec![magic, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    bytes.extend(body.to_be_bytes());
    bytes.extend([0; 12]);
    [bytes.as_slice(), extras, key, value].concat()
}

/// A command of the binary protocol with its answer.
fn binary() -> impl Strategy<Value = Exchange> {
    (prop_oneof![Just(0_u8), Just(1), Just(9), Just(10)], "[a-z]{1,9}", "[ -~]{0,20}").prop_map(
        |(opcode, key, value)| match opcode {
            0 => (packet(0x80, 0, b"", key.as_bytes(), b""), packet(0x81, 0, &[0; 4], b"", value.as_bytes())),
            1 => (packet(0x80, 1, &[0; 8], key.as_bytes(), value.as_bytes()), packet(0x81, 1, b"", b"", b"")),
            9 => {
                let quiet = packet(0x80, 9, b"", key.as_bytes(), b"");
                ([quiet, packet(0x80, 10, b"", b"", b"")].concat(), packet(0x81, 10, b"", b"", b""))
            }
            _ => (packet(0x80, 10, b"", b"", b""), packet(0x81, 10, b"", b"", b"")),
        },
    )
}

/// One of the two protocols.
fn either() -> impl Strategy<Value = Vec<Call>> {
    prop_oneof![conversation(text(), 1..30), conversation(binary(), 1..30)]
}

/// The same behind a command that is unusual enough to tell the protocol by itself.
fn told() -> impl Strategy<Value = Vec<Call>> {
    either().prop_map(|calls| {
        let first = [sent("set a 0 0 1\r\nx\r\n"), received("STORED\r\n")];
        talk(first.into_iter().chain(calls).collect())
    })
}

/// Pieces of Memcached and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        text().prop_map(|(ask, _)| ask),
        text().prop_map(|(_, answer)| answer),
        binary().prop_map(|(ask, _)| ask),
        binary().prop_map(|(_, answer)| answer),
        Just(b"set a 0 0 999999999999999999\r\n".to_vec()),
        Just(b"VALUE a 0 999999999999999999\r\n".to_vec()),
        Just(b"STAT a b\r\n".to_vec()),
        rubbish(),
    ]
}

properties!(256, either(), told(), noise(piece()));
