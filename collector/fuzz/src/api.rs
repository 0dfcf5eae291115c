//! Comes in: random bytes, of which the first chooses a path and the rest are its parameters. Goes out: nothing; a request
//! that a running collector does not answer, or answers with a failure of its own, panics.

use std::{
    fmt::Write as _,
    io::BufReader,
    net::{SocketAddr, TcpStream},
    sync::{LazyLock, Mutex, PoisonError},
};

use super::{
    query,
    running::{RUNNING, TOKEN, connect, exchange},
};

/// Port (0 the page's, 1 Zipkin's, 2 Tempo's) and path. What has no parameters is asked with some all the same.
const PATHS: &[(usize, &str)] = &[
    (0, "/api/services"),
    (0, "/api/services/web/operations"),
    (0, "/api/operations"),
    (0, "/api/traces"),
    (0, "/api/traces/1"),
    (0, "/api/dependencies"),
    (0, "/api/v3/operations"),
    (0, "/api/v3/traces"),
    (0, "/api/v3/trace-summaries"),
    (0, "/api/v3/dependencies"),
    (0, "/api/v1/traces"),
    (0, "/api/v1/spans"),
    (0, "/api/v1/operations"),
    (0, "/api/v1/attributes/a/values"),
    (0, "/api/v1/red"),
    (0, "/api/v1/map"),
    (0, "/api/v1/sql"),
    (1, "/api/v2/spans"),
    (1, "/api/v2/remoteServices"),
    (1, "/api/v2/traces"),
    (1, "/api/v2/traceMany"),
    (1, "/api/v2/dependencies"),
    (2, "/api/search"),
    (2, "/api/search/tags"),
    (2, "/api/v2/search/tag/span.a/values"),
    (2, "/api/v2/traces/1"),
];
const PIECES: &[&str] = &[
    "&",
    "=",
    "service",
    "operation",
    "tags",
    "{\"a\":\"1\"}",
    "{\"error\":\"true\"}",
    "minDuration",
    "maxDuration",
    "1ms",
    "start",
    "end",
    "lookback",
    "1h",
    "custom",
    "limit",
    "20",
    "traceID",
    "spanKind",
    "server",
    "query.serviceName",
    "query.operation_name",
    "query.start_time_min",
    "query.startTimeMax",
    "2026-01-01T00:00:00Z",
    "2027-01-01T00:00:00Z",
    "query.attributes",
    "query.durationMin",
    "query.duration_max",
    "query.searchDepth",
    "query.num_traces",
    "query.filter",
    "query.rawTraces",
    "startTime",
    "start_time",
    "endTime",
    "span_kind",
    "endTs",
    "1800000000000",
    "serviceName",
    "web",
    "spanName",
    "remoteServiceName",
    "annotationQuery",
    "error and a=1",
    "q",
    "{ .a > 1 } >> {}",
    "{ status = error }",
    "spss",
    "tag",
    "since",
    "10d",
    "kind",
    "status",
    "attribute",
    "min_duration",
    "sort",
    "longest",
    "offset",
    "count",
    "step",
    "by",
    "SELECT name FROM spans",
    "18446744073709551615",
    "-1",
    "9223372036854775807",
    "traceIds",
    "1,2",
    "%",
    "0101010101010101",
];

struct Client {
    ports: [SocketAddr; 3],
    streams: [Option<BufReader<TcpStream>>; 3],
}

static CLIENT: LazyLock<Mutex<Client>> = LazyLock::new(|| Mutex::new(Client::start()));

impl Client {
    fn start() -> Self {
        let addresses = &RUNNING.addresses;
        let port = |place: Option<SocketAddr>| place.expect("it was asked for");
        let ports = [addresses.page, port(addresses.zipkin), port(addresses.tempo)];
        Self { ports, streams: [None, None, None] }
    }

    /// The status of the answer. A connection may have been closed since the last request, a new one not.
    fn ask(&mut self, port: usize, request: &str) -> u16 {
        if let Some(status) =
            self.streams[port].as_mut().and_then(|stream| exchange(stream, request.as_bytes()))
        {
            return status;
        }
        let stream = self.streams[port].insert(connect(self.ports[port]));
        exchange(stream, request.as_bytes()).unwrap_or_else(|| panic!("no answer: {request}"))
    }
}

/// As a browser would write it, but for what stands between parameters.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'&' | b'=' | b'%' | b'+' => all.push(char::from(byte)),
            _ => write!(all, "%{byte:02X}").expect("text takes all"),
        }
        all
    })
}

/// One input.
pub fn api(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let (port, path) = PATHS[usize::from(*choice) % PATHS.len()];
    let parameters = encoded(&query(PIECES, "", rest));
    let request = format!(
        "GET {path}?{parameters} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    let status = CLIENT.lock().unwrap_or_else(PoisonError::into_inner).ask(port, &request);
    assert!(status < 500, "{status}: {request}");
}
