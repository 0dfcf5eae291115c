//! Zipkin JSON v1 in (zipkin-api, zipkin-api.yaml), spans out. What version 2 says in fields, version 1 says in annotations:
//! `cs`, `cr`, `sr`, `ss`, `ms`, `mr` have times and the service, `ca`, `sa`, `ma` the address of the other end. A span
//! that both sides wrote is two spans.

use std::sync::Arc;

use serde_json::Value as Json;
use wirespan_store::{Kind, Span};

use super::{
    convert::{MICRO, Resources, event, remote, scope, tag},
    decode::list,
};
use crate::{
    Batch,
    batch::{Cause, times},
    otlp::BadRequest,
};

/// A side of a call: its kind, where it begins, where it ends, who is at the other end.
type Side = (Kind, &'static str, &'static str, &'static str);

const SIDES: [Side; 4] = [
    (Kind::Client, "cs", "cr", "sa"),
    (Kind::Server, "sr", "ss", "ca"),
    (Kind::Producer, "ms", "", "ma"),
    (Kind::Consumer, "mr", "", "ma"),
];

/// Reads a list of spans.
///
/// # Errors
/// It is no JSON list.
pub fn decode_v1(body: &[u8]) -> Result<Batch, BadRequest> {
    let mut batch = Batch::default();
    let mut resources = Resources::default();
    for span in list(body)? {
        let sides: Vec<Side> = SIDES.into_iter().filter(|side| has(&span, side)).collect();
        if sides.is_empty() {
            batch.add(convert(&span, None, &mut resources));
        }
        sides.into_iter().for_each(|side| batch.add(convert(&span, Some(side), &mut resources)));
    }
    Ok(batch)
}

fn annotations(of: &Json) -> impl Iterator<Item = &Json> {
    of["annotations"].as_array().into_iter().flatten()
}

fn binary(of: &Json) -> impl Iterator<Item = &Json> {
    of["binaryAnnotations"].as_array().into_iter().flatten()
}

fn has(of: &Json, (_, begin, end, _): &Side) -> bool {
    let named = |value: &Json, name: &str| !name.is_empty() && value == name;
    annotations(of).any(|one| named(&one["value"], begin) || named(&one["value"], end))
}

fn time(of: &Json, name: &str) -> Option<u64> {
    annotations(of).find(|one| one["value"] == name)?["timestamp"].as_u64()
}

fn convert(of: &Json, side: Option<Side>, resources: &mut Resources) -> Result<Span, Cause> {
    if !of.is_object() {
        return Err(Cause::Form);
    }
    let text = |key: &str| of[key].as_str().unwrap_or_default();
    let (kind, begin, end, other) = side.unwrap_or((Kind::Internal, "", "", ""));
    let (start, duration) = interval(of, begin, end)?;
    let mut span = Span {
        trace: text("traceId").parse().map_err(|_| Cause::TraceId)?,
        id: text("id").parse().map_err(|_| Cause::SpanId)?,
        parent: text("parentId").parse().ok(),
        name: text("name").into(),
        kind,
        start,
        duration,
        resource: resources.of(service(of, begin, end)),
        scope: Arc::new(scope()),
        ..Span::default()
    };
    let plain = annotations(of).filter(|one| !is_core(one));
    let word = |one: &Json| {
        event(one["timestamp"].as_u64().unwrap_or_default(), one["value"].as_str().unwrap_or_default())
    };
    span.events = plain.map(word).collect();
    for one in binary(of) {
        binary_annotation(&mut span, one, other);
    }
    Ok(span)
}

fn is_core(annotation: &Json) -> bool {
    SIDES.iter().any(|(_, begin, end, _)| annotation["value"] == *begin || annotation["value"] == *end)
}

/// By the side's own annotations; else as the span says, which is the client's view where there are both.
fn interval(of: &Json, begin: &str, end: &str) -> Result<(u64, u64), Cause> {
    let whole = of["timestamp"].as_u64();
    let first = annotations(of).filter_map(|one| one["timestamp"].as_u64()).min();
    let start = time(of, begin).or(whole).or(first).unwrap_or_default().saturating_mul(MICRO);
    let length = of["duration"].as_u64().unwrap_or_default().saturating_mul(MICRO);
    let end = time(of, end).map_or(start.saturating_add(length), |end| end.saturating_mul(MICRO));
    times(start, end)
}

/// Of the side's annotations; else of any.
fn service<'a>(of: &'a Json, begin: &str, end: &str) -> &'a str {
    let name = |one: &'a Json| one["endpoint"]["serviceName"].as_str().filter(|name| !name.is_empty());
    let own = annotations(of).filter(|one| one["value"] == begin || one["value"] == end).find_map(name);
    // The address of the other end names the other end.
    let others = || binary(of).filter(|one| one["value"] != true).find_map(name);
    own.or_else(|| annotations(of).find_map(name)).or_else(others).unwrap_or_default()
}

