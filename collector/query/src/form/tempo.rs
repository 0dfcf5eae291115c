//! Tempo's answers (grafana/tempo, pkg/tempopb/tempo.proto and trace.proto, as Go's JSON of protobuf writes them).

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value as Json, json};
use wirespan_store::{Field, Span};

use crate::{
    Answer, Match, Summary,
    traceql::{Met, Spanset, met},
};

/// The names of the kinds in their order (opentelemetry-proto, trace.proto).
const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
/// The names of the status codes.
const CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// Spans in OTLP's JSON as Tempo writes them: ids in base64, numbers of kinds and codes by their names, nothing that is empty.
#[must_use]
pub fn spans(otlp: Json) -> Json {
    match otlp {
        Json::Array(all) => all.into_iter().map(spans).collect(),
        Json::Object(all) => Json::Object(all.into_iter().filter_map(|(key, of)| entry(key, of)).collect()),
        plain => plain,
    }
}

fn entry(key: String, of: Json) -> Option<(String, Json)> {
    let empty = match &of {
        // A value that is empty is one all the same.
        _ if key.ends_with("Value") => false,
        Json::String(text) => text.is_empty(),
        Json::Array(all) => all.is_empty(),
        Json::Number(number) => number.as_u64() == Some(0),
        _ => false,
    };
    let name = |names: &[&str]| of.as_u64().and_then(|number| Some(json!(names.get(number as usize)?)));
    let named = match key.as_str() {
        "traceId" | "spanId" | "parentSpanId" => of.as_str().map(|hex| json!(base64(hex))),
        "kind" => name(&KINDS),
        "code" => name(&CODES),
        _ => None,
    };
    (!empty).then(|| (key, named.unwrap_or_else(|| spans(of))))
}

fn base64(hex: &str) -> String {
    let byte = |at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).filter_map(byte).collect();
    BASE64_STANDARD.encode(bytes)
}

/// The answer to a search by tags: traces alone.
#[must_use]
pub fn search(answer: &Answer) -> Json {
    let traces = answer.traces.iter().map(|of| Json::Object(trace(of)));
    json!({ "traces": traces.collect::<Vec<_>>(), "metrics": {} })
}

/// The answer to a query: with up to `most` of each trace's spans, and what the query asked of them.
#[must_use]
pub fn query(query: &Spanset, answer: &Answer<Match>, most: usize) -> Json {
    let traces = answer.traces.iter().map(|of| {
        let shown: Vec<_> = of.spans.iter().take(most).map(|one| span(query, one)).collect();
        let set = json!({ "spans": shown, "matched": of.spans.len() });
        let mut trace = trace(&of.summary);
        trace.insert("serviceStats".to_owned(), services(&of.summary));
        trace.insert("spanSet".to_owned(), set.clone());
        trace.insert("spanSets".to_owned(), json!([set]));
        Json::Object(trace)
    });
    json!({ "traces": traces.collect::<Vec<_>>(), "metrics": {} })
}

fn trace(of: &Summary) -> Map<String, Json> {
    let root = of.root.as_ref().filter(|_| !of.root_missing);
    let mut trace = Map::new();
    trace.insert("traceID".to_owned(), json!(of.trace.to_string()));
    let service = root.map_or("<root span not yet received>", |root| root.service.as_str());
    trace.insert("rootServiceName".to_owned(), json!(service));
    trace.extend(root.map(|root| ("rootTraceName".to_owned(), json!(root.name))));
    trace.insert("startTimeUnixNano".to_owned(), json!(of.start.to_string()));
    trace.insert("durationMs".to_owned(), json!(of.duration / 1_000_000));
    trace
}

/// Spans by service; failed ones where there are some.
fn services(of: &Summary) -> Json {
    let stats = of.services.iter().map(|(name, (spans, errors))| {
        let stats = if *errors == 0 {
            json!({ "spanCount": spans })
        } else {
            json!({ "spanCount": spans, "errorCount": errors })
        };
        (name.to_string(), stats)
    });
    Json::Object(stats.collect())
}

fn span(query: &Spanset, of: &Span) -> Json {
    let mut span = Map::new();
    span.insert("spanID".to_owned(), json!(of.id.to_string()));
    span.insert("startTimeUnixNano".to_owned(), json!(of.start.to_string()));
    span.insert("durationNanos".to_owned(), json!(of.duration.to_string()));
    let mut attributes = Vec::new();
    for (field, met) in met(query, of) {
        if field == Field::Name {
            span.insert("name".to_owned(), json!(of.name));
        }
        attributes.extend(label(&field).map(|key| json!({ "key": key, "value": value(met) })));
    }
    if !attributes.is_empty() {
        span.insert("attributes".to_owned(), Json::Array(attributes));
    }
    Json::Object(span)
}

/// The key of a field among the attributes; what a span's entry has anyway is not shown twice.
fn label(field: &Field) -> Option<&str> {
    Some(match field {
        Field::Service => "service.name",
        Field::Kind => "kind",
        Field::Status => "status",
        Field::StatusMessage => "statusMessage",
        Field::ScopeName => "instrumentation:name",
        Field::ScopeVersion => "instrumentation:version",
        Field::EventName => "event:name",
        Field::Attribute(_, key) => key,
        Field::Name | Field::Start | Field::Duration | Field::TraceId | Field::SpanId | Field::ParentId => {
            return None;
        }
    })
}

fn value(met: Met) -> Json {
    match met {
        Met::Text(text) => json!({ "stringValue": text }),
        Met::Int(number) => json!({ "intValue": number.to_string() }),
        Met::Float(number) => json!({ "doubleValue": number }),
        Met::Bool(yes) => json!({ "boolValue": yes }),
    }
}
