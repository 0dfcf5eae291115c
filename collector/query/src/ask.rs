//! A question for traces in, a page of summaries out. What a span decides alone goes to the store as it is; what needs
//! the whole trace is looked up among candidates, as many as the bounds allow.

use std::time::Instant;

use wirespan_store::{Hit, Search, Sort, Span, Store, StoreError};

use crate::{
    Summary,
    traceql::{Spanset, evaluate},
};

/// Matched spans that a summary shows.
const SHOWN: usize = 10;
/// Whole traces that one question looks at.
const LOOKS: usize = 5000;
/// Candidates that are asked for at once.
const CHUNK: usize = 500;

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which spans a trace must have.
    pub query: Spanset,
    /// The earliest start of such a span, in nanoseconds since 1970.
    pub start: u64,
    /// The latest, exclusive.
    pub end: u64,
    /// Which traces first: by the span that matches.
    pub sort: Sort,
    /// At most so many.
    pub limit: usize,
    /// After leaving out so many.
    pub offset: usize,
    /// Count matching spans, too.
    pub count: bool,
    /// Give up at this moment and say so.
    pub until: Option<Instant>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T = Summary> {
    /// One page.
    pub traces: Vec<T>,
    /// There are more after these.
    pub more: bool,
    /// How many spans match, where that was asked for and can be told.
    pub count: Option<u64>,
    /// The search gave up; there may be more.
    pub incomplete: bool,
}

/// A trace that answers, looked at whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// In short.
    pub summary: Summary,
    /// All of its spans that match, by start.
    pub spans: Vec<Span>,
}

impl Ask {
    fn search(&self, limit: usize, offset: usize) -> Search {
        Search {
            filter: self.query.simple().cloned().unwrap_or_else(|| self.query.candidates()),
            start: self.start,
            end: self.end,
            sort: self.sort,
            limit,
            offset,
            per_trace: true,
            count: self.count && self.query.simple().is_some(),
            until: self.until,
        }
    }
}

/// Traces that answer the question.
///
/// # Errors
/// What is stored cannot be read.
pub fn traces(store: &dyn Store, ask: &Ask) -> Result<Answer, StoreError> {
    if ask.query.simple().is_none() {
        return whole(store, ask, CHUNK, |trace| {
            let matched = trace.matched().take(SHOWN).map(Hit::of).collect();
            trace.summary(matched)
        });
    }
    let found = store.search(&ask.search(ask.limit, ask.offset))?;
    let mut traces = Vec::with_capacity(found.hits.len());
    for hit in found.hits {
        traces.push(Summary::new(hit.trace, &store.outline(hit.trace)?, vec![hit]));
    }
    Ok(Answer { traces, more: found.more, count: found.count, incomplete: found.incomplete })
}

/// The same with every span that matches. It reads each trace whole, so ask for few.
///
/// # Errors
/// What is stored cannot be read.
pub fn matches(store: &dyn Store, ask: &Ask) -> Result<Answer<Match>, StoreError> {
    // Where a span decides alone, every candidate answers.
    let chunk = if ask.query.simple().is_some() { (ask.limit + 1).min(CHUNK) } else { CHUNK };
    whole(store, ask, chunk, |trace| Match {
        summary: trace.summary(Vec::new()),
        spans: trace.matched().cloned().collect(),
    })
}

/// A trace and the places of the spans that match.
struct Looked {
    spans: Vec<Span>,
    places: Vec<usize>,
}

impl Looked {
    fn at(store: &dyn Store, ask: &Ask, candidate: &Hit) -> Result<Option<Self>, StoreError> {
        let spans = store.trace(candidate.trace)?;
        let places = evaluate(&ask.query, &spans);
        Ok((!places.is_empty()).then_some(Self { spans, places }))
    }

    fn matched(&self) -> impl Iterator<Item = &Span> {
        self.places.iter().filter_map(|at| self.spans.get(*at))
    }

    fn summary(&self, matched: Vec<Hit>) -> Summary {
        let id = self.spans.first().map(|span| span.trace).unwrap_or_default();
        let hits: Vec<_> = self.spans.iter().map(Hit::of).collect();
        Summary::new(id, &hits, matched)
    }
}

fn whole<T>(
    store: &dyn Store,
    ask: &Ask,
    chunk: usize,
    make: impl Fn(Looked) -> T,
) -> Result<Answer<T>, StoreError> {
    let mut answer = Answer { traces: Vec::new(), more: false, count: None, incomplete: false };
    let mut skip = ask.offset;
    for offset in (0..LOOKS).step_by(chunk) {
        let found = store.search(&ask.search(chunk, offset))?;
        answer.incomplete |= found.incomplete;
        for candidate in found.hits {
            if ask.until.is_some_and(|until| Instant::now() > until) {
                answer.incomplete = true;
                return Ok(answer);
            }
            let Some(looked) = Looked::at(store, ask, &candidate)? else { continue };
            if skip > 0 {
                skip -= 1;
            } else if answer.traces.len() == ask.limit {
                answer.more = true;
                return Ok(answer);
            } else {
                answer.traces.push(make(looked));
            }
        }
        if !found.more {
            return Ok(answer);
        }
    }
    answer.incomplete = true;
    Ok(answer)
}
