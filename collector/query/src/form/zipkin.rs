//! Zipkin's JSON version 2 (zipkin2-api.yaml): times and durations in microseconds, every attribute a text tag.

use serde_json::{Map, Value as Json, json};
use wirespan_store::{Kind, Span, Value, attribute};

/// A trace: a list of spans.
#[must_use]
pub fn trace(spans: &[Span]) -> Json {
    Json::Array(spans.iter().map(span).collect())
}

fn span(of: &Span) -> Json {
    // What the remote end is called has a place of its own.
    let others = of.attributes.iter().filter(|one| one.key != "peer.service");
    let mut tags: Map<String, Json> =
        others.map(|one| (one.key.to_string(), json!(one.value.text()))).collect();
    if of.failed() {
        let said = if of.status.message.is_empty() { "true" } else { of.status.message.as_str() };
        tags.entry("error").or_insert_with(|| json!(said));
    }
    let mut json = json!({
        "traceId": of.trace.to_string(),
        "id": of.id.to_string(),
        "name": of.name.to_lowercase(),
        "timestamp": of.start / 1000,
        // Zipkin has no spans without a duration.
        "duration": (of.duration / 1000).max(1),
        "localEndpoint": { "serviceName": of.resource.service.to_lowercase() },
    });
    let annotations =
        of.events.iter().map(|event| json!({ "timestamp": event.time / 1000, "value": event.name }));
    if let Some(object) = json.as_object_mut() {
        if !of.events.is_empty() {
            object.insert("annotations".to_owned(), annotations.collect());
        }
        if !tags.is_empty() {
            object.insert("tags".to_owned(), Json::Object(tags));
        }
        if let Some(parent) = of.parent {
            object.insert("parentId".to_owned(), json!(parent.to_string()));
        }
        if matches!(of.kind, Kind::Server | Kind::Client | Kind::Producer | Kind::Consumer) {
            object.insert("kind".to_owned(), json!(of.kind.name().to_uppercase()));
        }
        if let Some(peer) = remote(of) {
            object.insert("remoteEndpoint".to_owned(), peer);
        }
    }
    json
}

fn remote(of: &Span) -> Option<Json> {
    let text = |key: &str| match attribute(&of.attributes, key) {
        Some(Value::Text(text)) => Some(text.to_lowercase()),
        _ => None,
    };
    let name = text("peer.service").or_else(|| text("db.system.name")).or_else(|| text("server.address"))?;
    Some(json!({ "serviceName": name }))
}
