//! Jaeger's gRPC API against what the real Jaeger answered to the same calls on the same spans.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "../fuzz/src/grpc.rs"]
mod grpc;

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use bytes::Buf;
use grpc::call;
use tonic::transport::Channel;
use wirespan_collector::{Running, Settings};
use wirespan_ingest::{Limits, otlp::decode_protobuf};
use wirespan_store::Span;

const RECORDED: &str = include_str!("recorded/jaeger-api-v3.txt");
const RECORDED_2: &str = include_str!("recorded/jaeger-api-v2.txt");
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Jaeger's memory storage does not find failed spans by Jaeger's own tag `error`; other storages of Jaeger do, as we do.
const ERROR_TAG: &str = "0a056572726f7212047472";

fn start() -> Running {
    wirespan_collector::start(&Settings::scratch(TOKEN)).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn send(place: SocketAddr, body: &[u8]) {
    let mut stream = TcpStream::connect(place).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf";
    write!(stream, "{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

/// The parts of a message of one repeated field that are shorter than 128 bytes.
fn parts(message: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let mut rest = message;
    while let [10, length, tail @ ..] = rest {
        let (part, more) = tail.split_at(usize::from(*length));
        all.insert(part.to_vec());
        rest = more;
    }
    assert!(rest.is_empty(), "{message:?}");
    all
}

/// A trace's spans, in the order of their ids.
fn trace(message: &[u8]) -> Vec<Span> {
    let mut spans = decode_protobuf(message, &Limits::default()).unwrap().spans;
    spans.sort_by_key(|span| span.id);
    for span in &mut spans {
        span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
        // What OTLP calls the parent's remoteness is not stored by Jaeger.
        span.flags = 0;
    }
    spans
}

fn compare(method: &str, ours: &[Vec<u8>], jaegers: &[Vec<u8>], call: &str) {
    if matches!(method, "GetServices" | "GetOperations") {
        let all = |messages: &[Vec<u8>]| {
            messages.iter().flat_map(|message| parts(message)).collect::<BTreeSet<_>>()
        };
        assert_eq!(all(ours), all(jaegers), "{call}");
    } else {
        // The API says nothing of the order of traces.
        let all = |messages: &[Vec<u8>]| {
            let mut traces: Vec<_> = messages.iter().map(|message| trace(message)).collect();
            traces.sort_by_key(|spans| spans.first().map(|span| span.trace));
            traces
        };
        assert_eq!(all(ours), all(jaegers), "{call}");
    }
}

/// A collector, and something that calls it: each has a runtime of its own.
fn with_channel(test: impl AsyncFnOnce(&Running, Channel)) {
    let running = start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let place = format!("http://{}", running.addresses.jaeger_grpc.unwrap());
        let channel = Channel::from_shared(place).unwrap().connect().await.unwrap();
        test(&running, channel).await;
    });
}

#[test]
fn answers_are_those_of_jaeger() {
    with_channel(async |running, channel| compare_all(running, &channel).await);
}

async fn compare_all(running: &Running, channel: &Channel) {
    let mut lines = RECORDED.lines().filter(|line| !line.starts_with('#'));
    let spans = lines.next().unwrap().strip_prefix("spans ").unwrap();
    send(running.addresses.otlp_http.unwrap(), &bytes(spans));
    let mut compared = 0;
    for line in lines.filter(|line| !line.contains(ERROR_TAG)) {
        let mut words = line.split(' ').map(|word| if word == "-" { "" } else { word });
        let (method, request) = (words.next().unwrap(), bytes(words.next().unwrap()));
        let fine = words.next() == Some("OK");
        let recorded: Vec<_> = words.map(bytes).collect();
        match call(channel, &format!("api_v3.QueryService/{method}"), request, TOKEN).await {
            Ok(messages) => {
                assert!(fine, "{line}");
                compare(method, &messages, &recorded, line);
            }
            Err(status) => assert!(!fine, "{line}: {status}"),
        }
        compared += 1;
    }
    assert_eq!(compared, 14);
}

/// A message as its fields, in no order: number and content of each.
type FieldSet = Vec<(u64, Vec<u8>)>;

/// A message's fields, sorted (protobuf.dev, Encoding).
fn fields(mut message: &[u8]) -> FieldSet {
    let mut all = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                let number = varint(&mut message);
                all.push((key >> 3, number.to_be_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            other => panic!("a field of type {other}"),
        };
        let (content, rest) = message.split_at(length);
        all.push((key >> 3, content.to_vec()));
        message = rest;
    }
    all.sort();
    all
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = message.get_u8();
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

/// What the messages of an answer hold together: neither the order of spans and tags nor how spans are dealt to messages is
/// said by the API.
fn whole(messages: &[Vec<u8>]) -> Vec<(u64, FieldSet)> {
    let parts = messages.iter().flat_map(|message| fields(message));
    let readable = |(number, content): (u64, Vec<u8>)| match std::str::from_utf8(&content) {
        // Names are no messages.
        Ok(text) if !text.contains(char::is_control) => (number, vec![(0, content)]),
        _ => (number, fields(&content)),
    };
    let mut all: Vec<_> = parts.map(readable).collect();
    all.sort();
    all
}

#[test]
fn answers_of_version_2_are_those_of_jaeger() {
    with_channel(async |running, channel| {
        let spans = RECORDED.lines().find_map(|line| line.strip_prefix("spans ")).unwrap();
        send(running.addresses.otlp_http.unwrap(), &bytes(spans));
        let mut compared = 0;
        for line in RECORDED_2.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ').map(|word| if word == "-" { "" } else { word });
            let (method, request) = (words.next().unwrap(), bytes(words.next().unwrap()));
            let status = words.next().unwrap();
            let recorded: Vec<_> = words.map(bytes).collect();
            match call(&channel, &format!("api_v2.QueryService/{method}"), request, TOKEN).await {
                Ok(messages) => assert_eq!((status, whole(&messages)), ("OK", whole(&recorded)), "{line}"),
                Err(refused) => assert_eq!(format!("{:?}", refused.code()), status, "{line}: {refused}"),
            }
            compared += 1;
        }
        assert_eq!(compared, 19);
    });
}

/// Version 3 has summaries and dependencies since jaeger-idl 0.12; the Jaeger that was recorded has not.
#[test]
fn summaries_and_dependencies_are_told() {
    with_channel(async |running, channel| {
        let spans = RECORDED.lines().find_map(|line| line.strip_prefix("spans ")).unwrap();
        send(running.addresses.otlp_http.unwrap(), &bytes(spans));
        let find =
            RECORDED.lines().find_map(|line| line.strip_prefix("FindTraces 0a180a0463617274")).unwrap();
        let find = bytes(&format!("0a180a0463617274{}", find.split(' ').next().unwrap()));
        let answer = call(&channel, "api_v3.QueryService/FindTraceSummaries", find, TOKEN).await.unwrap();
        let (number, summary) = whole(&answer).pop().unwrap();
        assert_eq!(number, 1);
        let text = |number| {
            let found = summary.iter().find(|(known, _)| *known == number);
            found.map(|(_, content)| String::from_utf8(content.clone()).unwrap())
        };
        assert_eq!(text(1).as_deref(), Some("5b8efff798038103d269b633813fc60c"));
        assert_eq!((text(2).as_deref(), text(3).as_deref()), (Some("web"), Some("GET /cart/{id}")));
        let count = |number| summary.iter().filter(|(known, _)| *known == number).count();
        assert!(summary.contains(&(6, 3_u64.to_be_bytes().to_vec())), "{summary:?}");
        // No errors and no orphans, and two services.
        assert_eq!((count(7), count(8), count(9)), (0, 0, 2));
        let range = RECORDED_2.lines().find_map(|line| line.strip_prefix("GetDependencies ")).unwrap();
        let range = bytes(range.split(' ').next().unwrap());
        let answer = call(&channel, "api_v3.QueryService/GetDependencies", range, TOKEN).await.unwrap();
        let edge = [b"\x0a\x03web\x12\x04cart\x18\x01".to_vec()].map(|edge| (1, fields(&edge)));
        assert_eq!(whole(&answer), edge);
    });
}

#[test]
fn the_token_is_needed() {
    with_channel(async |_, channel| {
        let refused =
            call(&channel, "api_v3.QueryService/GetServices", Vec::new(), "wrong").await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        let refused =
            call(&channel, "api_v2.QueryService/GetServices", Vec::new(), "wrong").await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        let unknown =
            call(&channel, "api_v2.QueryService/ArchiveTrace", Vec::new(), TOKEN).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::Unimplemented);
    });
}
