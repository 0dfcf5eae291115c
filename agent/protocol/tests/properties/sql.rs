//! The three properties of every parser, for PostgreSQL and MySQL with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{facts::Side, testing::recorded};

use crate::{
    Call, Exchange, call, direction, gap, properties, received, rubbish, sent, talk, together, turns,
};

const RECORDINGS: [&str; 8] = [
    include_str!("../captures/postgresql/psycopg.txt"),
    include_str!("../captures/postgresql/asyncpg.txt"),
    include_str!("../captures/postgresql/node.txt"),
    include_str!("../captures/postgresql/cancel_request.txt"),
    include_str!("../captures/mysql/pymysql.txt"),
    include_str!("../captures/mysql/mysql2.txt"),
    include_str!("../captures/mysql/mariadb.txt"),
    include_str!("../captures/mysql/compress.txt"),
];

/// A message of PostgreSQL.
fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &(content.len() as u32 + 4).to_be_bytes(), content].concat()
}

/// A request of PostgreSQL and what answers it: simple, or extended with several executions and their Sync.
fn postgresql() -> impl Strategy<Value = Exchange> {
    let simple = ("[a-z]{1,9}", 0_usize..5, any::<bool>()).prop_map(|(table, rows, fails)| {
        let ask = message(b'Q', format!("SELECT * FROM {table}\0").as_bytes());
        let rows = message(b'D', b"\0\x01\0\0\0\x01x").repeat(rows);
        let end = if fails { message(b'E', b"SERROR\0C42P01\0\0") } else { message(b'C', b"SELECT 1\0") };
        (ask, [message(b'T', b"\0\0"), rows, end, message(b'Z', b"I")].concat())
    });
    let extended = (1_usize..4, "[a-z]{0,3}", 0_usize..3).prop_map(|(runs, name, rows)| {
        let parse = message(b'P', format!("{name}\0UPDATE t SET a = $1\0\0\0").as_bytes());
        let bind = message(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes());
        let run = [bind, message(b'D', b"P\0"), message(b'E', b"\0\0\0\0\0")].concat();
        let rows = message(b'D', b"\0\0").repeat(rows);
        let done = [message(b'2', b""), message(b'n', b""), rows, message(b'C', b"UPDATE 1\0")].concat();
        let ask = [parse, run.repeat(runs), message(b'S', b"")].concat();
        (ask, [message(b'1', b""), done.repeat(runs), message(b'Z', b"T")].concat())
    });
    prop_oneof![simple, extended]
}

fn start() -> Exchange {
    let ask = b"\0\0\0\x1f\0\x03\0\0user\0alice\0database\0d\0\0".to_vec();
    (ask, [message(b'R', &[0; 4]), message(b'Z', b"I")].concat())
}

/// A packet of MySQL.
fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes()[..3], &[number], payload].concat()
}

/// A command of MySQL and what answers it.
fn mysql() -> impl Strategy<Value = Exchange> {
    let ok = || packet(1, &[0, 1, 0, 2, 0, 0, 0]);
    let query = (0_usize..5, any::<bool>()).prop_map(|(rows, eof)| {
        let ask = packet(0, b"\x03SELECT a FROM t WHERE b = 'c'");
        let column = packet(2, b"\x03def\x01d\x01t\x01t\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0");
        let rows = packet(3, b"\x01x").repeat(rows);
        let middle = if eof { packet(3, &[0xfe, 0, 0, 2, 0]) } else { Vec::new() };
        let end = if eof { packet(9, &[0xfe, 0, 0, 2, 0]) } else { packet(9, &[0xfe, 0, 0, 2, 0, 0, 0]) };
        (ask, [packet(1, &[1]), column, middle, rows, end].concat())
    });
    prop_oneof![
        query,
        Just((packet(0, &[0x0e]), ok())),
        Just((packet(0, b"\x03UPDATE t SET a = 1"), ok())),
        Just((packet(0, b"\x03NONSENSE"), packet(1, b"\xff\x28\x04#42000bad"))),
        Just((packet(0, b"\x16SELECT 1"), packet(1, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))),
        Just((packet(0, b"\x17\x01\0\0\0\0\x01\0\0\0"), ok())),
    ]
}

/// The server greets, the client answers, the server agrees.
fn greeting() -> Vec<Call> {
    recorded(include_str!("../captures/mysql/cli.txt"), Side::Client).into_iter().take(3).collect()
}

/// Requests and answers in turn, or, with PostgreSQL, all requests first.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    let postgresql =
        (prop::collection::vec(postgresql(), 1..6), any::<bool>()).prop_map(|(exchanges, pipelined)| {
            let mut calls = turns(vec![start()]);
            calls.extend(if pipelined { together(exchanges) } else { turns(exchanges) });
            talk(calls)
        });
    let mysql = prop::collection::vec(mysql(), 1..8)
        .prop_map(|exchanges| talk(greeting().into_iter().chain(turns(exchanges)).collect()));
    prop_oneof![postgresql, mysql]
}

/// Calls of recordings, of random requests and of nothing, with gaps of all kinds, in any order.
fn noise() -> impl Strategy<Value = Vec<Call>> {
    let recorded = (0..RECORDINGS.len(), any::<prop::sample::Index>()).prop_map(|(which, place)| {
        let calls = recorded(RECORDINGS[which], Side::Client);
        calls[place.index(calls.len())].clone()
    });
    let made = (prop_oneof![postgresql(), mysql()], any::<bool>())
        .prop_map(|((ask, answer), asks)| if asks { sent(ask) } else { received(answer) });
    let random = (direction(), rubbish()).prop_map(|(direction, bytes)| call(direction, bytes));
    let gap = prop::option::weighted(0.3, gap(1 << 33));
    let tail = prop_oneof![
        Just(&b""[..]),
        Just(&b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"[..]),
        Just(&b"S\0\0\0\x04"[..]),
        Just(&b"\x05\0\0\x09\xfe\0\0\x02\0"[..]),
    ];
    let one = (prop_oneof![4 => recorded, 3 => made, 1 => random], gap, tail);
    let one = one.prop_map(|(call, gap, tail)| match gap {
        Some((gap, length)) => call.gap(gap, length).then(tail),
        None => call,
    });
    prop::collection::vec(one, 0..30).prop_map(talk)
}

properties!(512, conversation(), noise());
