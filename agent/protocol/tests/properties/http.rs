//! The three properties of every parser, for HTTP/1 with random conversations.

use proptest::prelude::*;

use crate::{Exchange, conversation, noise, properties, rubbish};

/// A request and its response, of all shapes that end by themselves.
fn exchange() -> impl Strategy<Value = Exchange> {
    (request(), response()).prop_map(|(request, response)| {
        let empty = request.starts_with("HEAD") && response.contains("\r\n\r\n");
        let head = response.split_inclusive("\r\n\r\n").next().unwrap_or_default().to_owned();
        let answer = if empty { head } else { response };
        (request.into_bytes(), answer.into_bytes())
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

/// Pieces of HTTP and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
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
    prop_oneof![4 => text.prop_map(String::into_bytes), 1 => rubbish()]
}

properties!(512, conversation(exchange(), 1..6), noise(piece()));
