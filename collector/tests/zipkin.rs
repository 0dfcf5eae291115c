//! Zipkin's API against what the real Zipkin answered to the same requests on the same spans.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::{get, http, requests, said, start};

const RECORDED: &str = include_str!("recorded/zipkin.txt");

#[test]
fn answers_are_those_of_zipkin() {
    let running = start();
    let zipkin = running.addresses.zipkin.unwrap();
    let spans = RECORDED.lines().find_map(|line| line.strip_prefix("spans ")).unwrap();
    let head = "POST /api/v2/spans HTTP/1.1\r\nContent-Type: application/json";
    assert_eq!(http(zipkin, head, spans.as_bytes()).0, 202);
    let mut compared = 0;
    for (path, code, recorded) in requests(RECORDED) {
        let (status, answer) = get(zipkin, path);
        assert_eq!(status, code, "{path}: {answer}");
        if code == 200 {
            assert_eq!(said(answer), said(recorded), "{path}");
        }
        compared += 1;
    }
    assert_eq!(compared, 23);
}