fn binary_annotation(span: &mut Span, of: &Json, other: &str) {
    let key = of["key"].as_str().unwrap_or_default();
    match &of["value"] {
        Json::Bool(true) if matches!(key, "ca" | "sa" | "ma") => {
            if key == other {
                let end = &of["endpoint"];
                let address = end["ipv4"].as_str().or_else(|| end["ipv6"].as_str());
                let port = end["port"].as_i64().unwrap_or_default();
                remote(span, end["serviceName"].as_str().unwrap_or_default(), address, port);
            }
        }
        Json::String(text) => tag(span, key, text),
        Json::Null => {}
        value => tag(span, key, &value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use wirespan_store::{StatusCode, Value, attribute};

    use super::*;

    /// A span as Brave's version 1 encoder writes it, both sides in one.
    const SHARED: &str = r#"[{"traceId":"5af7183fb1d4cf5f","id":"352bff9a74ca9ad2","parentId":"6b221d5bc9e6496c","name":"get",
        "timestamp":1556604172355737,"duration":1431,
        "annotations":[
            {"timestamp":1556604172355737,"value":"cs","endpoint":{"serviceName":"web"}},
            {"timestamp":1556604172355800,"value":"sr","endpoint":{"serviceName":"backend"}},
            {"timestamp":1556604172355900,"value":"cache miss","endpoint":{"serviceName":"backend"}},
            {"timestamp":1556604172356800,"value":"ss","endpoint":{"serviceName":"backend"}},
            {"timestamp":1556604172357168,"value":"cr","endpoint":{"serviceName":"web"}}],
        "binaryAnnotations":[
            {"key":"http.path","value":"/api","endpoint":{"serviceName":"web"}},
            {"key":"error","value":"timeout","endpoint":{"serviceName":"web"}},
            {"key":"retries","value":3},
            {"key":"sa","value":true,"endpoint":{"serviceName":"backend","ipv4":"192.168.99.1","port":3306}},
            {"key":"ca","value":true,"endpoint":{"ipv4":"172.19.0.2","port":58648}}]}]"#;

    #[test]
    fn both_sides_of_a_span_become_spans() {
        let batch = decode_v1(SHARED.as_bytes()).unwrap();
        let [client, server] = &batch.spans[..] else { panic!("two spans: {batch:?}") };
        assert_eq!(
            (client.kind, &*client.resource.service, client.duration),
            (Kind::Client, "web", 1_431_000)
        );
        assert_eq!((server.kind, &*server.resource.service), (Kind::Server, "backend"));
        assert_eq!((server.start, server.duration), (1_556_604_172_355_800_000, 1_000_000));
        let peer = |span: &Span| attribute(&span.attributes, "network.peer.address").cloned();
        assert_eq!(
            (peer(client), peer(server)),
            (Some(Value::from("192.168.99.1")), Some(Value::from("172.19.0.2")))
        );
        assert_eq!(attribute(&client.attributes, "retries"), Some(&Value::from("3")));
        assert_eq!((client.status.code, server.events.len()), (StatusCode::Error, 1));
    }

    #[test]
    fn a_local_span_has_neither_side() {
        let local = r#"[{"traceId":"1","id":"2","name":"load","timestamp":5,"duration":2,
            "binaryAnnotations":[{"key":"lc","value":"spring","endpoint":{"serviceName":"web"}}]},
            {"traceId":"1","id":"2","name":"no time"}, 7]"#;
        let batch = decode_v1(local.as_bytes()).unwrap();
        assert_eq!((batch.spans.len(), batch.refused()), (1, 2));
        assert_eq!((batch.spans[0].kind, &*batch.spans[0].resource.service), (Kind::Internal, "web"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert!(decode_v1(b"{}").is_err());
    }
}
