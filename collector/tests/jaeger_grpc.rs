//! Jaeger's gRPC API against what the real Jaeger answered to the same calls on the same spans.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use axum::http::uri::PathAndQuery;
use bytes::{Buf, BufMut};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};
use wirespan_collector::{Keep, Running, Settings};
use wirespan_ingest::{Limits, otlp::decode_protobuf};
use wirespan_store::Span;

const RECORDED: &str = include_str!("recorded/jaeger-api-v3.txt");
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Jaeger's memory storage does not find failed spans by Jaeger's own tag `error`; other storages of Jaeger do, as we do.
const ERROR_TAG: &str = "0a056572726f7212047472";

fn start() -> Running {
    let any = || Some("127.0.0.1:0".to_owned());
    wirespan_collector::start(&Settings {
        listen: "127.0.0.1:0".to_owned(),
        otlp_grpc: None,
        otlp_http: any(),
        zipkin: None,
        tempo: None,
        jaeger_grpc: any(),
        tls: None,
        lenient: false,
        remote: false,
        token: Some(TOKEN.to_owned()),
        ingest_token: None,
        keep: Keep::Memory(1000),
    })
    .unwrap()
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

/// Messages as they are on the wire.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

async fn call(channel: &Channel, method: &str, body: Vec<u8>, token: &str) -> Result<Vec<Vec<u8>>, Status> {
    let path: PathAndQuery = format!("/jaeger.api_v3.QueryService/{method}").parse().unwrap();
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
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
        match call(channel, method, request, TOKEN).await {
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

#[test]
fn the_token_is_needed() {
    with_channel(async |_, channel| {
        let refused = call(&channel, "GetServices", Vec::new(), "wrong").await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        let unknown = call(&channel, "GetDependencies", Vec::new(), TOKEN).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::Unimplemented);
    });
}
