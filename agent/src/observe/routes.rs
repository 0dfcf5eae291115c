//! Spans counted by service and route. Comes in: finished traces, on the capture thread. Goes out: the counts since they
//! were last taken. Refuses: more than [`MOST`] routes at a time; further ones share a line.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use wirespan_trace::{
    span::{Role, Span, Status},
    trace::Trace,
};

use super::latency::Latency;

/// Routes told apart.
pub(super) const MOST: usize = 2048;

/// What spans are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// `service.name`.
    pub service: String,
    /// Does the service answer (server, consumer), or ask?
    pub serves: bool,
    /// Low-cardinality name of the spans.
    pub name: String,
}

impl Route {
    fn of(span: &Span) -> Self {
        Self {
            service: plain(span.resource.service_name()),
            serves: matches!(span.role, Role::Server | Role::Consumer),
            name: plain(&span.name),
        }
    }

    /// Of all for which there was no room.
    fn others() -> Self {
        Self { service: "(others)".to_owned(), serves: true, name: String::new() }
    }
}

/// Names come from the traced programs: nothing in them may steer a terminal.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() || ('\u{200b}'..='\u{202e}').contains(&c) { '?' } else { c })
        .collect()
}

/// Counts of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) latency: Latency,
}

impl Tally {
    fn add(&mut self, span: &Span) {
        self.requests += 1;
        self.errors += u64::from(matches!(span.status, Status::Error(_)));
        self.latency.add(span.boot.1.since(span.boot.0));
    }
}

/// Counts by route, since they were last taken.
#[derive(Debug, Default)]
pub struct Routes(Mutex<FxHashMap<Route, Tally>>);

impl Routes {
    /// Counts the spans of these traces.
    pub fn count(&self, traces: &[Trace]) {
        let mut tallies = self.locked();
        for span in traces.iter().flat_map(|trace| &trace.spans) {
            let mut route = Route::of(&span.span);
            if tallies.len() >= MOST && !tallies.contains_key(&route) {
                route = Route::others();
            }
            tallies.entry(route).or_default().add(&span.span);
        }
    }

    /// Everything since the last time.
    pub(super) fn take(&self) -> FxHashMap<Route, Tally> {
        std::mem::take(&mut *self.locked())
    }

    /// Poison does not matter: counts are whole at every moment.
    fn locked(&self) -> MutexGuard<'_, FxHashMap<Route, Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use wirespan_trace::{
        resource::Resource,
        span::{Attributes, Cookie, Key, Nanos, UnixNanos, Value},
        trace::{SpanId, TraceId, TracedSpan},
    };

    use super::*;

    /// A trace of one span.
    pub(in crate::observe) fn trace(service: &str, name: &str, ms: u64, failed: bool) -> Trace {
        let attributes = vec![("service.name".into(), Value::Text(service.to_owned().into()))];
        let span = Span {
            key: Key { cookie: Cookie(1), offset: 0, sub: 0 },
            role: Role::Server,
            name: name.into(),
            start: UnixNanos(0),
            end: UnixNanos(ms * 1_000_000),
            boot: (Nanos(0), Nanos(ms * 1_000_000)),
            attributes: Attributes::default(),
            links: Vec::new(),
            status: if failed { Status::Error(String::new()) } else { Status::Unset },
            event: None,
            resource: Arc::new(Resource { attributes }),
        };
        let span = TracedSpan {
            span_id: SpanId([1; 8]),
            parent: None,
            links: Vec::new(),
            trace_state: String::new(),
            trace_flags: 1,
            span: Box::new(span),
        };
        Trace { id: TraceId([1; 16]), spans: vec![span] }
    }

    #[test]
    fn counts_are_taken_once() {
        let routes = Routes::default();
        routes.count(&[trace("shop", "GET /", 1, false), trace("shop", "GET /", 1, true)]);
        let taken = routes.take();
        let tally = &taken[&Route { service: "shop".into(), serves: true, name: "GET /".into() }];
        assert_eq!((tally.requests, tally.errors), (2, 1));
        assert!(routes.take().is_empty());
    }

    #[test]
    fn further_routes_share_a_line() {
        let routes = Routes::default();
        for number in 0..MOST + 10 {
            routes.count(&[trace("shop", &format!("GET /{number}"), 1, false)]);
        }
        let taken = routes.take();
        assert_eq!((taken.len(), taken[&Route::others()].requests), (MOST + 1, 10));
    }

    #[test]
    fn names_steer_no_terminal() {
        assert_eq!(plain("a\x1b[2J\u{202e}é"), "a?[2J?é");
    }
}
