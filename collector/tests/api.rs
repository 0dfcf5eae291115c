//! A whole collector over the network: OTLP and Zipkin in, every API out. No client of ours: bytes over a socket.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use wirespan_collector::{Durability, Keep, Running, Settings};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn start(keep: Keep) -> Running {
    wirespan_collector::start(&Settings { keep, ..Settings::scratch(TOKEN) }).unwrap()
}

fn on_disk(directory: &Path) -> Keep {
    let age = std::time::Duration::from_secs(3600);
    Keep::Disk { directory: directory.to_owned(), durability: Durability::Grouped, bytes: 1 << 30, age }
}

/// Status, headers in lower case, body.
fn http(place: SocketAddr, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(place).unwrap();
    write!(stream, "{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

fn get(place: SocketAddr, path: &str) -> (u16, Json) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {place}\r\nAuthorization: Bearer {TOKEN}");
    let (status, _, body) = http(place, &head, &[]);
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn post(place: SocketAddr, path: &str, body: &Json) -> (u16, Json) {
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json");
    let (status, _, body) = http(place, &head, body.to_string().as_bytes());
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// `web` calls `cart`, whose name a page must not take for markup.
fn request(now: u64) -> Json {
    let part = |service: &str, span: Json| {
        json!({
            "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] },
            "scopeSpans": [{ "spans": [span] }],
        })
    };
    let span = |id: &str, parent: &str, kind: u64, name: &str, status: u64| {
        json!({
            "traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "kind": kind,
            "startTimeUnixNano": now.to_string(), "endTimeUnixNano": (now + 5_000_000).to_string(),
            "status": { "code": status },
            "attributes": [{ "key": "http.response.status_code", "value": { "intValue": "500" } }],
        })
    };
    json!({ "resourceSpans": [
        part("web", span("eee19b7ec3c1b174", "", 3, "GET", 0)),
        part("cart", span("eee19b7ec3c1b175", "eee19b7ec3c1b174", 2, "<script>alert(1)</script>", 2)),
        part("cart", json!({ "traceId": "00", "spanId": "1", "startTimeUnixNano": "1" })),
    ] })
}

#[test]
fn what_is_sent_is_answered_by_every_api_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let running = start(on_disk(directory.path()));
    let (status, answer) = post(running.addresses.otlp_http.unwrap(), "/v1/traces", &request(now()));
    assert_eq!((status, &answer["partialSuccess"]["rejectedSpans"]), (200, &json!("1")));
    answers(&running);
    drop(running);
    answers(&start(on_disk(directory.path())));
}

/// Where to ask, what, and what to find where in the answer.
type Case = (SocketAddr, String, &'static str, Json);

/// `{ status = error && .http.response.status_code >= 500 }`, encoded.
const ERROR: &str = "%7B%20status%20%3D%20error%20%26%26%20.http.response.status_code%20%3E%3D%20500%20%7D";

fn answers(running: &Running) {
    for (place, path, pointer, expected) in [own(running), tools(running)].concat() {
        let (status, answer) = get(place, &path);
        assert_eq!((status, answer.pointer(pointer)), (200, Some(&expected)), "{path}: {answer}");
    }
}

fn own(running: &Running) -> Vec<Case> {
    let page = running.addresses.page;
    let child = "%7B%20resource.service.name%20%3D%20%22web%22%20%7D%20%3E%20%7B%7D";
    vec![
        (page, "/api/v1/services".to_owned(), "/services/0/name", json!("cart")),
        (page, format!("/api/v1/traces?q={ERROR}"), "/traces/0/matched/0/service", json!("cart")),
        (page, format!("/api/v1/traces?q={child}"), "/traces/0/matched/0/span_id", json!("eee19b7ec3c1b175")),
        (page, "/api/v1/traces?service=web&min_trace_duration=1ms".into(), "/traces/0/spans", json!(2)),
        (page, "/api/v1/traces?service=web&min_trace_duration=1s".into(), "/traces", json!([])),
        (page, "/api/v1/spans?kind=server&count=true".into(), "/matched_spans", json!(1)),
        (page, format!("/api/v1/traces/{TRACE}"), "/spans/0/span_id", json!("eee19b7ec3c1b174")),
        (
            page,
            format!("/api/v1/traces/{TRACE}?format=otlp"),
            "/resourceSpans/0/scopeSpans/0/spans/0/traceId",
            json!(TRACE),
        ),
        (page, format!("/api/v1/traces/{TRACE}?format=perfetto"), "/traceEvents/0/args/name", json!("cart")),
        (page, format!("/api/v1/traces/{TRACE}?format=outline"), "/spans/parent", json!([-1, 0])),
        (
            page,
            format!("/api/v1/traces/{TRACE}/spans/eee19b7ec3c1b175"),
            "/spans/0/resource/service",
            json!("cart"),
        ),
        (page, format!("/api/v1/traces/{TRACE}/matches?q={ERROR}"), "/span_ids", json!(["eee19b7ec3c1b175"])),
        (page, "/api/v1/red?service=cart".into(), "/series/0/total/errors", json!(1)),
        (page, "/api/v1/map".into(), "/edges/0/to", json!("cart")),
        (page, "/api/v1/map".into(), "/edges/0/to_kind", json!("service")),
        (page, "/api/v1/attributes".into(), "/attributes/0/key", json!("http.response.status_code")),
        (page, "/api/v1/attributes/http.response.status_code/values".into(), "/values/0/value", json!("500")),
        (page, "/api/v1/status".into(), "/store/spans", json!(2)),
    ]
}

fn tools(running: &Running) -> Vec<Case> {
    let page = running.addresses.page;
    let (zipkin, tempo) = (running.addresses.zipkin.unwrap(), running.addresses.tempo.unwrap());
    let minute = "query.startTimeMin=2020-01-01T00:00:00Z&query.startTimeMax=2200-01-01T00:00:00Z";
    vec![
        (page, "/api/services".into(), "/data/1", json!("web")),
        (page, "/api/services/web/operations".into(), "/data/0", json!("GET")),
        (
            page,
            "/api/traces?service=cart&tags=%7B%22error%22%3A%22true%22%7D".into(),
            "/data/0/traceID",
            json!(TRACE),
        ),
        (
            page,
            format!("/api/traces/{TRACE}"),
            "/data/0/spans/1/references/0/spanID",
            json!("eee19b7ec3c1b174"),
        ),
        (page, "/api/dependencies".into(), "/data/0/callCount", json!(1)),
        (
            page,
            format!("/api/v3/traces?{minute}"),
            "/result/resourceSpans/0/scopeSpans/0/spans/0/traceId",
            json!(TRACE),
        ),
        (
            page,
            format!("/api/v3/traces/{TRACE}"),
            "/result/resourceSpans/0/scopeSpans/0/spans/0/kind",
            json!(3),
        ),
        (zipkin, "/api/v2/services".into(), "/1", json!("web")),
        (zipkin, "/api/v2/traces?serviceName=web".into(), "/0/0/traceId", json!(TRACE)),
        (zipkin, format!("/api/v2/trace/{TRACE}"), "/1/tags/http.response.status_code", json!("500")),
        (zipkin, "/api/v2/dependencies".into(), "/0/child", json!("cart")),
        (tempo, format!("/api/search?q={ERROR}"), "/traces/0/rootServiceName", json!("web")),
        (tempo, "/api/search?tags=service.name%3Dweb".into(), "/traces/0/traceID", json!(TRACE)),
        (tempo, format!("/api/traces/{TRACE}"), "/batches/0/scopeSpans/0/spans/0/name", json!("GET")),
        (
            tempo,
            "/api/v2/search/tag/resource.service.name/values".into(),
            "/tagValues/0/value",
            json!("cart"),
        ),
    ]
}

#[test]
fn wrong_questions_are_told_what_is_wrong() {
    let running = start(Keep::Memory(1000));
    let page = running.addresses.page;
    let cases = [
        ("/api/v1/traces?q=%7B%20nmae%20%3D%201%20%7D", 400, "nmae"),
        ("/api/v1/traces?colour=red", 400, "colour"),
        ("/api/v1/traces?min_duration=5", 400, "duration"),
        ("/api/v1/traces?limit=10001", 400, "10000"),
        ("/api/v1/spans?limit=0", 400, "at least one"),
        ("/api/v1/traces?start=9&end=8", 400, "after"),
        ("/api/v1/spans?q=%7B%7D%20%3E%20%7B%7D", 400, "braces"),
        ("/api/v1/traces/nothex", 400, "hex"),
        ("/api/v1/traces/1", 404, "no trace"),
        ("/api/v1/traces/1/spans/2", 404, "no trace"),
        ("/api/v1/traces/1/spans/x", 400, "hex"),
        ("/api/v1/traces/1/matches", 400, "`q`"),
        ("/api/v1/traces/1/matches?q=%7B", 400, "field"),
        ("/api/v1/traces/1?format=svg", 404, "no trace"),
        ("/api/v1/red?step=1s", 400, "minutes"),
        ("/api/v3/traces", 400, "required"),
        ("/api/nothing", 404, ""),
    ];
    for (path, status, said) in cases {
        let (found, answer) = get(page, path);
        assert!(found == status && answer.to_string().contains(said), "{path}: {found} {answer}");
    }
    let (_, answer) = get(page, "/api/v1/traces?q=%7B%20nmae%20%3D%201%20%7D");
    assert_eq!(answer["at"], 2);
}

#[test]
fn who_may_not_is_not_answered() {
    let running = start(Keep::Memory(1000));
    let page = running.addresses.page;
    let cases = [
        (format!("GET /api/v1/services HTTP/1.1\r\nHost: {page}"), 401),
        (
            format!(
                "GET /api/v1/services HTTP/1.1\r\nHost: {page}\r\nAuthorization: Bearer {}",
                "0".repeat(32)
            ),
            401,
        ),
        (format!("GET /api/v1/services HTTP/1.1\r\nHost: {page}\r\nCookie: wirespan_token={TOKEN}"), 200),
        (
            format!("GET /api/v1/services HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {TOKEN}"),
            403,
        ),
        (
            format!(
                "GET /api/v1/services HTTP/1.1\r\nHost: {page}\r\nOrigin: http://evil.example\r\nAuthorization: Bearer {TOKEN}"
            ),
            403,
        ),
    ];
    for (head, status) in cases {
        assert_eq!(http(page, &head, &[]).0, status, "{head}");
    }
    let otlp = running.addresses.otlp_http.unwrap();
    let form = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Type: text/plain";
    assert_eq!(http(otlp, form, b"{}").0, 403);
    let (status, head, _) = http(page, &format!("GET /?token={TOKEN} HTTP/1.1\r\nHost: {page}"), &[]);
    assert!(status == 303 && head.contains("httponly") && head.contains("samesite=strict"), "{head}");
}

#[test]
fn what_was_exported_can_be_imported() {
    let running = start(Keep::Memory(1000));
    post(running.addresses.otlp_http.unwrap(), "/v1/traces", &request(now()));
    for format in ["otlp", "jaeger"] {
        let (_, file) = get(running.addresses.page, &format!("/api/v1/traces/{TRACE}?format={format}"));
        let elsewhere = start(Keep::Memory(1000));
        let page = elsewhere.addresses.page;
        let send = |known: &str, body: &str| {
            http(page, &format!("POST /api/v1/import HTTP/1.1\r\nHost: {page}{known}"), body.as_bytes())
        };
        let known = format!("\r\nAuthorization: Bearer {TOKEN}");
        assert_eq!(send("", &file.to_string()).0, 401);
        assert_eq!((send(&known, "[]").0, send(&known, "{").0), (400, 400));
        let (status, _, body) = send(&known, &file.to_string());
        let answer: Json = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &answer["spans"], &answer["trace_ids"][0]), (200, &json!(2), &json!(TRACE)));
        let (_, _, body) = send(&known, &file.to_string());
        let answer: Json = serde_json::from_slice(&body).unwrap();
        assert_eq!((&answer["spans"], &answer["known"]), (&json!(0), &json!(2)));
        let (_, again) = get(page, &format!("/api/v1/traces/{TRACE}?format={format}"));
        assert_eq!(again, file, "{format}");
    }
}

#[test]
fn the_page_is_for_who_knows_the_token() {
    let running = start(Keep::Memory(1000));
    let page = running.addresses.page;
    let open = |more: &str| http(page, &format!("GET /trace/1 HTTP/1.1\r\nHost: {page}{more}"), &[]);
    assert_eq!(open("").0, 401);
    let (status, head, body) = open(&format!("\r\nCookie: wirespan_token={TOKEN}"));
    assert!(status == 200 && head.contains("content-type: text/html"), "{head}");
    assert!(
        head.contains("content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';")
    );
    assert!(String::from_utf8(body).unwrap().contains("<div id=\"page\">"));
}

#[test]
fn hostile_bodies_get_clear_answers() {
    let running = start(Keep::Memory(1000));
    let otlp = running.addresses.otlp_http.unwrap();
    let send = |kind: &str, encoding: &str, body: &[u8]| {
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Encoding: {encoding}"
        );
        http(otlp, &head, body).0
    };
    assert_eq!(send("application/json", "identity", b"{"), 400);
    assert_eq!(send("application/x-protobuf", "identity", &[0xff; 100]), 400);
    assert_eq!(send("application/x-protobuf", "gzip", b"not gzip"), 400);
    assert_eq!(send("application/json", "br", b"{}"), 415);
    assert_eq!(send("text/plain", "identity", b"{}"), 415);
    assert_eq!(post(running.addresses.zipkin.unwrap(), "/api/v2/spans", &json!({})).0, 400);
    assert_eq!(send("application/json", "identity", b"{}"), 200);
}

