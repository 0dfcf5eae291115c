//! OTLP's protobuf in, spans out (opentelemetry/proto/trace/v1/trace.proto).

use std::sync::Arc;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    trace::v1::{ResourceSpans, Span as OtlpSpan, span},
};
use prost::Message;
use wirespan_store::{
    Attribute, Dropped, Event, Kind, Link, Resource, Scope, Span, Status, StatusCode, Value,
};

use super::BadRequest;
use crate::{
    Batch, Limits,
    batch::{Cause, span_id, times, trace_id},
};

/// Reads the body of a request.
///
/// # Errors
/// It is no such message.
pub fn decode_protobuf(body: &[u8], limits: &Limits) -> Result<Batch, BadRequest> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|error| {
        BadRequest::Malformed(format!("the body is no ExportTraceServiceRequest: {error}"))
    })?;
    Ok(batch(request, limits))
}

/// The spans of a request.
pub(super) fn batch(request: ExportTraceServiceRequest, limits: &Limits) -> Batch {
    let mut batch = Batch::default();
    for part in request.resource_spans {
        take(part, limits, &mut batch);
    }
    batch
}

fn take(part: ResourceSpans, limits: &Limits, batch: &mut Batch) {
    let mut of = attributes(part.resource.unwrap_or_default().attributes);
    limits.attributes(&mut of);
    let resource = Arc::new(Resource::new(of));
    for group in part.scope_spans {
        let scope = Arc::new(scope(group.scope.unwrap_or_default(), limits));
        for span in group.spans {
            batch.add(convert(span, &resource, &scope));
        }
    }
}

fn scope(of: InstrumentationScope, limits: &Limits) -> Scope {
    let mut attributes = attributes(of.attributes);
    limits.attributes(&mut attributes);
    Scope { name: of.name.into(), version: of.version.into(), attributes }
}

fn convert(of: OtlpSpan, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span, Cause> {
    let (start, duration) = times(of.start_time_unix_nano, of.end_time_unix_nano)?;
    let status = of.status.unwrap_or_default();
    Ok(Span {
        trace: trace_id(&of.trace_id)?,
        id: span_id(&of.span_id)?,
        parent: span_id(&of.parent_span_id).ok(),
        name: of.name.into(),
        kind: Kind::from_number(of.kind),
        start,
        duration,
        status: Status { code: StatusCode::from_number(status.code), message: status.message.into() },
        attributes: attributes(of.attributes),
        events: of.events.into_iter().map(event).collect(),
        links: of.links.into_iter().filter_map(link).collect(),
        trace_state: of.trace_state.into(),
        flags: of.flags,
        dropped: Dropped {
            attributes: of.dropped_attributes_count,
            events: of.dropped_events_count,
            links: of.dropped_links_count,
        },
        resource: resource.clone(),
        scope: scope.clone(),
    })
}

fn event(of: span::Event) -> Event {
    Event { time: of.time_unix_nano, name: of.name.into(), attributes: attributes(of.attributes) }
}

/// A link to nowhere is none.
fn link(of: span::Link) -> Option<Link> {
    Some(Link {
        trace: trace_id(&of.trace_id).ok()?,
        span: span_id(&of.span_id).ok()?,
        attributes: attributes(of.attributes),
    })
}

/// In memory of their own: what they came in is twice as large, and they stay longer.
fn attributes(of: Vec<KeyValue>) -> Vec<Attribute> {
    let mut attributes = Vec::with_capacity(of.len());
    let named = of.into_iter().filter(|pair| !pair.key.is_empty());
    attributes.extend(named.map(|pair| Attribute { key: pair.key.into(), value: value(pair.value) }));
    attributes
}

/// What has no value, or one of a kind that is newer than we are, is empty text. prost bounds the depth at 100.
fn value(of: Option<AnyValue>) -> Value {
    use any_value::Value as Any;
    match of.and_then(|any| any.value) {
        Some(Any::StringValue(text)) => Value::Text(text.into()),
        Some(Any::BoolValue(yes)) => Value::Bool(yes),
        Some(Any::IntValue(number)) => Value::Int(number),
        Some(Any::DoubleValue(number)) => Value::Float(number),
        Some(Any::BytesValue(bytes)) => Value::Bytes(bytes.into()),
        Some(Any::ArrayValue(list)) => {
            Value::List(list.values.into_iter().map(|any| value(Some(any))).collect())
        }
        Some(Any::KvlistValue(list)) => {
            Value::Map(list.values.into_iter().map(|pair| (pair.key.into(), value(pair.value))).collect())
        }
        _ => Value::from(""),
    }
}
