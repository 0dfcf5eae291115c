//! A file in Jaeger's own JSON in (jaeger/model/json/model.go; what its page downloads), spans out: times in microseconds,
//! attributes as typed tags, some of which are fields elsewhere (OpenTelemetry to Jaeger transformation).

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value as Json;
use wirespan_store::{
    Attribute, Event, Kind, Link, Resource, Scope, Span, Status, StatusCode, TraceId, Value,
};

use crate::{
    Batch, Limits,
    batch::{Cause, times},
};

/// Microseconds in nanoseconds.
const MICRO: u64 = 1000;

/// Reads the traces of the envelope `{"data": [{"spans": [...], "processes": {...}}]}`.
pub(crate) fn read(envelope: &Json, limits: &Limits) -> Batch {
    let mut batch = Batch::default();
    for trace in list(&envelope["data"]) {
        let processes = processes(&trace["processes"], limits);
        list(&trace["spans"]).for_each(|span| batch.add(convert(span, &processes)));
    }
    batch
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

fn micros(json: &Json) -> u64 {
    json.as_u64().unwrap_or_default().saturating_mul(MICRO)
}

fn processes<'a>(of: &'a Json, limits: &Limits) -> BTreeMap<&'a str, Arc<Resource>> {
    let resource = |process: &Json| {
        let name =
            Attribute { key: "service.name".into(), value: Value::from(text(&process["serviceName"])) };
        let mut attributes: Vec<_> = [name].into_iter().chain(tags(&process["tags"])).collect();
        limits.attributes(&mut attributes);
        Arc::new(Resource::new(attributes))
    };
    of.as_object().into_iter().flatten().map(|(id, process)| (id.as_str(), resource(process))).collect()
}

fn tags(of: &Json) -> impl Iterator<Item = Attribute> {
    list(of).filter(|tag| !text(&tag["key"]).is_empty()).map(|tag| Attribute {
        key: text(&tag["key"]).into(),
        value: match &tag["value"] {
            Json::Bool(yes) => Value::Bool(*yes),
            Json::Number(number) if number.is_i64() => Value::Int(number.as_i64().unwrap_or_default()),
            Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
            Json::String(text) => Value::from(text.as_str()),
            other => Value::from(other.to_string().as_str()),
        },
    })
}

fn convert(of: &Json, processes: &BTreeMap<&str, Arc<Resource>>) -> Result<Span, Cause> {
    let start = micros(&of["startTime"]);
    let (start, duration) = times(start, start.saturating_add(micros(&of["duration"])))?;
    let mut span = Span {
        trace: text(&of["traceID"]).parse().map_err(|_| Cause::TraceId)?,
        id: text(&of["spanID"]).parse().map_err(|_| Cause::SpanId)?,
        name: text(&of["operationName"]).into(),
        start,
        duration,
        events: list(&of["logs"]).map(event).collect(),
        resource: processes.get(text(&of["processID"])).cloned().unwrap_or_default(),
        scope: Arc::new(Scope::default()),
        ..Span::default()
    };
    list(&of["references"]).for_each(|reference| refer(reference, &mut span));
    tags(&of["tags"]).for_each(|tag| place(tag, &mut span));
    Ok(span)
}

fn event(of: &Json) -> Event {
    let (names, attributes): (Vec<_>, Vec<_>) = tags(&of["fields"]).partition(|tag| tag.key == "event");
    let name = names.first().map(|tag| tag.value.text().as_ref().into()).unwrap_or_default();
    Event { time: micros(&of["timestamp"]), name, attributes }
}

/// The first parent within the trace is the parent; all else is linked.
fn refer(of: &Json, span: &mut Span) {
    let (Ok(trace), Ok(id)) = (text(&of["traceID"]).parse::<TraceId>(), text(&of["spanID"]).parse()) else {
        return;
    };
    if span.parent.is_none() && trace == span.trace && text(&of["refType"]) == "CHILD_OF" {
        span.parent = Some(id);
    } else {
        span.links.push(Link { trace, span: id, attributes: Vec::new() });
    }
}

/// What Jaeger makes tags of becomes the field that it is.
fn place(tag: Attribute, span: &mut Span) {
    match (tag.key.as_str(), tag.value.text().as_ref()) {
        ("span.kind", kind) => span.kind = kind.parse().unwrap_or(Kind::Unspecified),
        ("otel.status_code", "OK") => span.status.code = StatusCode::Ok,
        ("otel.status_code", "ERROR") | ("error", "true") => span.status.code = StatusCode::Error,
        ("otel.status_description", said) => {
            span.status = Status { message: said.into(), ..span.status.clone() };
        }
        ("otel.scope.name", name) => {
            span.scope = Arc::new(Scope { name: name.into(), ..Scope::default() });
        }
        _ => span.attributes.push(tag),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_downloaded_trace_is_read() {
        let parent = json!({ "refType": "CHILD_OF", "traceID": "5af7183fb1d4cf5f", "spanID": "1" });
        let file = json!({ "data": [{
            "traceID": "5af7183fb1d4cf5f",
            "spans": [
                {
                    "traceID": "5af7183fb1d4cf5f", "spanID": "2", "operationName": "GET", "references": [parent],
                    "startTime": 1_556_604_172_355_737_u64, "duration": 1431, "processID": "p1",
                    "tags": [
                        { "key": "span.kind", "type": "string", "value": "server" },
                        { "key": "error", "type": "bool", "value": true },
                        { "key": "http.status_code", "type": "int64", "value": 500 },
                    ],
                    "logs": [{ "timestamp": 1_556_604_172_355_800_u64,
                        "fields": [{ "key": "event", "type": "string", "value": "wr" }] }],
                },
                { "traceID": "nothex", "spanID": "3", "startTime": 1 },
            ],
            "processes": { "p1": { "serviceName": "cart", "tags": [] } },
        }] });
        let batch = read(&file, &Limits::default());
        assert_eq!(batch.refused(), 1);
        let [span] = &batch.spans[..] else { panic!("one span") };
        assert_eq!(
            (span.kind, span.status.code, span.duration),
            (Kind::Server, StatusCode::Error, 1_431_000)
        );
        assert_eq!((span.resource.service.as_str(), span.events[0].name.as_str()), ("cart", "wr"));
        assert_eq!(span.parent.map(|id| id.number()), Some(1));
        assert_eq!(span.attributes, [Attribute { key: "http.status_code".into(), value: Value::Int(500) }]);
    }
}
