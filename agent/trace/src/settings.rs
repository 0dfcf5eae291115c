//! The bounds of this stage, and its counters: everything that is turned away has a name.

/// How traces are made. All bounds of the stage are here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key of the ids that both ends of a connection must agree on. Random, or the same on all hosts whose traces
    /// are to join without a word; secret, since whoever knows it can foretell ids.
    pub key: [u8; 16],
    /// Key of all other ids. Random, different on each host and at each start.
    pub seed: [u8; 16],
    /// Once no span of a trace is open, its spans wait this long for stragglers, ns; a tenth where many traces do.
    pub grace_ns: u64,
    /// The longest that a finished span waits for the rest of its trace, ns. What ends later comes in another part.
    pub wait_ns: u64,
    /// A connection remembers for whom it was opened until its first request, at most this long, ns.
    pub connect_ns: u64,
    /// Spans held, open and finished, of all traces; each costs about 1 kB.
    pub max_spans: usize,
    /// Spans of one trace that grow from local causes; further ones begin traces of their own, linked to the old
    /// one. Also the most spans given on in one part.
    pub max_trace_spans: usize,
    /// Threads whose current request is remembered.
    pub max_threads: usize,
    /// Processes whose habits are remembered.
    pub max_processes: usize,
    /// Below this confidence a cause is a link and no parent, 0 to 1.
    pub min_confidence: f32,
    /// Opened connections that have not sent a request yet.
    pub max_connects: usize,
    /// Messages whose ids are remembered until somebody is handed them.
    pub max_messages: usize,
    /// How long they are remembered, ns.
    pub message_ns: u64,
}

impl Settings {
    /// The defaults, with the keys, which have none.
    #[must_use]
    pub const fn new(key: [u8; 16], seed: [u8; 16]) -> Self {
        Self {
            key,
            seed,
            grace_ns: 20_000_000,
            wait_ns: 2_000_000_000,
            connect_ns: 10_000_000_000,
            max_spans: 131_072,
            max_trace_spans: 4096,
            max_threads: 65_536,
            max_processes: 16_384,
            min_confidence: 0.95,
            max_connects: 16_384,
            max_messages: 16_384,
            message_ns: 600_000_000_000,
        }
    }
}

/// What the stage did since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Spans given on.
    pub spans: u64,
    /// Traces given on, and parts of such.
    pub parts: u64,
    /// Of the spans: without a parent.
    pub roots: u64,
    /// Of the spans: parent by a context in the bytes.
    pub header: u64,
    /// Of the spans: parent by the other end of the connection.
    pub wire: u64,
    /// Of the spans: parent by the task.
    pub task: u64,
    /// Of the spans: parent by a hand-over.
    pub handoff: u64,
    /// Of the spans: parent by a rare name.
    pub echo: u64,
    /// Of the spans: parent by the times at which things happened.
    pub timing: u64,
    /// Starts that were taken back.
    pub withdrawn: u64,
    /// Links that evidence spoke for and a veto prevented.
    pub vetoed: u64,
    /// Requests whose cause is too unsure to be their parent: they have a link to it.
    pub unsure: u64,
    /// Spans that began a trace of their own because that of their parent was full.
    pub split: u64,
    /// Starts that found the table of spans full. Their spans are given on as roots.
    pub untracked: u64,
    /// Spans that ended without a known start; `untracked` ones are among them.
    pub unannounced: u64,
    /// Parts given on before their time to make room.
    pub hurried: u64,
    /// Requests whose thread was not remembered because the table of threads was full.
    pub threads_full: u64,
    /// Opened connections forgotten because their table was full.
    pub connects_full: u64,
    /// Messages whose ids were forgotten because their table was full.
    pub messages_full: u64,
    /// Spans that were still open at the flush.
    pub unfinished: u64,
}
