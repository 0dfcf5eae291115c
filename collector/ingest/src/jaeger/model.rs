//! Spans in, spans of Jaeger's data model out (jaeger-idl 0.14, proto/api_v2/model.proto): what has no place of its own there
//! becomes a tag, as OpenTelemetry's transformation to Jaeger has it.

use prost::Message;
use wirespan_store::{Attribute, Event, Link, Span as Stored, SpanId, StatusCode, TraceId, Value};

use super::message::Moment;

/// `jaeger.api_v2.Span`. Flags (5) and warnings (12) are not said; a process is written out, so it has no id (11).
#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    operation_name: String,
    #[prost(message, repeated, tag = "4")]
    references: Vec<Reference>,
    #[prost(message, optional, tag = "6")]
    start_time: Option<Moment>,
    #[prost(message, optional, tag = "7")]
    duration: Option<Moment>,
    #[prost(message, repeated, tag = "8")]
    tags: Vec<KeyValue>,
    #[prost(message, repeated, tag = "9")]
    logs: Vec<Log>,
    #[prost(message, optional, tag = "10")]
    process: Option<Process>,
}

/// `SpanRef`: 0 child of, 1 follows from.
#[derive(Clone, PartialEq, Message)]
struct Reference {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(int32, tag = "3")]
    kind: i32,
}

/// Its type: 0 text, 1 truth value, 2 whole number, 3 number, 4 bytes.
#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(string, tag = "3")]
    text: String,
    #[prost(bool, tag = "4")]
    truth: bool,
    #[prost(int64, tag = "5")]
    whole: i64,
    #[prost(double, tag = "6")]
    number: f64,
    #[prost(bytes = "vec", tag = "7")]
    bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Log {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Moment>,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Process {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(message, repeated, tag = "2")]
    tags: Vec<KeyValue>,
}

impl From<&Stored> for Span {
    fn from(of: &Stored) -> Self {
        let parent = of.parent.map(|parent| reference(of.trace, parent, 0));
        let others = of.resource.attributes.iter().filter(|attribute| attribute.key != "service.name");
        Self {
            trace_id: of.trace.0.to_vec(),
            span_id: of.id.0.to_vec(),
            operation_name: of.name.to_string(),
            references: parent.into_iter().chain(of.links.iter().map(follows)).collect(),
            start_time: Some(Moment::from_nanos(of.start)),
            duration: Some(Moment::from_nanos(of.duration)),
            tags: of.attributes.iter().map(KeyValue::from).chain(own_tags(of)).collect(),
            logs: of.events.iter().map(log).collect(),
            process: Some(Process {
                service_name: of.resource.service.to_string(),
                tags: others.map(KeyValue::from).collect(),
            }),
        }
    }
}

fn reference(trace: TraceId, span: SpanId, kind: i32) -> Reference {
    Reference { trace_id: trace.0.to_vec(), span_id: span.0.to_vec(), kind }
}

fn follows(of: &Link) -> Reference {
    reference(of.trace, of.span, 1)
}

fn log(of: &Event) -> Log {
    let name = (!of.name.is_empty()).then(|| text("event", &of.name));
    let fields = name.into_iter().chain(of.attributes.iter().map(KeyValue::from)).collect();
    Log { timestamp: Some(Moment::from_nanos(of.time)), fields }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), text: value.to_owned(), ..KeyValue::default() }
}

fn own_tags(of: &Stored) -> impl Iterator<Item = KeyValue> {
    let code = match of.status.code {
        StatusCode::Unset => "",
        StatusCode::Ok => "OK",
        StatusCode::Error => "ERROR",
    };
    let texts = [
        ("otel.scope.name", of.scope.name.as_str()),
        ("otel.scope.version", &of.scope.version),
        ("span.kind", of.kind.name()),
        ("otel.status_code", code),
        ("otel.status_description", &of.status.message),
        ("w3c.tracestate", &of.trace_state),
    ];
    let failed = (of.status.code == StatusCode::Error).then(|| KeyValue {
        key: "error".to_owned(),
        kind: 1,
        truth: true,
        ..KeyValue::default()
    });
    let said: Vec<_> = texts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    said.into_iter().map(|(key, value)| text(key, value)).chain(failed)
}

impl From<&Attribute> for KeyValue {
    fn from(of: &Attribute) -> Self {
        let plain = Self { key: of.key.to_string(), ..Self::default() };
        match &of.value {
            Value::Bool(truth) => Self { kind: 1, truth: *truth, ..plain },
            Value::Int(whole) => Self { kind: 2, whole: *whole, ..plain },
            Value::Float(number) => Self { kind: 3, number: *number, ..plain },
            Value::Bytes(bytes) => Self { kind: 4, bytes: bytes.to_vec(), ..plain },
            other => Self { text: other.text().into_owned(), ..plain },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_value_has_its_field() {
        let tag = |value: Value| KeyValue::from(&Attribute { key: "k".into(), value });
        let plain = || KeyValue { key: "k".to_owned(), ..KeyValue::default() };
        let list = Value::List([Value::from(1)].into());
        assert_eq!(tag(Value::from("a")), KeyValue { text: "a".into(), ..plain() });
        assert_eq!(tag(Value::Bool(true)), KeyValue { kind: 1, truth: true, ..plain() });
        assert_eq!(tag(Value::Int(-1)), KeyValue { kind: 2, whole: -1, ..plain() });
        assert_eq!(tag(Value::Float(0.5)), KeyValue { kind: 3, number: 0.5, ..plain() });
        assert_eq!(tag(Value::Bytes([1].into())), KeyValue { kind: 4, bytes: vec![1], ..plain() });
        assert_eq!(tag(list.clone()), KeyValue { text: list.text().into_owned(), ..plain() });
    }

    #[test]
    fn links_and_events_are_references_and_logs() {
        let (trace, span) = (TraceId([1; 16]), SpanId([2; 8]));
        let links = vec![Link { trace, span, attributes: Vec::new() }];
        let events = vec![Event { time: 1_000_000_007, name: "retry".into(), attributes: Vec::new() }];
        let stored = Stored { parent: Some(span), trace, links, events, ..Stored::default() };
        let of = Span::from(&stored);
        assert_eq!(of.references, [reference(trace, span, 0), reference(trace, span, 1)]);
        let timestamp = Some(Moment::from_nanos(1_000_000_007));
        assert_eq!(of.logs, [Log { timestamp, fields: vec![text("event", "retry")] }]);
    }
}
