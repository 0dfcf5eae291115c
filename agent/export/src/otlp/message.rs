//! Comes in: traces. Goes out: one OTLP request, its spans grouped by resource. The layout is opentelemetry-proto's
//! `trace/v1/trace.proto`; protobuf types do not leave this folder.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource as ProtoResource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status, span},
};

use crate::{
    convention,
    resource::Resource,
    span::{Moment, Value},
    trace::{Link, Trace, TraceId, TracedSpan},
};

/// Builds the request that carries these traces.
pub(super) fn request(traces: Vec<Trace>) -> ExportTraceServiceRequest {
    let mut groups = Groups::default();
    for trace in traces {
        for span in trace.spans {
            groups.add(trace.id, span);
        }
    }
    ExportTraceServiceRequest { resource_spans: groups.finish() }
}

/// Spans of one request by their resource, in the order in which the resources were first seen.
#[derive(Default)]
struct Groups {
    by_address: HashMap<*const Resource, usize>,
    groups: Vec<(Arc<Resource>, Vec<ProtoSpan>)>,
}

impl Groups {
    fn add(&mut self, trace: TraceId, span: TracedSpan) {
        let group = self.find(&span.span.resource);
        if let Some((_, spans)) = self.groups.get_mut(group) {
            spans.push(convert(trace, span));
        }
    }

    /// Nearly always the same `Arc`; two equal ones (a process named twice) still make one group.
    fn find(&mut self, resource: &Arc<Resource>) -> usize {
        if let Some(&known) = self.by_address.get(&Arc::as_ptr(resource)) {
            return known;
        }
        let equal = self.groups.iter().position(|(known, _)| known == resource);
        let group = equal.unwrap_or(self.groups.len());
        if equal.is_none() {
            self.groups.push((Arc::clone(resource), Vec::new()));
            // Only an address that the group keeps alive may stand for it: a freed one is used again.
            self.by_address.insert(Arc::as_ptr(resource), group);
        }
        group
    }

    fn finish(self) -> Vec<ResourceSpans> {
        self.groups.into_iter().map(|(resource, spans)| resource_spans(&resource, spans)).collect()
    }
}

fn resource_spans(resource: &Resource, spans: Vec<ProtoSpan>) -> ResourceSpans {
    let attributes = resource.attributes.iter().map(|(name, value)| attribute(name.clone(), value.clone()));
    let scope = InstrumentationScope {
        name: convention::SCOPE.into(),
        version: convention::VERSION.into(),
        ..InstrumentationScope::default()
    };
    ResourceSpans {
        resource: Some(ProtoResource { attributes: attributes.collect(), ..ProtoResource::default() }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }],
        schema_url: String::new(),
    }
}

fn convert(trace: TraceId, traced: TracedSpan) -> ProtoSpan {
    let flags = convention::flags(&traced);
    let evidence = convention::parent_evidence(&traced);
    let (code, message) = convention::status(&traced.span.status);
    let status = Status { code, message: message.into() };
    let span = *traced.span;
    ProtoSpan {
        trace_id: trace.0.into(),
        span_id: traced.span_id.0.into(),
        trace_state: traced.trace_state,
        parent_span_id: traced.parent.map(|parent| parent.span_id.0.into()).unwrap_or_default(),
        flags,
        name: span.name,
        kind: convention::kind(span.role),
        start_time_unix_nano: span.start.0,
        end_time_unix_nano: span.end.0,
        attributes: span.attributes.into_iter().chain(evidence).map(|(n, v)| attribute(n, v)).collect(),
        events: span.events.into_iter().map(event).collect(),
        links: traced.links.into_iter().map(link).collect(),
        status: Some(status),
        // The stages before bound what they make and never drop a part of a span.
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
    }
}

fn event(moment: Moment) -> span::Event {
    span::Event { time_unix_nano: moment.time.0, name: moment.name.into_owned(), ..span::Event::default() }
}

fn link(link: Link) -> span::Link {
    let evidence = convention::evidence(link.method, link.confidence);
    span::Link {
        trace_id: link.trace_id.0.into(),
        span_id: link.span_id.0.into(),
        attributes: evidence.into_iter().map(|(name, value)| attribute(name, value)).collect(),
        ..span::Link::default()
    }
}

fn attribute(name: Cow<'static, str>, value: Value) -> KeyValue {
    KeyValue { key: name.into_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn any(value: Value) -> AnyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.into_owned()),
        Value::Int(number) => any_value::Value::IntValue(number),
        Value::Float(number) => any_value::Value::DoubleValue(number),
        Value::Bool(truth) => any_value::Value::BoolValue(truth),
        Value::List(texts) => {
            let values = texts.into_iter().map(|text| any(Value::Text(text.into()))).collect();
            any_value::Value::ArrayValue(ArrayValue { values })
        }
    };
    AnyValue { value: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sample,
        span::UnixNanos,
        trace::{Method, SpanId},
    };

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
        span.span.events = vec![Moment { time: UnixNanos(sample::NOON + 5), name: "first byte".into() }];
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
}
