//! Comes in: what the configuration says of the protocol stage. Goes out: its bounds, in one place. Refuses: nothing;
//! every value works, small ones see less.

use crate::kafka::Topics;

/// Bounds and choices of the protocol stage. Shared by all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A request with no byte of an answer after this time ends as timed out, ns.
    pub request_timeout_ns: u64,
    /// Requests of one connection that wait for their answers. One more, and all of them end as lost.
    pub max_pending: usize,
    /// Commands of one pipeline (Redis, Memcached) that get an exchange each; a longer pipeline is one exchange.
    pub max_pipeline: usize,
    /// Longest message head, bytes. A longer one is taken as cut there.
    pub max_head: usize,
    /// Calls of each direction that may begin with bytes of no known protocol before the connection is left alone.
    pub max_detection_tries: u8,
    /// Frames in a row that may be no such before a connection of a known protocol is left alone.
    pub max_strays: u16,
    /// How long both directions of a connection that pipelines must be silent after a loss until pairing is
    /// trusted again, ns.
    pub quiet_ns: u64,
    /// Longest text kept of a URL, bytes.
    pub max_url: usize,
    /// Longest text kept of any other header or name, bytes.
    pub max_text: usize,
    /// Longest text kept of a database query, bytes, after its literals were replaced.
    pub max_query: usize,
    /// Prepared statements remembered of one connection.
    pub max_statements: usize,
    /// Bytes that prepared statements of one connection may take.
    pub max_statement_bytes: usize,
    /// Request headers to be captured, in lower case. Off by default: headers carry secrets.
    pub capture_request_headers: Vec<String>,
    /// Response headers to be captured, in lower case. Off by default.
    pub capture_response_headers: Vec<String>,
    /// Names of Kafka topics by their ids, which all connections with these settings share.
    pub topics: Topics,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            request_timeout_ns: 60_000_000_000,
            max_pending: 256,
            max_pipeline: 16,
            max_head: 16 << 10,
            max_detection_tries: 16,
            max_strays: 64,
            quiet_ns: 100_000_000,
            max_url: 2048,
            max_text: 256,
            max_query: 4096,
            max_statements: 256,
            max_statement_bytes: 64 << 10,
            capture_request_headers: Vec::new(),
            capture_response_headers: Vec::new(),
            topics: Topics::default(),
        }
    }
}