#[test]
fn a_reader_sees_spans_as_they_arrive() {
    let running = start(Keep::Memory(1000));
    let page = running.addresses.page;
    let mut stream = TcpStream::connect(page).unwrap();
    let head = format!(
        "GET /api/v1/tail?service=cart HTTP/1.1\r\nHost: {page}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    // The answer's head is there: from now on nothing is missed.
    assert!(lines.any(|line| line.is_empty()));
    post(running.addresses.otlp_http.unwrap(), "/v1/traces", &request(now()));
    let shown = lines.find(|line| line.starts_with("data:")).unwrap();
    assert!(shown.contains("\"service\":\"cart\"") && shown.contains("eee19b7ec3c1b175"), "{shown}");
}

#[test]
fn zipkin_spans_are_stored() {
    let running = start(Keep::Memory(1000));
    let zipkin = running.addresses.zipkin.unwrap();
    let span = json!([{
        "traceId": "5af7183fb1d4cf5f", "id": "352bff9a74ca9ad2", "name": "get", "timestamp": now() / 1000,
        "duration": 1431, "kind": "SERVER", "localEndpoint": { "serviceName": "Backend" },
    }]);
    assert_eq!(post(zipkin, "/api/v2/spans", &span).0, 202);
    let (status, answer) = get(zipkin, "/api/v2/traces?serviceName=backend&spanName=get");
    assert_eq!((status, &answer[0][0]["id"]), (200, &json!("352bff9a74ca9ad2")));
}

#[test]
fn older_senders_of_zipkin_are_understood() {
    let running = start(Keep::Memory(1000));
    let zipkin = running.addresses.zipkin.unwrap();
    let begun = now() / 1000;
    let annotation = |value: &str, time: u64| json!({ "timestamp": time, "value": value, "endpoint": { "serviceName": "old" } });
    let span = json!([{
        "traceId": "5af7183fb1d4cf5f", "id": "352bff9a74ca9ad2", "name": "get",
        "annotations": [annotation("sr", begun), annotation("ss", begun + 1431)],
    }]);
    assert_eq!(post(zipkin, "/api/v1/spans", &span).0, 202);
    let (status, answer) = get(zipkin, "/api/v2/traces?serviceName=old&spanName=get");
    assert_eq!((status, &answer[0][0]["duration"]), (200, &json!(1431)));
    let thrift = "POST /api/v1/spans HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-thrift";
    assert_eq!(http(zipkin, thrift, &[]).0, 415);
}

/// Two agents' spans of one exchange, in two requests: whichever comes first, they are one trace.
#[test]
fn spans_of_two_hosts_are_one_trace() {
    let running = start(Keep::Memory(1000));
    let otlp = running.addresses.otlp_http.unwrap();
    let (client, server) = ("5b8efff798038103d269b633813fc60c", "6b8efff798038103d269b633813fc60d");
    let span = |service: &str, trace: &str, id: &str, kind: u64| {
        json!({ "resourceSpans": [{
            "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] },
            "scopeSpans": [{ "spans": [{
                "traceId": trace, "spanId": id, "name": "GET", "kind": kind,
                "startTimeUnixNano": now().to_string(), "endTimeUnixNano": (now() + 1000).to_string(),
                "attributes": [{ "key": "wirespan.exchange", "value": { "stringValue": "0000a1b2:ffee0011" } }],
            }] }],
        }] })
    };
    assert_eq!(post(otlp, "/v1/traces", &span("cart", server, "00000000000000b2", 2)).0, 200);
    assert_eq!(post(otlp, "/v1/traces", &span("web", client, "00000000000000a1", 3)).0, 200);
    for id in [client, server] {
        let (status, trace) = get(running.addresses.page, &format!("/api/v1/traces/{id}"));
        assert_eq!((status, &trace["trace_id"]), (200, &json!(client)));
        let spans = trace["spans"].as_array().unwrap();
        let child = spans.iter().find(|span| span["kind"] == "server").unwrap();
        assert_eq!((spans.len(), &child["parent_id"]), (2, &json!("00000000000000a1")));
        assert_eq!(child["attributes"]["wirespan.link.method"], "wire");
    }
    let (_, status) = get(running.addresses.page, "/api/v1/status");
    assert_eq!(status["ingest"]["joined"], 1);
}

#[test]
fn sql_is_answered_and_mistakes_are_pointed_at() {
    let running = start(Keep::Memory(1000));
    let page = running.addresses.page;
    assert_eq!(post(running.addresses.otlp_http.unwrap(), "/v1/traces", &request(now())).0, 200);
    let (status, answer) = get(page, "/api/v1/sql?q=SELECT%20service%20FROM%20spans%20ORDER%20BY%201");
    assert_eq!((status, &answer["rows"]), (200, &json!([["cart"], ["web"]])));
    let (status, answer) = get(page, "/api/v1/sql?q=SELECT%20nothing%20FROM%20spans");
    assert_eq!((status, &answer["at"]), (400, &json!(7)));
    let (status, answer) = get(page, "/api/v1/sql?q=DELETE%20FROM%20spans");
    assert_eq!((status, &answer["parameter"]), (400, &json!("q")));
}

#[test]
fn the_collector_tells_how_it_is() {
    let running = start(Keep::Memory(1000));
    let page = running.addresses.page;
    let sent = request(now());
    for _ in 0..2 {
        assert_eq!(post(running.addresses.otlp_http.unwrap(), "/v1/traces", &sent).0, 200);
    }
    running.tell(|| json!({ "wirespan_capture_ratio": 1.0 }));
    let (_, status) = get(page, "/api/v1/status");
    assert_eq!((&status["ingest"]["repeated"], &status["store"]["spans"]), (&json!(2), &json!(2)));
    assert_eq!(status["agent"]["wirespan_capture_ratio"], 1.0);
    assert_eq!(http(page, &format!("GET /metrics HTTP/1.1\r\nHost: {page}"), &[]).0, 401);
    let head = format!("GET /metrics HTTP/1.1\r\nHost: {page}\r\nAuthorization: Bearer {TOKEN}");
    let (status, _, body) = http(page, &head, &[]);
    let body = String::from_utf8(body).unwrap();
    for line in
        ["repeated_spans_total 2", "accepted_spans_total 4", "refused_spans_total{cause=\"bad_trace_id\"} 2"]
    {
        assert!(status == 200 && body.contains(&format!("wirespan_collector_{line}\n")), "{line}: {body}");
    }
}
