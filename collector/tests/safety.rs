//! Who may ask and send, and how much: a collector with a token for each, from outside and with more than it takes.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use wirespan_collector::{Running, Settings};

const READ: &str = "0123456789abcdef0123456789abcdef";
const SEND: &str = "fedcba9876543210fedcba9876543210";
/// One byte more than a request may hold.
const TOO_MUCH: usize = (16 << 20) + 1;

fn settings() -> Settings {
    Settings { ingest_token: Some(SEND.to_owned()), ..Settings::scratch(READ) }
}

fn start() -> Running {
    wirespan_collector::start(&settings()).unwrap()
}

/// Status and headers, in lower case.
fn ask(place: SocketAddr, request: &str, token: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(place).unwrap();
    let length = body.len();
    let known = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    write!(stream, "{request} HTTP/1.1\r\nHost: {place}\r\n{known}Content-Type: application/json\r\n")
        .unwrap();
    write!(stream, "Content-Length: {length}\r\nConnection: close\r\n\r\n").unwrap();
    // Whoever refuses a body may do so before it has come.
    let _refused = stream.write_all(body);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head)
}

#[test]
fn what_other_hosts_reach_wants_tls_or_to_be_asked_for() {
    for (remote, listen) in [(false, "0.0.0.0:0"), (false, "[::]:0"), (true, "0.0.0.0:0")] {
        let asked = Settings { listen: listen.to_owned(), remote, ..settings() };
        let started = wirespan_collector::start(&asked);
        assert_eq!(started.is_ok(), remote, "{listen}");
        if let Err(error) = started {
            assert!(error.to_string().contains("--remote"), "{error:#}");
        }
    }
}

#[test]
fn who_sends_and_who_reads_have_tokens_of_their_own() {
    let running = start();
    let [otlp, zipkin, page, tempo] = [
        running.addresses.otlp_http.unwrap(),
        running.addresses.zipkin.unwrap(),
        running.addresses.page,
        running.addresses.tempo.unwrap(),
    ];
    let cases = [
        (otlp, "POST /v1/traces", "{}", SEND),
        (zipkin, "POST /api/v2/spans", "[]", SEND),
        (zipkin, "GET /api/v2/services", "", READ),
        (page, "GET /api/v1/services", "", READ),
        (page, "GET /api/services", "", READ),
        (page, "GET /api/v3/services", "", READ),
        (page, "GET /", "", READ),
        (tempo, "GET /api/search", "", READ),
    ];
    for (place, request, body, right) in cases {
        for token in [READ, SEND, "", "wrong"] {
            let (status, head) = ask(place, request, token, body.as_bytes());
            assert_eq!(status < 300, token == right, "{request} with {token}: {head}");
            assert!(token == right || status == 401, "{request} with {token}: {head}");
        }
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let running = start();
    let body = vec![b' '; TOO_MUCH];
    for (place, request, token) in [
        (running.addresses.otlp_http.unwrap(), "POST /v1/traces", SEND),
        (running.addresses.zipkin.unwrap(), "POST /api/v2/spans", SEND),
        (running.addresses.page, "POST /api/v1/import", READ),
    ] {
        let (status, head) = ask(place, request, token, &body);
        // The connection may be reset while the rest of the body is under way: nothing is read of the answer then.
        assert!(matches!(status, 413 | 0), "{request}: {head}");
    }
    // Nothing of it has hurt.
    assert_eq!(ask(running.addresses.page, "GET /api/v1/services", READ, &[]).0, 200);
}

#[test]
fn so_many_may_watch_and_no_more() {
    let running = start();
    let page = running.addresses.page;
    let watch = || {
        let mut stream = TcpStream::connect(page).unwrap();
        write!(stream, "GET /api/v1/tail HTTP/1.1\r\nHost: {page}\r\nAuthorization: Bearer {READ}\r\n\r\n")
            .unwrap();
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        (reader, first)
    };
    let readers: Vec<_> = (0..64).map(|_| watch()).collect();
    assert!(readers.iter().all(|(_, first)| first.contains("200")));
    let (status, head) = ask(page, "GET /api/v1/tail", READ, &[]);
    assert!(status == 429 && head.contains("retry-after: 1"), "{head}");
}

#[test]
fn no_browser_takes_an_answer_for_a_page() {
    let running = start();
    for path in ["/api/v1/services", "/api/services", "/api/v3/services", "/api/v1/traces/1", "/metrics"] {
        let (_, head) = ask(running.addresses.page, &format!("GET {path}"), READ, &[]);
        assert!(
            head.contains("x-content-type-options: nosniff") && !head.contains("text/html"),
            "{path}: {head}"
        );
    }
}
