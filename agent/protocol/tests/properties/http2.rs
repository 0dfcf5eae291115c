//! The three properties of every parser, for HTTP/2 and gRPC with random conversations; and HPACK against another
//! program's encoder.

use httlib_hpack::Encoder;
use proptest::prelude::*;
use wirespan_protocol::{
    exchange::{Ending, Output, Target, Value},
    facts::Side,
    registry::REGISTRY,
    testing::{self, Bench},
};

use crate::{
    Call,
    frames::{Client, PREFACE, data, frame, goaway, headers, message, reset, settings},
    noise, properties, received, rubbish, sent, talk,
};

/// A request and its response, with how each of them is written.
#[derive(Clone, Debug)]
struct Exchange {
    path: String,
    value: String,
    grpc: bool,
    asked: Vec<String>,
    answered: Vec<String>,
    flags: u8,
    pieces: usize,
    padded: bool,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let flags = prop_oneof![
        Just(0),
        Just(Encoder::BEST_FORMAT | Encoder::WITH_INDEXING),
        Just(Encoder::WITH_INDEXING | Encoder::HUFFMAN_VALUE | Encoder::HUFFMAN_NAME),
        Just(Encoder::NEVER_INDEXED | Encoder::HUFFMAN_VALUE),
    ];
    let texts = || prop::collection::vec("[ -~]{0,30}", 0..4);
    let how = (flags, 1_usize..30, any::<bool>());
    ("/[a-z0-9]{1,12}(/[a-z]{1,8})?", "[ -~]{0,40}", any::<bool>(), texts(), texts(), how).prop_map(
        |(path, value, grpc, asked, answered, (flags, pieces, padded))| Exchange {
            path,
            value,
            grpc,
            asked,
            answered,
            flags,
            pieces,
            padded,
        },
    )
}

/// HEADERS and as many CONTINUATION frames as pieces make.
fn head(stream: u32, ends: bool, block: &[u8], size: usize) -> Vec<u8> {
    let pieces: Vec<_> = block.chunks(size.max(block.len() / 4 + 1)).collect();
    let last = pieces.len().saturating_sub(1);
    let frames = pieces.iter().enumerate().map(|(place, piece)| {
        let whole = if place == last { 4 } else { 0 };
        match place {
            0 => frame(1, whole | u8::from(ends), stream, piece),
            _ => frame(9, whole, stream, piece),
        }
    });
    frames.collect::<Vec<_>>().concat()
}

fn body(stream: u32, exchange: &Exchange, texts: &[String], ends: bool) -> Vec<u8> {
    let text = |text: &String| if exchange.grpc { message(0, text) } else { text.clone().into_bytes() };
    let payload = texts.iter().map(text).collect::<Vec<_>>().concat();
    let mut bytes = Vec::new();
    for piece in payload.chunks(exchange.pieces) {
        bytes.extend(match exchange.padded {
            true => frame(0, 8, stream, &[&[2], piece, &[0, 0]].concat()),
            false => data(stream, false, piece),
        });
    }
    bytes.extend(if ends { data(stream, true, b"") } else { Vec::new() });
    bytes
}

impl Exchange {
    fn ask(&self, stream: u32, client: &mut Client<'_>) -> Vec<u8> {
        let kind = if self.grpc { "application/grpc" } else { "text/plain" };
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", self.path.as_str()),
            (":authority", "h:81"),
            ("content-type", kind),
            ("x-value", self.value.as_str()),
            ("traceparent", "00-1"),
        ];
        let block = client.coded(&fields, self.flags);
        [head(stream, false, &block, self.pieces), body(stream, self, &self.asked, true)].concat()
    }

    fn answer(&self, stream: u32, server: &mut Client<'_>) -> Vec<u8> {
        let kind = if self.grpc { "application/grpc" } else { "text/plain" };
        let block =
            server.coded(&[(":status", "200"), ("content-type", kind), ("x-value", &self.value)], self.flags);
        let body = body(stream, self, &self.answered, !self.grpc);
        let end = if self.grpc { self.trailers(stream, server) } else { Vec::new() };
        [head(stream, false, &block, self.pieces), body, end].concat()
    }

    fn trailers(&self, stream: u32, server: &mut Client<'_>) -> Vec<u8> {
        let block = server.coded(&[("grpc-status", "0"), ("grpc-message", &self.value)], self.flags);
        head(stream, true, &block, self.pieces)
    }
}

