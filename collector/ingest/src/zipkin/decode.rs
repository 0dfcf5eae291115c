//! Zipkin JSON v2 in, spans out. Ids of 64 bits become the right-hand half; a span of both sides stays one span.

use std::sync::Arc;

use serde_json::Value as Json;
use wirespan_store::{Event, Kind, Span};

use super::convert::{self, MICRO, Resources, scope, tag};
use crate::{
    Batch,
    batch::{Cause, times},
    otlp::BadRequest,
};

/// Reads a list of spans.
///
/// # Errors
/// It is no JSON list.
pub fn decode_v2(body: &[u8]) -> Result<Batch, BadRequest> {
    let mut batch = Batch::default();
    let mut resources = Resources::default();
    list(body)?.iter().for_each(|span| batch.add(convert(span, &mut resources)));
    Ok(batch)
}

/// The elements of a JSON list.
pub(super) fn list(body: &[u8]) -> Result<Vec<Json>, BadRequest> {
    match serde_json::from_slice(body) {
        Ok(Json::Array(spans)) => Ok(spans),
        Ok(_) => Err(BadRequest::Malformed("the body is no list of spans".to_owned())),
        Err(error) => Err(BadRequest::Malformed(format!("the body is no JSON: {error}"))),
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
        scope: Arc::new(scope()),
        ..Span::default()
    };
    for (key, value) in of["tags"].as_object().into_iter().flatten() {
        tag(&mut span, key, value.as_str().unwrap_or_default());
    }
    remote(&of["remoteEndpoint"], &mut span);
    Ok(span)
}

fn event(of: &Json) -> Event {
    convert::event(of["timestamp"].as_u64().unwrap_or_default(), of["value"].as_str().unwrap_or_default())
}

fn remote(of: &Json, span: &mut Span) {
    let address = of["ipv4"].as_str().or_else(|| of["ipv6"].as_str());
    let port = of["port"].as_i64().unwrap_or_default();
    convert::remote(span, of["serviceName"].as_str().unwrap_or_default(), address, port);
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
