//! Jaeger's HTTP APIs, the legacy one and version 3, against what the real Jaeger answered to the same requests on the same
//! spans.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::{get, http, requests, said, start};
use serde_json::{Value as Json, json};
use wirespan_collector::Running;
use wirespan_ingest::{Limits, otlp::decode_json};
use wirespan_store::Span;

const SPANS: &str = include_str!("recorded/jaeger-api-v3.txt");
const RECORDED: &str = include_str!("recorded/jaeger-http.txt");

fn filled() -> Running {
    let running = start();
    let hex = SPANS.lines().find_map(|line| line.strip_prefix("spans ")).unwrap();
    let pairs = hex.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let spans: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    let head = "POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf";
    assert_eq!(http(running.addresses.otlp_http.unwrap(), head, &spans).0, 200);
    running
}

/// The spans of an answer of version 3, in the order of their ids.
fn spans(result: &Json) -> Vec<Span> {
    let mut spans = decode_json(result.to_string().as_bytes(), &Limits::default()).unwrap().spans;
    spans.sort_by_key(|span| span.id);
    spans.iter_mut().for_each(|span| span.flags = 0);
    spans
}

#[test]
fn answers_are_those_of_jaeger() {
    let running = filled();
    let mut compared = 0;
    for (path, code, recorded) in requests(RECORDED) {
        let (status, answer) = get(running.addresses.page, path);
        assert_eq!(status, code, "{path}: {answer}");
        match recorded.get("result") {
            Some(result) => assert_eq!(spans(&answer["result"]), spans(result), "{path}"),
            None => assert_eq!(said(answer), said(recorded), "{path}"),
        }
        compared += 1;
    }
    assert_eq!(compared, 30);
}

/// jaeger-idl 0.14 has them; the Jaeger that was recorded has not.
#[test]
fn summaries_and_dependencies_are_told() {
    let running = filled();
    let page = running.addresses.page;
    let times = "query.startTimeMin=2025-12-31T23:00:00Z&query.startTimeMax=2026-01-01T01:00:00Z";
    let (status, answer) = get(page, &format!("/api/v3/trace-summaries?query.serviceName=cart&{times}"));
    let expected = json!({ "result": { "summaries": [{
        "traceId": "5b8efff798038103d269b633813fc60c", "rootServiceName": "web", "rootOperationName": "GET /cart/{id}",
        "minStartTimeUnixNano": "1767225600000000000", "maxEndTimeUnixNano": "1767225600050000000",
        "spanCount": 3, "errorSpanCount": 0, "orphanSpanCount": 0,
        "services": [
            { "name": "cart", "spanCount": 1, "errorSpanCount": 0 }, { "name": "web", "spanCount": 2, "errorSpanCount": 0 },
        ],
    }] } });
    assert_eq!((status, answer), (200, expected));
    let times = "startTime=2025-12-31T23:00:00Z&endTime=2026-01-01T01:00:00Z";
    let (status, answer) = get(page, &format!("/api/v3/dependencies?{times}"));
    let expected = json!({ "dependencies": [{ "parent": "web", "child": "cart", "callCount": "1" }] });
    assert_eq!((status, answer), (200, expected));
    let (status, answer) = get(page, &format!("/api/v3/trace-summaries?query.filter=x&{times}"));
    assert_eq!((status, &answer["error"]["httpCode"]), (400, &json!(400)));
}
