//! Answers of `/api/v1`, as its OpenAPI document describes them.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustc_hash::FxHashSet;
use serde_json::{Map, Value as Json, json};
use wirespan_store::{
    Attribute, Edge, Figures, Hit, NodeKind, Operation, Resource, Scope, Series, Service, Sketch, Span, Text,
    TraceId, Value,
};

use crate::{Answer, Summary};

/// The largest whole number that JavaScript holds exactly.
const EXACT: u64 = 1 << 53;
/// The most spans of one trace in an answer.
pub const MOST_SPANS: usize = 1_000_000;

/// A time: nanoseconds since 1970 as text.
#[must_use]
pub fn time(nanos: u64) -> Json {
    Json::String(nanos.to_string())
}

/// A value.
#[must_use]
pub fn value(of: &Value) -> Json {
    match of {
        Value::Int(number) if number.unsigned_abs() > EXACT => json!({ "int": number.to_string() }),
        Value::Bytes(bytes) => json!({ "bytes": BASE64_STANDARD.encode(bytes) }),
        Value::List(values) => Json::Array(values.iter().map(value).collect()),
        Value::Map(pairs) => {
            Json::Object(pairs.iter().map(|(key, of)| (key.to_string(), value(of))).collect())
        }
        plain => plain.json(),
    }
}

fn attributes(of: &[Attribute]) -> Json {
    Json::Object(of.iter().map(|attribute| (attribute.key.to_string(), value(&attribute.value))).collect())
}

/// A span in a list.
#[must_use]
pub fn hit(of: &Hit) -> Json {
    json!({
        "trace_id": of.trace.to_string(),
        "span_id": of.id.to_string(),
        "parent_id": of.parent.map(|id| id.to_string()),
        "service": of.service,
        "name": of.name,
        "kind": of.kind.name(),
        "status": of.status.name(),
        "start": time(of.start),
        "duration_ns": of.duration,
    })
}

/// A page of traces after `offset`.
#[must_use]
pub fn answer(of: &Answer, offset: usize) -> Json {
    let mut json = json!({
        "traces": of.traces.iter().map(summary).collect::<Vec<_>>(),
        "next_offset": of.more.then_some(offset + of.traces.len()),
        "incomplete": of.incomplete,
    });
    if let (Some(count), Some(object)) = (of.count, json.as_object_mut()) {
        object.insert("matched_spans".to_owned(), json!(count));
    }
    json
}

fn summary(of: &Summary) -> Json {
    let root = of.root.as_ref().map(|root| {
        json!({
            "service": root.service, "name": root.name, "kind": root.kind.name(), "status": root.status.name(),
        })
    });
    let service =
        |(name, counts): (&Text, &(u64, u64))| json!({ "name": name, "spans": counts.0, "errors": counts.1 });
    json!({
        "trace_id": of.trace.to_string(),
        "start": time(of.start),
        "duration_ns": of.duration,
        "spans": of.spans,
        "errors": of.errors,
        "root": root,
        "root_missing": of.root_missing,
        "services": of.services.iter().map(service).collect::<Vec<_>>(),
        "matched": of.matched.iter().map(hit).collect::<Vec<_>>(),
    })
}

/// Parts that spans share, each once.
struct Shared<T> {
    parts: Vec<Arc<T>>,
}

impl<T: PartialEq> Shared<T> {
    fn place(&mut self, part: &Arc<T>) -> usize {
        let known = self.parts.iter().position(|known| Arc::ptr_eq(known, part) || known == part);
        known.unwrap_or_else(|| {
            self.parts.push(part.clone());
            self.parts.len() - 1
        })
    }
}

/// A whole trace.
#[must_use]
pub fn trace(id: TraceId, spans: &[Span]) -> Json {
    let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = spans.iter().map(Span::end).max().unwrap_or_default();
    let mut resources = Shared::<Resource> { parts: Vec::new() };
    let mut scopes = Shared::<Scope> { parts: Vec::new() };
    let shown = spans.get(..MOST_SPANS).unwrap_or(spans);
    let list: Vec<Json> = shown
        .iter()
        .map(|one| span(one, start, resources.place(&one.resource), scopes.place(&one.scope)))
        .collect();
    let known: FxHashSet<_> = spans.iter().map(|span| span.id).collect();
    let missing: FxHashSet<_> =
        spans.iter().filter_map(|span| span.parent).filter(|parent| !known.contains(parent)).collect();
    json!({
        "trace_id": id.to_string(),
        "start": time(start),
        "duration_ns": end - start,
        "resources": resources.parts.iter().map(|of| resource(of)).collect::<Vec<_>>(),
        "scopes": scopes.parts.iter().map(|of| scope(of)).collect::<Vec<_>>(),
        "spans": list,
        "missing_parents": missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "truncated": spans.len() > shown.len(),
    })
}

