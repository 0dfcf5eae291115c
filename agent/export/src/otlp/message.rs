//! Comes in: traces. Goes out: one OTLP request as bytes, its spans grouped by resource. The layout, and with it every
//! number of a field below, is opentelemetry-proto's `trace/v1/trace.proto`, `common/v1/common.proto` and
//! `resource/v1/resource.proto`.
//!
//! Written straight from the spans: to fill the generated types first would copy every name and text into memory of its own.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::wire::{Wire, field_length, number_length};
use crate::{
    convention,
    resource::Resource,
    span::{Attribute, Ends, Moment, Value},
    trace::{Link, Trace, TraceId, TracedSpan},
    written::{Evidence, Written},
};

/// Bytes of most spans.
const SPAN: usize = 1024;

/// Bytes that the length of most spans takes, and that of spans that go together: 16 KiB to 2 MiB.
const SPAN_LENGTH: usize = 2;
const GROUP_LENGTH: usize = 3;

/// The request (`ExportTraceServiceRequest`) that carries these traces.
pub(super) fn request(traces: &[Trace], written: &mut Written) -> Vec<u8> {
    let mut groups = Groups::default();
    for trace in traces {
        for span in &trace.spans {
            groups.add(trace.id, span);
        }
    }
    groups.finish(written)
}

/// A span and its trace.
type Member<'a> = (TraceId, &'a TracedSpan);

/// Spans of one request by their resource, in the order in which the resources were first seen.
#[derive(Default)]
struct Groups<'a> {
    by_address: FxHashMap<*const Resource, usize>,
    groups: Vec<(&'a Arc<Resource>, Vec<Member<'a>>)>,
    /// In all groups.
    spans: usize,
}

impl<'a> Groups<'a> {
    fn add(&mut self, trace: TraceId, span: &'a TracedSpan) {
        let group = self.find(&span.span.resource);
        if let Some((_, spans)) = self.groups.get_mut(group) {
            spans.push((trace, span));
            self.spans += 1;
        }
    }

    /// Nearly always the same `Arc`; two equal ones (a process named twice) still make one group.
    fn find(&mut self, resource: &'a Arc<Resource>) -> usize {
        let groups = &mut self.groups;
        *self.by_address.entry(Arc::as_ptr(resource)).or_insert_with(|| {
            let equal = groups.iter().position(|(known, _)| *known == resource);
            equal.unwrap_or_else(|| {
                groups.push((resource, Vec::new()));
                groups.len() - 1
            })
        })
    }

    fn finish(self, written: &mut Written) -> Vec<u8> {
        let mut request = Wire::default();
        request.reserve(self.spans * SPAN);
        for (resource, spans) in self.groups {
            request.message_in::<GROUP_LENGTH>(1, |wire| {
                wire.message(1, |wire| attributes(wire, 1, &resource.attributes));
                wire.message_in::<GROUP_LENGTH>(2, |wire| {
                    wire.message(1, |scope| {
                        scope.text(1, convention::SCOPE);
                        scope.text(2, convention::VERSION);
                    });
                    for (trace, span) in spans {
                        wire.message_in::<SPAN_LENGTH>(2, |wire| write_span(wire, trace, span, written));
                    }
                });
            });
        }
        request.into_bytes()
    }
}

fn write_span(wire: &mut Wire, trace: TraceId, traced: &TracedSpan, written: &mut Written) {
    let span = traced.span.as_ref();
    let (code, message) = convention::status(&span.status);
    wire.bytes(1, &trace.0);
    wire.bytes(2, &traced.span_id.0);
    wire.text(3, &traced.trace_state);
    if let Some(parent) = traced.parent {
        wire.bytes(4, &parent.span_id.0);
    }
    wire.text(5, &span.name);
    wire.number(6, i64::from(convention::kind(span.role)));
    wire.fixed64(7, span.start.0);
    wire.fixed64(8, span.end.0);
    span_attributes(wire, traced, written);
    // The stages before bound what they make and never drop a part of a span: no counts of what was dropped.
    span.event.iter().for_each(|event| wire.message(11, |wire| write_event(wire, event)));
    traced.links.iter().for_each(|link| wire.message(13, |wire| write_link(wire, link)));
    wire.message(15, |status| {
        status.text(2, message);
        status.number(3, i64::from(code));
    });
    wire.fixed32(16, convention::flags(traced));
}

