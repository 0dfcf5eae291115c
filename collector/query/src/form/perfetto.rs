//! A trace's spans in, the Trace Event Format out ("Trace Event Format", Google, 2016): what Perfetto's and Chromium's
//! viewers open. A service is a process. Spans of one that overlap without holding each other get lanes of their own,
//! which the format calls threads.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use wirespan_store::{Span, Text};

use super::own;

/// Lanes of a service; what does not fit shares the last.
const MOST_LANES: usize = 512;

/// A whole trace.
#[must_use]
pub fn trace(spans: &[Span]) -> Json {
    let mut services: BTreeMap<&Text, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        services.entry(&span.resource.service).or_default().push(span);
    }
    let mut events = Vec::with_capacity(spans.len());
    for (process, (name, mut spans)) in (1_u64..).zip(services) {
        events.push(json!({ "ph": "M", "name": "process_name", "pid": process, "args": { "name": name } }));
        // Longer ones first where starts are equal: they hold the others.
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end())));
        let mut lanes = Lanes::default();
        events.extend(spans.into_iter().map(|span| event(span, process, lanes.place(span))));
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ns" })
}

/// For each lane the ends of the spans that are open in it.
#[derive(Default)]
struct Lanes(Vec<Vec<u64>>);

impl Lanes {
    fn place(&mut self, span: &Span) -> usize {
        for open in &mut self.0 {
            while open.last().is_some_and(|end| *end <= span.start) {
                open.pop();
            }
        }
        let fits = |open: &Vec<u64>| open.last().is_none_or(|end| *end >= span.end());
        let found = self.0.iter().position(fits);
        let lane = found.unwrap_or_else(|| self.0.len().min(MOST_LANES - 1));
        if lane == self.0.len() {
            self.0.push(Vec::new());
        }
        if let Some(open) = self.0.get_mut(lane) {
            open.push(span.end());
        }
        lane
    }
}

fn event(span: &Span, process: u64, lane: usize) -> Json {
    let mut arguments: Map<String, Json> = span
        .attributes
        .iter()
        .map(|attribute| (attribute.key.to_string(), own::value(&attribute.value)))
        .collect();
    arguments.insert("span_id".to_owned(), json!(span.id.to_string()));
    arguments.insert("status".to_owned(), json!(span.status.code.name()));
    json!({
        "ph": "X", "name": span.name, "cat": span.kind.name(), "pid": process, "tid": lane,
        // Microseconds; their fractions keep the nanoseconds.
        "ts": span.start as f64 / 1e3, "dur": span.duration as f64 / 1e3, "args": arguments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, duration: u64) -> Span {
        Span { start, duration, ..Span::default() }
    }

    #[test]
    fn what_overlaps_stands_in_lanes() {
        let spans = [span(0, 100), span(10, 20), span(20, 20), span(40, 60), span(100, 5)];
        let trace = trace(&spans);
        let events = trace["traceEvents"].as_array().expect("a list");
        let lanes: Vec<_> = events.iter().skip(1).map(|event| event["tid"].clone()).collect();
        assert_eq!(lanes, [0, 0, 1, 0, 0]);
        assert_eq!((&events[2]["ts"], &events[2]["dur"]), (&json!(0.01), &json!(0.02)));
        assert_eq!(events[0]["ph"], "M");
    }
}
