//! Zipkin JSON v2 in, spans out. Ids of 64 bits become the right-hand half; a span of both sides stays one span.

use std::sync::Arc;

use serde_json::Value as Json;
use wirespan_store::{Attribute, Event, Kind, Resource, Scope, Span, Status, StatusCode, Text, Value};

use crate::{
    Batch,
    batch::{Cause, times},
    otlp::BadRequest,
};

/// Microseconds in nanoseconds.
const MICRO: u64 = 1000;

/// Reads a list of spans.
///
/// # Errors
/// It is no JSON list.
pub fn decode_v2(body: &[u8]) -> Result<Batch, BadRequest> {
    let json: Json = serde_json::from_slice(body)
        .map_err(|error| BadRequest::Malformed(format!("the body is no JSON: {error}")))?;
    let spans =
        json.as_array().ok_or_else(|| BadRequest::Malformed("the body is no list of spans".to_owned()))?;
    let mut batch = Batch::default();
    let mut resources = Resources::default();
    spans.iter().for_each(|span| batch.add(convert(span, &mut resources)));
    Ok(batch)
}

/// Services of one request, each made once.
#[derive(Default)]
struct Resources(Vec<Arc<Resource>>);

impl Resources {
    fn of(&mut self, service: &str) -> Arc<Resource> {
        if let Some(known) = self.0.iter().find(|known| known.service == service) {
            return known.clone();
        }
        let named = Attribute { key: "service.name".into(), value: Value::from(service) };
        let resource = Arc::new(Resource::new(if service.is_empty() { Vec::new() } else { vec![named] }));
        // A request may name as many services as it has spans; a search among more than these costs more than it saves.
        if self.0.len() < 64 {
            self.0.push(resource.clone());
        }
        resource
    }
}

fn convert(of: &Json, resources: &mut Resources) -> Result<Span, Cause> {
    if !of.is_object() {
        return Err(Cause::Form);
    }
    let text = |key: &str| of[key].as_str().unwrap_or_default();
    let start = of["timestamp"].as_u64().unwrap_or_default().saturating_mul(MICRO);
    let duration = of["duration"].as_u64().unwrap_or_default().saturating_mul(MICRO);
    let (start, duration) = times(start, start.saturating_add(duration))?;
    let mut span = Span {
        trace: text("traceId").parse().map_err(|_| Cause::TraceId)?,
        id: text("id").parse().map_err(|_| Cause::SpanId)?,
        parent: text("parentId").parse().ok(),
        name: text("name").into(),
        kind: text("kind").parse().unwrap_or(Kind::Internal),
        start,
        duration,
        events: of["annotations"].as_array().into_iter().flatten().map(event).collect(),
        resource: resources.of(of["localEndpoint"]["serviceName"].as_str().unwrap_or_default()),
        scope: Arc::new(Scope { name: Text::new_static("zipkin"), ..Scope::default() }),
        ..Span::default()
    };
    tags(&of["tags"], &mut span);
    remote(&of["remoteEndpoint"], &mut span);
    Ok(span)
}

fn event(of: &Json) -> Event {
    Event {
        time: of["timestamp"].as_u64().unwrap_or_default().saturating_mul(MICRO),
        name: of["value"].as_str().unwrap_or_default().into(),
        attributes: Vec::new(),
    }
}

fn tags(of: &Json, span: &mut Span) {
    for (key, value) in of.as_object().into_iter().flatten().filter(|(key, _)| !key.is_empty()) {
        let value: Text = value.as_str().unwrap_or_default().into();
        if key == "error" {
            // Zipkin: the tag's being there is what says that it failed. `false` is what some write all the same.
            if value != "false" {
                span.status = Status { code: StatusCode::Error, message: value.clone() };
            }
        }
        span.attributes.push(Attribute { key: key.into(), value: Value::Text(value) });
    }
}

fn remote(of: &Json, span: &mut Span) {
    let mut add = |key: &str, value: Value| span.attributes.push(Attribute { key: key.into(), value });
    if let Some(service) = of["serviceName"].as_str().filter(|name| !name.is_empty()) {
        add("peer.service", Value::from(service));
    }
    if let Some(address) = of["ipv4"].as_str().or_else(|| of["ipv6"].as_str()) {
        add("network.peer.address", Value::from(address));
    }
    if let Some(port) = of["port"].as_i64().filter(|port| *port > 0) {
        add("network.peer.port", Value::Int(port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of zipkin2-api.yaml.
    const EXAMPLE: &str = r#"[{"id":"352bff9a74ca9ad2","traceId":"5af7183fb1d4cf5f","parentId":"6b221d5bc9e6496c",
        "name":"get /api","timestamp":1556604172355737,"duration":1431,"kind":"SERVER",
        "localEndpoint":{"serviceName":"backend","ipv4":"192.168.99.1","port":3306},
        "remoteEndpoint":{"ipv4":"172.19.0.2","port":58648},
        "annotations":[{"timestamp":1556604172355800,"value":"wr"}],
        "tags":{"http.method":"GET","http.path":"/api","error":"timeout"}},
        {"id":"1","traceId":"nothex","timestamp":1}]"#;

    #[test]
    fn the_specifications_example_is_read() {
        let batch = decode_v2(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(batch.refused(), 1);
        let [span] = &batch.spans[..] else { panic!("one span") };
        assert_eq!(span.trace.to_string(), "00000000000000005af7183fb1d4cf5f");
        assert_eq!((span.kind, span.duration), (Kind::Server, 1_431_000));
        assert_eq!((span.resource.service.as_str(), span.status.message.as_str()), ("backend", "timeout"));
        assert_eq!(span.events[0].name, "wr");
        assert!(span.attributes.iter().any(|attribute| attribute.key == "network.peer.port"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert!(decode_v2(b"{}").is_err());
        assert!(decode_v2(b"[").is_err());
    }
}