fn span_attributes(wire: &mut Wire, traced: &TracedSpan, written: &mut Written) {
    let (ahead, ends, behind) = traced.span.attributes.parts();
    attributes(wire, 9, ahead);
    if let Some(ends) = ends {
        let write = |ends: &Ends, out: &mut Vec<u8>| *out = pairs(9, ends.attributes());
        wire.written(written.ends(traced.span.key.cookie, ends, write));
    }
    attributes(wire, 9, behind);
    if let Some(evidence) = convention::parent_evidence(traced) {
        let write = |evidence: &Evidence, out: &mut Vec<u8>| {
            *out = pairs(9, convention::evidence_attributes(*evidence));
        };
        wire.written(written.evidence(evidence, write));
    }
}

fn write_event(wire: &mut Wire, event: &Moment) {
    wire.fixed64(1, event.time.0);
    wire.text(2, &event.name);
}

fn write_link(wire: &mut Wire, link: &Link) {
    wire.bytes(1, &link.trace_id.0);
    wire.bytes(2, &link.span_id.0);
    let evidence = convention::evidence(link.method, link.confidence);
    wire.written(&pairs(4, convention::evidence_attributes(evidence)));
}

/// Attributes (`KeyValue`) as the fields with this number. How long all of one is must be known before: what is within stands
/// in one piece then.
fn attributes(wire: &mut Wire, field: u8, attributes: &[Attribute]) {
    for (name, value) in attributes {
        let (name, length) = (name.as_ref(), value_length(value));
        wire.begin_both((field, field_length(name.len()) + field_length(length)), (1, name.len()));
        wire.written(name.as_bytes());
        match value {
            Value::Text(text) => {
                let text = text.as_str();
                wire.begin_both((2, length), (1, text.len()));
                wire.written(text.as_bytes());
            }
            value => {
                wire.begin(2, length);
                write_value(wire, value);
            }
        }
    }
}

