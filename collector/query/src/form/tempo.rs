//! Tempo's search answers (grafana/tempo, pkg/tempopb/tempo.proto, as JSON).

use serde_json::{Value as Json, json};
use wirespan_store::Hit;

use crate::{Answer, Summary};

/// The answer to `/api/search`.
#[must_use]
pub fn search(answer: &Answer) -> Json {
    json!({ "traces": answer.traces.iter().map(trace).collect::<Vec<_>>(), "metrics": {} })
}

fn trace(of: &Summary) -> Json {
    let root = of.root.as_ref().filter(|_| !of.root_missing);
    let set =
        json!({ "spans": of.matched.iter().map(span).collect::<Vec<_>>(), "matched": of.matched.len() });
    json!({
        "traceID": of.trace.to_string(),
        "rootServiceName": root.map_or("<root span not yet received>", |root| root.service.as_str()),
        "rootTraceName": root.map_or("", |root| root.name.as_str()),
        "startTimeUnixNano": of.start.to_string(),
        "durationMs": of.duration / 1_000_000,
        "spanSet": set,
        "spanSets": [set],
    })
}

fn span(of: &Hit) -> Json {
    json!({
        "spanID": of.id.to_string(),
        "name": of.name,
        "startTimeUnixNano": of.start.to_string(),
        "durationNanos": of.duration.to_string(),
        "attributes": [{ "key": "service.name", "value": { "stringValue": of.service } }],
    })
}