/// Requests and responses in turn, or all requests first and the answers in another order.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    (prop::collection::vec(exchange(), 1..6), any::<bool>()).prop_map(|(exchanges, together)| {
        let (mut client, mut server) = (Client::default(), Client::default());
        let stream = |place: usize| 2 * u32::try_from(place).expect("few streams") + 1;
        let numbered = || exchanges.iter().enumerate();
        let first = sent([PREFACE.to_vec(), settings()].concat());
        let mut calls = vec![first, received(settings())];
        if together {
            let asks: Vec<_> = numbered().map(|(place, one)| one.ask(stream(place), &mut client)).collect();
            let answers: Vec<_> =
                numbered().rev().map(|(place, one)| one.answer(stream(place), &mut server)).collect();
            calls.push(sent(asks.concat()));
            calls.push(received(answers.concat()));
        } else {
            for (place, one) in numbered() {
                calls.push(sent(one.ask(stream(place), &mut client)));
                calls.push(received(one.answer(stream(place), &mut server)));
            }
        }
        talk(calls)
    })
}

/// Frames and nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(PREFACE.to_vec()),
        Just(settings()),
        (exchange(), 0_u32..9).prop_map(|(one, stream)| one.ask(stream, &mut Client::default())),
        (exchange(), 0_u32..9).prop_map(|(one, stream)| one.answer(stream, &mut Client::default())),
        (0_u32..9, 0_u32..15).prop_map(|(stream, code)| reset(stream, code)),
        (0_u32..9, 0_u32..15).prop_map(|(last, code)| goaway(last, code)),
        (any::<u8>(), any::<u8>(), 0_u32..9, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(kind, flags, stream, payload)| frame(kind % 12, flags, stream, &payload)),
        (0_u32..9, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(stream, block)| headers(stream, true, &block)),
        rubbish(),
    ]
}

properties!(512, conversation(), noise(piece()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_answered_request_gives_one_exchange(exchanges in prop::collection::vec(exchange(), 1..6)) {
        let (mut client, mut server) = (Client::default(), Client::default());
        let mut bench = Bench::new(REGISTRY, Side::Client);
        let mut calls = vec![sent(PREFACE)];
        for (stream, one) in (1..).step_by(2).zip(&exchanges) {
            calls.push(sent(one.ask(stream, &mut client)));
            calls.push(received(one.answer(stream, &mut server)));
        }
        bench.play(&talk(calls));
        testing::every_opening_ends_once(&bench.out);
        prop_assert_eq!(bench.exchanges().count(), exchanges.len());
        for (found, one) in bench.exchanges().zip(&exchanges) {
            let path = one.path.strip_prefix('/').unwrap();
            let call = one.grpc && path.contains('/');
            prop_assert!(!call || found.method == path, "{:?}", found);
            prop_assert!(one.grpc || found.target == Target::Path(one.path.as_str().into()), "{:?}", found);
        }
    }

    /// Whatever fields an encoder writes, in whatever form, come out again.
    #[test]
    fn blocks_of_another_encoder_are_read(
        blocks in prop::collection::vec(prop::collection::vec(("[a-z-]{1,20}", "[ -~é\u{0}]{0,60}"), 1..8), 1..12),
        flags in 0_u8..32,
        size in 0_u32..4097,
    ) {
        let mut bench = Bench::new(REGISTRY, Side::Server);
        let names: Vec<_> = blocks.iter().flatten().map(|(name, _)| name.clone()).collect();
        bench.settings.capture_request_headers = names;
        let mut encoder = Encoder::with_dynamic_size(4096);
        let mut bytes = PREFACE.to_vec();
        for (stream, fields) in (1..).step_by(2).zip(&blocks) {
            let mut block = Vec::new();
            if stream == 1 {
                encoder.update_max_dynamic_size(size, &mut block).unwrap();
            }
            let own = [(":method".to_owned(), "GET".to_owned())];
            for (name, value) in own.iter().chain(fields) {
                encoder.encode((name.clone().into_bytes(), value.clone().into_bytes(), flags), &mut block).unwrap();
            }
            bytes.extend(headers(stream, true, &block));
        }
        bench.play(&talk(vec![received(bytes)])).finish(Ending::Closed, u64::MAX);
        let opened = bench.out.iter().filter(|output| matches!(output, Output::Opened(_))).count();
        prop_assert_eq!(opened, blocks.len());
        for (exchange, fields) in bench.exchanges().zip(&blocks) {
            for (name, value) in fields {
                let key = format!("http.request.header.{name}");
                let values = exchange.attributes.iter().find(|(known, _)| *known == key);
                let Some((_, Value::List(values))) = values else {
                    return Err(TestCaseError::fail(format!("{key} is not there: {exchange:?}")));
                };
                prop_assert!(values.contains(value), "{:?} is not in {:?}", value, values);
            }
        }
    }
}
