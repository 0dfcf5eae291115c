//! Types that the trace stage gives.

use wirespan_span::span::Span;

/// W3C trace id, never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// W3C parent (span) id, never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// How a link between two spans is known. The layers of the design, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// A context in the bytes of the request.
    Header,
    /// The other end of the same connection.
    Wire,
    /// The same logical task.
    Task,
    /// A hand-over that was seen.
    Handoff,
    /// A rare name of the request that turned up in the call.
    Echo,
    /// How soon it followed, as the process usually goes on.
    Timing,
}

impl Method {
    /// The value of `wirespan.link.method`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Wire => "wire",
            Self::Task => "task",
            Self::Handoff => "handoff",
            Self::Echo => "echo",
            Self::Timing => "timing",
        }
    }
}

/// Why a span has its parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parent {
    /// The parent.
    pub span_id: SpanId,
    /// How it is known.
    pub method: Method,
    /// Probability that it is right, 0 to 1.
    pub confidence: f32,
    /// Is the parent outside this host (only its context was seen)?
    pub remote: bool,
}

/// A related span that is not the parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// How it is known.
    pub method: Method,
    /// Probability that it is right, 0 to 1.
    pub confidence: f32,
}

/// A span with its place in a trace.
#[derive(Clone, Debug)]
pub struct TracedSpan {
    /// Its own id.
    pub span_id: SpanId,
    /// Its parent, where one is known.
    pub parent: Option<Parent>,
    /// Related spans.
    pub links: Vec<Link>,
    /// `tracestate` as it came with the request's context; empty where there was none.
    pub trace_state: String,
    /// W3C trace flags as they came with the request's context; 1 (sampled) where there was none.
    pub trace_flags: u8,
    /// What happened.
    pub span: Box<Span>,
}

/// Spans of one trace that are given on together, parents before children. A trace whose spans end far apart comes
/// in several parts.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// Its spans (of this part).
    pub spans: Vec<TracedSpan>,
}