/// The same where nobody holds them.
fn pairs(field: u8, pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<u8> {
    let held: Vec<Attribute> = pairs.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let mut wire = Wire::default();
    attributes(&mut wire, field, &held);
    wire.into_bytes()
}

fn value_length(value: &Value) -> usize {
    match value {
        Value::Text(text) => field_length(text.len()),
        Value::Bool(_) => 2,
        Value::Int(number) => number_length(*number),
        Value::Float(_) => 9,
        Value::List(texts) => field_length(array_length(texts)),
    }
}

fn array_length(texts: &[String]) -> usize {
    texts.iter().map(|text| field_length(field_length(text.len()))).sum()
}

/// The one field of an `AnyValue`: there even where it holds nothing.
fn write_value(any: &mut Wire, value: &Value) {
    match value {
        Value::Text(text) => any.held(1, text.as_bytes()),
        Value::Bool(truth) => any.held_number(2, i64::from(*truth)),
        Value::Int(number) => any.held_number(3, *number),
        Value::Float(number) => any.fixed64(4, number.to_bits()),
        Value::List(texts) => {
            any.begin(5, array_length(texts));
            for text in texts {
                any.begin(1, field_length(text.len()));
                any.held(1, text.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{KeyValue, any_value},
        trace::v1::{ResourceSpans, Span as ProtoSpan, Status},
    };
    use prost::Message;

    use super::*;
    use crate::{
        sample,
        span::UnixNanos,
        trace::{Method, SpanId},
    };

    /// What a receiver reads.
    fn request(traces: Vec<Trace>) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(super::request(&traces, &mut Written::default()).as_slice())
            .unwrap()
    }

    fn spans(request: ExportTraceServiceRequest) -> Vec<(String, Vec<ProtoSpan>)> {
        let service = |group: &ResourceSpans| match group
            .resource
            .as_ref()?
            .attributes
            .first()?
            .value
            .as_ref()?
            .value
        {
            Some(any_value::Value::StringValue(ref name)) => Some(name.clone()),
            _ => None,
        };
        let groups = request.resource_spans.into_iter();
        groups
            .map(|group| {
                (service(&group).unwrap(), group.scope_spans.into_iter().flat_map(|s| s.spans).collect())
            })
            .collect()
    }

    fn texts(attributes: &[KeyValue]) -> Vec<(&str, String)> {
        attributes
            .iter()
            .map(|a| (a.key.as_str(), format!("{:?}", a.value.clone().unwrap().value.unwrap())))
            .collect()
    }

    #[test]
    fn grouped_by_resource_whether_shared_or_only_equal() {
        let shared = sample::server(1, "GET /a");
        let mut same = sample::client(2, "GET");
        same.span.resource = Arc::clone(&shared.span.resource);
        let other = sample::span(3, crate::span::Role::Server, "GET /b", "cart");
        let equal = sample::client(4, "POST");
        let groups =
            spans(request(vec![sample::trace(vec![shared, same]), sample::trace(vec![other, equal])]));
        let shape: Vec<_> = groups.iter().map(|(name, spans)| (name.as_str(), spans.len())).collect();
        assert_eq!(shape, [("shop", 3), ("cart", 1)]);
    }

    #[test]
    fn a_span_arrives_whole() {
        let mut span = sample::below(sample::server(7, "GET /x"), sample::parent(9, Method::Header, 0.95));
        span.trace_state = "vendor=1".into();
        span.span.status = crate::span::Status::Error("boom".into());
        span.span.event = Some(Moment { time: UnixNanos(sample::NOON + 5), name: "first byte".into() });
        let trace = sample::trace(vec![sample::with(span, "url.path", Value::List(vec!["/x".into()]))]);
        let (_, spans) = spans(request(vec![trace])).remove(0);
        let span = &spans[0];
        assert_eq!((span.trace_id.len(), &span.span_id[7], &span.parent_span_id[7]), (16, &7, &9));
        assert_eq!(
            (span.name.as_str(), span.kind, span.flags, span.trace_state.as_str()),
            ("GET /x", 2, 0x301, "vendor=1")
        );
        assert_eq!(span.status, Some(Status { code: 2, message: "boom".into() }));
        assert_eq!(
            (span.events[0].time_unix_nano, span.events[0].name.as_str()),
            (sample::NOON + 5, "first byte")
        );
        let attributes = texts(&span.attributes);
        assert!(attributes[0].0 == "url.path" && attributes[0].1.contains("ArrayValue"));
        assert_eq!(attributes[1], ("wirespan.link.method", "StringValue(\"header\")".into()));
        assert_eq!(attributes[2], ("wirespan.link.confidence", "DoubleValue(0.95)".into()));
    }

    #[test]
    fn a_link_says_how_it_is_known() {
        let mut span = sample::client(1, "GET");
        let target = TraceId([5; 16]);
        span.links = vec![Link {
            trace_id: target,
            span_id: SpanId([6; 8]),
            method: Method::Handoff,
            confidence: 0.4,
        }];
        let (_, spans) = spans(request(vec![sample::trace(vec![span])])).remove(0);
        let link = &spans[0].links[0];
        assert_eq!((link.trace_id.as_slice(), link.span_id.as_slice()), (&[5; 16][..], &[6; 8][..]));
        assert_eq!(texts(&link.attributes)[1], ("wirespan.link.confidence", "DoubleValue(0.4)".into()));
        assert!(spans[0].attributes.is_empty() && spans[0].parent_span_id.is_empty());
    }

    #[test]
    fn values_of_every_type_arrive() {
        let values = [
            Value::Text("".into()),
            Value::Text("x".repeat(300).into()),
            Value::Int(i64::MIN),
            Value::Int(0),
            Value::Float(-0.5),
            Value::Bool(false),
            Value::List(vec!["a".into(), "".into()]),
        ];
        let span =
            values.into_iter().fold(sample::server(1, "GET /"), |span, value| sample::with(span, "a", value));
        let (_, spans) = spans(request(vec![sample::trace(vec![span])])).remove(0);
        let found: Vec<_> =
            spans[0].attributes.iter().map(|a| a.value.clone().unwrap().value.unwrap()).collect();
        let text = |text: &str| any_value::Value::StringValue(text.into());
        assert_eq!(found[..2], [text(""), text(&"x".repeat(300))]);
        assert_eq!(found[2..4], [any_value::Value::IntValue(i64::MIN), any_value::Value::IntValue(0)]);
        assert_eq!(found[4..6], [any_value::Value::DoubleValue(-0.5), any_value::Value::BoolValue(false)]);
        let any_value::Value::ArrayValue(array) = &found[6] else { panic!("no list: {:?}", found[6]) };
        let listed: Vec<_> = array.values.iter().map(|value| value.value.clone().unwrap()).collect();
        assert_eq!(listed, [text("a"), text("")]);
    }
}