/// One span by itself, with its resource and scope; offsets from `begin`, in nanoseconds since 1970.
#[must_use]
pub fn detail(of: &Span, begin: u64) -> Json {
    let mut json = span(of, begin, 0, 0);
    if let Some(object) = json.as_object_mut() {
        object.insert("trace_id".to_owned(), json!(of.trace.to_string()));
        object.insert("resource".to_owned(), resource(&of.resource));
        object.insert("scope".to_owned(), scope(&of.scope));
    }
    json
}

fn resource(of: &Resource) -> Json {
    json!({ "service": of.service, "attributes": attributes(&of.attributes) })
}

fn scope(of: &Scope) -> Json {
    json!({ "name": of.name, "version": of.version, "attributes": attributes(&of.attributes) })
}

fn span(of: &Span, begin: u64, resource: usize, scope: usize) -> Json {
    let offset = |time: u64| time as i64 - begin as i64;
    json!({
        "span_id": of.id.to_string(),
        "parent_id": of.parent.map(|id| id.to_string()),
        "name": of.name,
        "kind": of.kind.name(),
        "start": time(of.start),
        "offset_ns": offset(of.start),
        "duration_ns": of.duration,
        "status": { "code": of.status.code.name(), "message": of.status.message },
        "resource": resource,
        "scope": scope,
        "trace_state": of.trace_state,
        "flags": of.flags,
        "attributes": attributes(&of.attributes),
        "events": of.events.iter().map(|event| json!({
            "time": time(event.time),
            "offset_ns": offset(event.time),
            "name": event.name,
            "attributes": attributes(&event.attributes),
        })).collect::<Vec<_>>(),
        "links": of.links.iter().map(|link| json!({
            "trace_id": link.trace.to_string(),
            "span_id": link.span.to_string(),
            "attributes": attributes(&link.attributes),
        })).collect::<Vec<_>>(),
        "dropped": {
            "attributes": of.dropped.attributes, "events": of.dropped.events, "links": of.dropped.links,
        },
    })
}

/// A service.
#[must_use]
pub fn service(of: &Service) -> Json {
    json!({
        "name": of.name, "spans": of.spans, "errors": of.errors, "first": time(of.first), "last": time(of.last),
    })
}

/// An operation.
#[must_use]
pub fn operation(of: &Operation) -> Json {
    json!({ "service": of.service, "name": of.name, "kind": of.kind.name(), "spans": of.spans })
}

/// Durations of a sketch alone.
#[must_use]
pub fn durations(of: &Sketch) -> Json {
    let quantile = |q| of.quantile(q);
    json!({
        "p50_ns": quantile(0.5), "p90_ns": quantile(0.9), "p99_ns": quantile(0.99), "max_ns": quantile(1.0),
    })
}

fn figures(of: &Figures) -> Map<String, Json> {
    let json = json!({
        "spans": of.spans,
        "errors": of.errors,
        "duration": {
            "p50_ns": of.quantile(0.5),
            "p90_ns": of.quantile(0.9),
            "p99_ns": of.quantile(0.99),
            "max_ns": (of.spans > 0).then_some(of.max),
            "sum_ns": of.sum,
        },
    });
    match json {
        Json::Object(object) => object,
        _ => Map::new(),
    }
}

/// A series.
#[must_use]
pub fn series(of: &Series) -> Json {
    let mut total = Figures::default();
    of.points.values().for_each(|point| total.merge(point));
    let point = |(start, point): (&u64, &Figures)| {
        let mut json = figures(point);
        json.insert("time".to_owned(), time(*start));
        Json::Object(json)
    };
    json!({
        "service": of.service,
        "operation": of.operation,
        "total": figures(&total),
        "points": of.points.iter().map(point).collect::<Vec<_>>(),
    })
}

/// The service map: services with the figures of what they served, and the calls between them.
#[must_use]
pub fn map(served: &[Series], edges: &[Edge]) -> Json {
    let mut nodes: BTreeMap<(&Text, NodeKind), Figures> = BTreeMap::new();
    for series in served {
        let node = nodes.entry((&series.service, NodeKind::Service)).or_default();
        series.points.values().for_each(|point| node.merge(point));
    }
    for edge in edges {
        nodes.entry((&edge.from, NodeKind::Service)).or_default();
        let node = nodes.entry((&edge.to, edge.kind)).or_default();
        if edge.kind != NodeKind::Service {
            node.merge(&edge.figures);
        }
    }
    json!({
        "nodes": nodes.iter().map(|((name, of), all)| json!({
            "name": name, "kind": node_kind(*of), "figures": figures(all),
        })).collect::<Vec<_>>(),
        "edges": edges.iter().map(|edge| json!({
            "from": edge.from, "to": edge.to, "to_kind": node_kind(edge.kind), "figures": figures(&edge.figures),
        })).collect::<Vec<_>>(),
    })
}

fn node_kind(of: NodeKind) -> &'static str {
    match of {
        NodeKind::Service => "service",
        NodeKind::Database => "database",
        NodeKind::Messaging => "messaging",
        NodeKind::External => "external",
    }
}
