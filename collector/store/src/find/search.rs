//! What is asked for, and what is found.

use std::time::Instant;

use super::Filter;
use crate::{Kind, Span, SpanId, StatusCode, Text, TraceId};

/// A question for spans.
#[derive(Clone, Debug)]
pub struct Search {
    /// Which.
    pub filter: Filter,
    /// The earliest start, in nanoseconds since 1970.
    pub start: u64,
    /// The latest start, exclusive.
    pub end: u64,
    /// Which first.
    pub sort: Sort,
    /// At most so many.
    pub limit: usize,
    /// After leaving out so many.
    pub offset: usize,
    /// Only the first span of each trace.
    pub per_trace: bool,
    /// Count all that match, too.
    pub count: bool,
    /// Give up at this moment and say so.
    pub until: Option<Instant>,
}

/// Which spans come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By start, the latest first.
    #[default]
    Newest,
    /// By start.
    Oldest,
    /// By duration, the longest first.
    Longest,
    /// By duration.
    Shortest,
}

/// A span that was found, without its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// The span that caused it.
    pub parent: Option<SpanId>,
    /// The service.
    pub service: Text,
    /// The operation.
    pub name: Text,
    /// Which side of which kind of call.
    pub kind: Kind,
    /// How it ended.
    pub status: StatusCode,
    /// Start, in nanoseconds since 1970.
    pub start: u64,
    /// Duration in nanoseconds.
    pub duration: u64,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// One page.
    pub hits: Vec<Hit>,
    /// There are more after these.
    pub more: bool,
    /// How many match, where that was asked for.
    pub count: Option<u64>,
    /// The search gave up; there may be more.
    pub incomplete: bool,
}

impl Hit {
    /// What a search shows of a span.
    #[must_use]
    pub fn of(span: &Span) -> Self {
        Self {
            trace: span.trace,
            id: span.id,
            parent: span.parent,
            service: span.resource.service.clone(),
            name: span.name.clone(),
            kind: span.kind,
            status: span.status.code,
            start: span.start,
            duration: span.duration,
        }
    }

    /// End, in nanoseconds since 1970.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }
}

impl Search {
    /// The newest `limit` spans that meet `filter`, of all time.
    #[must_use]
    pub fn new(filter: Filter, limit: usize) -> Self {
        Self {
            filter,
            start: 0,
            end: u64::MAX,
            sort: Sort::Newest,
            limit,
            offset: 0,
            per_trace: false,
            count: false,
            until: None,
        }
    }
}
