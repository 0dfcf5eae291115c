//! MongoDB with random conversations.

use std::cell::Cell;

use proptest::prelude::*;

use crate::{
    Call, Exchange,
    documents::{document, inner, message, number, packet, text},
    noise, properties, rubbish, talk, together, turns,
};

/// What a client may ask: of a collection or not, with a run of documents or a long filter, for silence or not.
#[derive(Clone, Debug)]
enum Ask {
    Find(String, usize),
    Insert(Vec<String>, bool),
    Hello,
    Compressed(usize),
    Exhaust(u32),
}

fn ask() -> impl Strategy<Value = Ask> {
    // Some are longer than what is looked at (`Settings::max_head`).
    let length = prop_oneof![20 => 0_usize..200, 1 => 16_300_usize..16_500];
    prop_oneof![
        ("[a-z]{1,9}", length).prop_map(|(name, length)| Ask::Find(name, length)),
        (prop::collection::vec("[a-z]{0,9}", 1..5), any::<bool>())
            .prop_map(|(texts, silent)| Ask::Insert(texts, silent)),
        Just(Ask::Hello),
        (0_usize..60).prop_map(Ask::Compressed),
        (1_u32..4).prop_map(Ask::Exhaust),
    ]
}

impl Ask {
    /// The messages of both sides. `id` is the first number that is free; some more are used.
    fn exchange(&self, id: u32, checksum: bool) -> Exchange {
        let flags = u32::from(checksum);
        let database = text("$db", "shop");
        let fine = document(&[number("ok", 1)]);
        let answer = message(id + 1, id, flags, &fine, &[]);
        match self {
            Self::Find(name, length) => {
                let filter = inner(3, "filter", document(&[text("name", &"x".repeat(*length))]));
                let batch = document(&[inner(4, "firstBatch", document(&[inner(3, "0", document(&[]))]))]);
                let found = document(&[inner(3, "cursor", batch), number("ok", 1)]);
                let body = document(&[text("find", name), filter, database]);
                (message(id, 0, flags, &body, &[]), message(id + 1, id, flags, &found, &[]))
            }
            Self::Insert(texts, silent) => {
                let run: Vec<_> = texts.iter().map(|value| document(&[text("name", value)])).collect();
                let body = document(&[text("insert", "users"), database]);
                let flags = flags | if *silent { 2 } else { 0 };
                (message(id, 0, flags, &body, &run), if *silent { Vec::new() } else { answer })
            }
            Self::Hello => {
                let head = [&[0; 4][..], b"admin.$cmd\0", &[0; 4], &[255; 4]].concat();
                let ask = [head, document(&[number("isMaster", 1)])].concat();
                let reply = [&[8, 0, 0, 0][..], &[0; 12], &[1, 0, 0, 0], &fine].concat();
                (packet(id, 0, 2004, &ask), packet(id + 1, id, 1, &reply))
            }
            Self::Compressed(length) => {
                let content = |length: usize| {
                    [&2013_u32.to_le_bytes()[..], &[99, 0, 0, 0, 2], &vec![7; length]].concat()
                };
                (packet(id, 0, 2012, &content(*length)), packet(id + 1, id, 2012, &content(length / 2)))
            }
            Self::Exhaust(count) => {
                let more = |number: u32| {
                    let flags = if number + 1 < *count { 2 } else { 0 };
                    message(id + number + 1, id + number, flags, &fine, &[])
                };
                let body = document(&[number("getMore", 7), text("collection", "users"), database]);
                (message(id, 0, 0x1_0000, &body, &[]), (0..*count).flat_map(more).collect())
            }
        }
    }
}

/// Ids are never used twice.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    (prop::collection::vec((ask(), any::<bool>()), 1..8), any::<bool>()).prop_map(|(asks, pipelined)| {
        let next = Cell::new(1);
        let exchange = |(ask, checksum): (Ask, bool)| ask.exchange(next.replace(next.get() + 9), checksum);
        let exchanges = asks.into_iter().map(exchange).collect();
        talk(if pipelined { together(exchanges) } else { turns(exchanges) })
    })
}

/// Pieces of MongoDB and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let either = (ask(), 0_u32..20, any::<bool>(), any::<bool>()).prop_map(|(ask, id, checksum, asks)| {
        let (ask, answer) = ask.exchange(id, checksum);
        if asks { ask } else { answer }
    });
    let broken = (0_u32..200, rubbish()).prop_map(|(length, content)| {
        let head: Vec<_> = [length, 1, 0, 2013].into_iter().flat_map(u32::to_le_bytes).collect();
        [head, content].concat()
    });
    prop_oneof![4 => either, 1 => broken, 1 => rubbish()]
}

properties!(256, conversation(), noise(piece()));
