//! Tempo's API against what the real Tempo answered to the same requests on the same spans.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::{TOKEN, get, http, requests, said, start};
use serde_json::Value as Json;
use wirespan_collector::Running;
use wirespan_ingest::{Limits, otlp::decode_protobuf};
use wirespan_store::Span;

const RECORDED: &str = include_str!("recorded/tempo.txt");

fn filled() -> Running {
    let running = start();
    let spans = RECORDED.lines().find_map(|line| line.strip_prefix("spans ")).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nContent-Type: application/json";
    assert_eq!(http(running.addresses.otlp_http.unwrap(), head, spans.as_bytes()).0, 200);
    running
}

/// What an answer says but for how much was looked at, which is recorded of nobody.
fn told(mut answer: Json) -> Json {
    answer.as_object_mut().map(|object| object.remove("metrics"));
    said(answer)
}

#[test]
fn answers_are_those_of_tempo() {
    let running = filled();
    let tempo = running.addresses.tempo.unwrap();
    let mut compared = 0;
    for (path, code, recorded) in requests(RECORDED) {
        let (status, answer) = get(tempo, path);
        assert_eq!(status, code, "{path}: {answer}");
        if code == 200 {
            assert_eq!(told(answer), told(recorded), "{path}");
        }
        compared += 1;
    }
    assert_eq!(compared, 126);
}

/// By id, as they are stored.
fn spans(message: &[u8]) -> Vec<Span> {
    let mut spans = decode_protobuf(message, &Limits::default()).unwrap().spans;
    spans.sort_by_key(|span| span.id);
    spans
}

/// The first field of a message shorter than 16 KiB (protobuf.dev, Encoding).
fn first_field(message: &[u8]) -> &[u8] {
    assert_eq!((message[0], message[1] >> 7, message[2] >> 7), (0x0a, 1, 0));
    &message[3..3 + usize::from(message[1] & 0x7f) + (usize::from(message[2]) << 7)]
}

#[test]
fn traces_are_protobuf_for_who_asks_for_it() {
    let running = filled();
    let mut compared = 0;
    for line in RECORDED.lines().filter_map(|line| line.strip_prefix("protobuf ")) {
        let (path, hex) = line.split_once(' ').unwrap();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let recorded: Vec<u8> = hex.as_bytes().chunks_exact(2).map(byte).collect();
        let head =
            format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nAccept: application/protobuf");
        let (status, answer) = http(running.addresses.tempo.unwrap(), &head, &[]);
        assert_eq!(status, 200, "{path}");
        let both = [answer.as_slice(), recorded.as_slice()];
        let [ours, theirs] = if path.starts_with("/api/v2") { both.map(first_field) } else { both };
        assert_eq!(spans(ours), spans(theirs), "{path}");
        compared += 1;
    }
    assert_eq!(compared, 2);
}
