//! Jaeger's own JSON (jaeger/model/json/model.go), for its legacy API and for export: times and durations in
//! microseconds, attributes as typed tags.

use serde_json::{Map, Value as Json, json};
use wirespan_store::{Attribute, Span, StatusCode, Text, Value};

use crate::Summary;

/// The envelope of every legacy answer.
#[must_use]
pub fn envelope(data: Json) -> Json {
    let total = data.as_array().map_or(0, Vec::len);
    json!({ "data": data, "total": total, "limit": 0, "offset": 0, "errors": null })
}

/// The envelope of an error.
#[must_use]
pub fn error(code: u16, said: &str) -> Json {
    json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": [{ "code": code, "msg": said }] })
}

/// The error of version 3, as grpc-gateway writes it.
#[must_use]
pub fn gateway_error(code: u16, said: &str) -> Json {
    json!({ "error": { "httpCode": code, "message": said } })
}

/// A trace's summary, of version 3 (jaeger-idl 0.14, `TraceSummary`, in protobuf's JSON: 64 bits are text).
#[must_use]
pub fn summary(of: &Summary) -> Json {
    let root = of.root.as_ref().filter(|_| !of.root_missing);
    let service = |(name, counts): (&Text, &(u64, u64))| json!({ "name": name, "spanCount": counts.0, "errorSpanCount": counts.1 });
    json!({
        "traceId": of.trace.to_string(),
        "rootServiceName": root.map_or("", |root| root.service.as_str()),
        "rootOperationName": root.map_or("", |root| root.name.as_str()),
        "minStartTimeUnixNano": of.start.to_string(),
        "maxEndTimeUnixNano": (of.start + of.duration).to_string(),
        "spanCount": of.spans,
        "errorSpanCount": of.errors,
        "orphanSpanCount": of.orphans,
        "services": of.services.iter().map(service).collect::<Vec<_>>(),
    })
}

/// A whole trace.
#[must_use]
pub fn trace(spans: &[Span]) -> Json {
    let mut processes = Map::new();
    let mut resources = Vec::new();
    let mut list = Vec::with_capacity(spans.len());
    for one in spans {
        let known = resources.iter().position(|known| *known == &one.resource);
        let at = known.unwrap_or_else(|| {
            resources.push(&one.resource);
            let others = one.resource.attributes.iter().filter(|attribute| attribute.key != "service.name");
            let process = json!({
                "serviceName": one.resource.service, "tags": others.map(tag).collect::<Vec<_>>(),
            });
            processes.insert(format!("p{}", resources.len()), process);
            resources.len() - 1
        });
        list.push(span(one, &format!("p{}", at + 1)));
    }
    let id = spans.first().map(|span| span.trace.to_string()).unwrap_or_default();
    json!({ "traceID": id, "spans": list, "processes": processes, "warnings": null })
}

fn span(of: &Span, process: &str) -> Json {
    let id = of.trace.to_string();
    let reference = |kind: &str, trace: String, span: String| json!({ "refType": kind, "traceID": trace, "spanID": span });
    let parent = of.parent.map(|parent| reference("CHILD_OF", id.clone(), parent.to_string()));
    let links =
        of.links.iter().map(|link| reference("FOLLOWS_FROM", link.trace.to_string(), link.span.to_string()));
    json!({
        "traceID": id,
        "spanID": of.id.to_string(),
        "operationName": of.name,
        "references": parent.into_iter().chain(links).collect::<Vec<_>>(),
        "startTime": of.start / 1000,
        "duration": of.duration / 1000,
        "tags": tags(of),
        "logs": of.events.iter().map(|event| {
            let name = json!({ "key": "event", "type": "string", "value": event.name });
            let fields = [name].into_iter().chain(event.attributes.iter().map(tag));
            json!({ "timestamp": event.time / 1000, "fields": fields.collect::<Vec<_>>() })
        }).collect::<Vec<_>>(),
        "processID": process,
        "warnings": null,
    })
}

/// The attributes, and as tags what has no place of its own in Jaeger (OpenTelemetry to Jaeger transformation).
fn tags(of: &Span) -> Vec<Json> {
    let text = |key: &str, value: &str| json!({ "key": key, "type": "string", "value": value });
    let mut tags: Vec<Json> = of.attributes.iter().map(tag).collect();
    tags.push(text("span.kind", of.kind.name()));
    match of.status.code {
        StatusCode::Unset => {}
        StatusCode::Ok => tags.push(text("otel.status_code", "OK")),
        StatusCode::Error => {
            tags.push(text("otel.status_code", "ERROR"));
            tags.push(json!({ "key": "error", "type": "bool", "value": true }));
        }
    }
    if !of.status.message.is_empty() {
        tags.push(text("otel.status_description", &of.status.message));
    }
    if !of.scope.name.is_empty() {
        tags.push(text("otel.scope.name", &of.scope.name));
    }
    if !of.scope.version.is_empty() {
        tags.push(text("otel.scope.version", &of.scope.version));
    }
    tags
}

fn tag(of: &Attribute) -> Json {
    let (kind, value) = match &of.value {
        Value::Bool(yes) => ("bool", json!(yes)),
        Value::Int(number) => ("int64", json!(number)),
        Value::Float(number) if number.is_finite() => ("float64", json!(number)),
        other => ("string", json!(other.text())),
    };
    json!({ "key": of.key, "type": kind, "value": value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_jaegers_words() {
        let failed = Span {
            trace: "0af7651916cd43dd8448eb211c80319c".parse().unwrap(),
            id: "b7ad6b7169203331".parse().unwrap(),
            parent: Some("b7ad6b7169203330".parse().unwrap()),
            name: "GET".into(),
            start: 1_500_000,
            duration: 2_500,
            status: wirespan_store::Status { code: StatusCode::Error, message: "no".into() },
            attributes: vec![Attribute { key: "n".into(), value: Value::from(7) }],
            ..Span::default()
        };
        let json = trace(&[failed]);
        let span = &json["spans"][0];
        assert_eq!(
            (&span["startTime"], &span["duration"], &span["processID"]),
            (&json!(1500), &json!(2), &json!("p1"))
        );
        assert_eq!(span["references"][0]["refType"], "CHILD_OF");
        assert_eq!(span["tags"][0], json!({ "key": "n", "type": "int64", "value": 7 }));
        assert!(
            span["tags"]
                .as_array()
                .unwrap()
                .contains(&json!({ "key": "error", "type": "bool", "value": true }))
        );
        assert!(json["processes"]["p1"].is_object());
    }
}
