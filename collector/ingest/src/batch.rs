//! What one request held: spans that are good, and why others are not.

use std::collections::BTreeMap;

use wirespan_store::{Span, SpanId, TraceId};

/// Why a span is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The trace id does not have 16 bytes or is all zero.
    TraceId,
    /// The span id does not have 8 bytes or is all zero.
    SpanId,
    /// The start is missing or beyond the year 2262.
    Time,
    /// It is not built as its format wants it.
    Form,
}

/// The spans of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Those that are good.
    pub spans: Vec<Span>,
    /// How many are not, by cause.
    pub refused: BTreeMap<Cause, u64>,
}

impl Cause {
    /// As a counter is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TraceId => "bad_trace_id",
            Self::SpanId => "bad_span_id",
            Self::Time => "bad_time",
            Self::Form => "malformed",
        }
    }

    fn said(self) -> &'static str {
        match self {
            Self::TraceId => "a trace id that is not 16 bytes, or all zero",
            Self::SpanId => "a span id that is not 8 bytes, or all zero",
            Self::Time => "no start time, or one after 2262",
            Self::Form => "a form that this protocol does not have",
        }
    }
}

impl Batch {
    pub(crate) fn add(&mut self, span: Result<Span, Cause>) {
        match span {
            Ok(span) => self.spans.push(span),
            Err(cause) => *self.refused.entry(cause).or_default() += 1,
        }
    }

    /// How many spans are not taken.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// What to tell the sender; empty when all is well.
    #[must_use]
    pub fn said(&self) -> String {
        let causes: Vec<_> =
            self.refused.iter().map(|(cause, spans)| format!("{spans} with {}", cause.said())).collect();
        if causes.is_empty() { String::new() } else { format!("spans refused: {}", causes.join(", ")) }
    }
}

pub(crate) fn trace_id(bytes: &[u8]) -> Result<TraceId, Cause> {
    let id: [u8; 16] = bytes.try_into().map_err(|_| Cause::TraceId)?;
    if id == [0; 16] { Err(Cause::TraceId) } else { Ok(TraceId(id)) }
}

pub(crate) fn span_id(bytes: &[u8]) -> Result<SpanId, Cause> {
    let id: [u8; 8] = bytes.try_into().map_err(|_| Cause::SpanId)?;
    if id == [0; 8] { Err(Cause::SpanId) } else { Ok(SpanId(id)) }
}

/// Start and duration; an end before the start is the start.
pub(crate) fn times(start: u64, end: u64) -> Result<(u64, u64), Cause> {
    if start == 0 || start > i64::MAX as u64 {
        return Err(Cause::Time);
    }
    Ok((start, end.saturating_sub(start).min(i64::MAX as u64)))
}
