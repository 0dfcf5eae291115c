//! Spans in, OTLP's protobuf and JSON out: for who asks for traces in that form.

use base64::{Engine, prelude::BASE64_STANDARD};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
    resource::v1::Resource as OtlpResource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status as OtlpStatus, TracesData, span},
};
use prost::Message;
use serde_json::{Value as Json, json};
use wirespan_store::{Attribute, Span, Value};

/// Spans of one resource and one scope that follow each other.
fn groups(spans: &[Span]) -> impl Iterator<Item = &[Span]> {
    spans.chunk_by(|a, b| a.resource == b.resource && a.scope == b.scope)
}

/// A `TracesData` message; an `ExportTraceServiceRequest` has the same bytes.
#[must_use]
pub fn encode_protobuf(spans: &[Span]) -> Vec<u8> {
    let resource_spans = groups(spans).filter_map(|group| {
        let first = group.first()?;
        Some(ResourceSpans {
            resource: Some(OtlpResource {
                attributes: pairs(&first.resource.attributes),
                ..OtlpResource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: first.scope.name.to_string(),
                    version: first.scope.version.to_string(),
                    attributes: pairs(&first.scope.attributes),
                    ..InstrumentationScope::default()
                }),
                spans: group.iter().map(message).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        })
    });
    TracesData { resource_spans: resource_spans.collect() }.encode_to_vec()
}

fn message(of: &Span) -> OtlpSpan {
    OtlpSpan {
        trace_id: of.trace.0.to_vec(),
        span_id: of.id.0.to_vec(),
        parent_span_id: of.parent.map(|id| id.0.to_vec()).unwrap_or_default(),
        trace_state: of.trace_state.to_string(),
        flags: of.flags,
        name: of.name.to_string(),
        kind: of.kind as i32,
        start_time_unix_nano: of.start,
        end_time_unix_nano: of.end(),
        attributes: pairs(&of.attributes),
        dropped_attributes_count: of.dropped.attributes,
        events: of
            .events
            .iter()
            .map(|event| span::Event {
                time_unix_nano: event.time,
                name: event.name.to_string(),
                attributes: pairs(&event.attributes),
                ..span::Event::default()
            })
            .collect(),
        dropped_events_count: of.dropped.events,
        links: of
            .links
            .iter()
            .map(|link| span::Link {
                trace_id: link.trace.0.to_vec(),
                span_id: link.span.0.to_vec(),
                attributes: pairs(&link.attributes),
                ..span::Link::default()
            })
            .collect(),
        dropped_links_count: of.dropped.links,
        status: Some(OtlpStatus { code: of.status.code as i32, message: of.status.message.to_string() }),
    }
}

fn pairs(of: &[Attribute]) -> Vec<KeyValue> {
    of.iter().map(|attribute| pair(&attribute.key, &attribute.value)).collect()
}

fn pair(key: &str, value: &Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn any(of: &Value) -> AnyValue {
    use any_value::Value as Any;
    let value = match of {
        Value::Text(text) => Any::StringValue(text.to_string()),
        Value::Bool(yes) => Any::BoolValue(*yes),
        Value::Int(number) => Any::IntValue(*number),
        Value::Float(number) => Any::DoubleValue(*number),
        Value::Bytes(bytes) => Any::BytesValue(bytes.to_vec()),
        Value::List(values) => Any::ArrayValue(ArrayValue { values: values.iter().map(any).collect() }),
        Value::Map(of) => Any::KvlistValue(KeyValueList {
            values: of.iter().map(|(key, value)| pair(key, value)).collect(),
        }),
    };
    AnyValue { value: Some(value) }
}

/// `{"resourceSpans": […]}`.
#[must_use]
pub fn encode_json(spans: &[Span]) -> Json {
    let parts: Vec<_> = groups(spans)
        .filter_map(|group| {
            let first = group.first()?;
            Some(json!({
                "resource": { "attributes": json_pairs(&first.resource.attributes) },
                "scopeSpans": [{
                    "scope": {
                        "name": first.scope.name,
                        "version": first.scope.version,
                        "attributes": json_pairs(&first.scope.attributes),
                    },
                    "spans": group.iter().map(json_span).collect::<Vec<_>>(),
                }],
            }))
        })
        .collect();
    json!({ "resourceSpans": parts })
}

fn json_span(of: &Span) -> Json {
    json!({
        "traceId": of.trace.to_string(),
        "spanId": of.id.to_string(),
        "parentSpanId": of.parent.map(|id| id.to_string()).unwrap_or_default(),
        "traceState": of.trace_state,
        "flags": of.flags,
        "name": of.name,
        "kind": of.kind as i32,
        "startTimeUnixNano": of.start.to_string(),
        "endTimeUnixNano": of.end().to_string(),
        "attributes": json_pairs(&of.attributes),
        "droppedAttributesCount": of.dropped.attributes,
        "events": of.events.iter().map(|event| json!({
            "timeUnixNano": event.time.to_string(),
            "name": event.name,
            "attributes": json_pairs(&event.attributes),
        })).collect::<Vec<_>>(),
        "droppedEventsCount": of.dropped.events,
        "links": of.links.iter().map(|link| json!({
            "traceId": link.trace.to_string(),
            "spanId": link.span.to_string(),
            "attributes": json_pairs(&link.attributes),
        })).collect::<Vec<_>>(),
        "droppedLinksCount": of.dropped.links,
        "status": { "code": of.status.code as i32, "message": of.status.message },
    })
}

fn json_pairs(of: &[Attribute]) -> Json {
    of.iter()
        .map(|attribute| json!({ "key": attribute.key, "value": json_value(&attribute.value) }))
        .collect()
}

fn json_value(of: &Value) -> Json {
    match of {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Bool(yes) => json!({ "boolValue": yes }),
        Value::Int(number) => json!({ "intValue": number.to_string() }),
        Value::Float(number) if number.is_finite() => json!({ "doubleValue": number }),
        Value::Float(number) => json!({ "doubleValue": number.to_string() }),
        Value::Bytes(bytes) => json!({ "bytesValue": BASE64_STANDARD.encode(bytes) }),
        Value::List(values) => {
            json!({ "arrayValue": { "values": values.iter().map(json_value).collect::<Vec<_>>() } })
        }
        Value::Map(pairs) => json!({ "kvlistValue": { "values": pairs.iter().map(|(key, value)| {
            json!({ "key": key, "value": json_value(value) })
        }).collect::<Vec<_>>() } }),
    }
}
