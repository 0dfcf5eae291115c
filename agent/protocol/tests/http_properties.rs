//! The three properties of every parser, for HTTP/1 with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{
    event::Direction,
    facts::Side,
    registry::REGISTRY,
    stream::Gap,
    testing::{self, Call, call, talk},
};

/// A request and its response, of all shapes that end by themselves.
fn exchange() -> impl Strategy<Value = (String, String)> {
    (request(), response()).prop_map(|(request, response)| {
        let empty = request.starts_with("HEAD") && response.contains("\r\n\r\n");
        let head = response.split_inclusive("\r\n\r\n").next().unwrap_or_default().to_owned();
        (request, if empty { head } else { response })
    })
}

fn request() -> impl Strategy<Value = String> {
    let path = "/[a-z0-9]{0,12}(\\?[a-z=]{1,8})?";
    prop_oneof![
        path.prop_map(|path| format!("GET {path} HTTP/1.1\r\nHost: h:81\r\ntraceparent: 00-1\r\n\r\n")),
        path.prop_map(|path| format!("HEAD {path} HTTP/1.1\nHost: h\n\n")),
        path.prop_map(|path| format!("\r\nDELETE {path} HTTP/1.0\r\nA: b\r\n c\r\n\r\n")),
        (path, "[ -~]{0,30}").prop_map(|(path, body)| {
            format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        }),
        (path, chunks()).prop_map(|(path, chunks)| {
            format!("PUT {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
        }),
    ]
}

fn response() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n".to_owned()),
        Just("HTTP/1.1 304 Not Modified\r\nContent-Length: 30\r\n\r\n".to_owned()),
        (200_u16..600, "[ -~\r\n]{0,40}").prop_filter_map("has a body", |(status, body)| {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            (status != 204 && status != 304).then_some(head)
        }),
        chunks().prop_map(|chunks| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")),
    ]
}

fn chunks() -> impl Strategy<Value = String> {
    (prop::collection::vec("[ -~\r\n]{1,20}", 0..4), any::<bool>()).prop_map(|(chunks, trailer)| {
        let mut body = String::new();
        for chunk in &chunks {
            body += &format!("{:x};a=b\r\n{chunk}\r\n", chunk.len());
        }
        body + if trailer { "0\r\nEtag: a\r\n\r\n" } else { "0\r\n\r\n" }
    })
}

/// Requests and responses in turn, or all requests first.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    (prop::collection::vec(exchange(), 1..6), any::<bool>()).prop_map(|(exchanges, pipelined)| {
        let (requests, responses): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
        if pipelined {
            return talk(vec![
                call(Direction::Sent, requests.concat()),
                call(Direction::Received, responses.concat()),
            ]);
        }
        let turns = requests.into_iter().zip(responses);
        talk(
            turns
                .flat_map(|(ask, answer)| [call(Direction::Sent, ask), call(Direction::Received, answer)])
                .collect(),
        )
    })
}

/// Pieces of HTTP and of nothing, with gaps of all kinds.
fn noise() -> impl Strategy<Value = Vec<Call>> {
    let text = prop_oneof![
        request(),
        response(),
        "[ -~\r\n]{0,40}",
        Just("HTTP/1.1 200 OK\r\n".to_owned()),
        Just("GET / HTTP/1.1\r\nUpgrade: x\r\nHost".to_owned()),
        Just("CONNECT a:1 HTTP/1.1\r\n\r\n".to_owned()),
        Just("HTTP/1.1 101 X\r\n\r\n".to_owned()),
        Just("HTTP/1.1 200 OK\r\n\r\n".to_owned()),
        Just("5\r\nhello\r\n0\r\n\r\n".to_owned()),
    ];
    let bytes =
        prop_oneof![4 => text.prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let gap = prop_oneof![Just(Gap::NotCopied), Just(Gap::Lost), Just(Gap::IoUring)];
    let gap = prop::option::weighted(0.2, (gap, 1_u64..1 << 40));
    let call = (any::<bool>(), bytes, gap, "[ -~\r\n]{0,9}").prop_map(|(first, bytes, gap, tail)| {
        let call = call(if first { Direction::Received } else { Direction::Sent }, bytes);
        gap.map_or(call.clone(), |(gap, length)| call.gap(gap, length).then(tail))
    });
    prop::collection::vec(call, 0..30).prop_map(talk)
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Unknown)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_split_gives_the_same(calls in conversation(), cuts in prop::collection::vec(1_usize..40, 1..12), side in side()) {
        testing::same_for_any_split(REGISTRY, side, &calls, &cuts);
    }

    #[test]
    fn every_answered_request_gives_one_exchange(calls in conversation(), side in side()) {
        let mut bench = testing::Bench::new(REGISTRY, side);
        bench.play(&calls);
        let requests = bench.out.iter().filter(|output| {
            matches!(output, wirespan_protocol::exchange::Output::Opened(_))
        });
        prop_assert!(requests.count() > 0);
        testing::every_opening_ends_once(&bench.out);
    }

    #[test]
    fn any_prefix_waits(calls in conversation(), side in side()) {
        testing::prefixes_wait(REGISTRY, side, &calls);
    }

    #[test]
    fn anything_at_all_is_bounded(calls in noise(), side in side()) {
        testing::bounded(REGISTRY, side, &calls);
    }
}
