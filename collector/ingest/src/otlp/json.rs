//! OTLP's JSON in, spans out (OTLP specification, "JSON Protobuf Encoding"): ids in hex, 64-bit numbers as text or
//! numbers, enumerations as numbers, unknown keys ignored. Read leniently: what is wrong with one span is that span's.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value as Json;
use wirespan_store::{
    Attribute, Dropped, Event, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode, Text, TraceId,
    Value,
};

use super::BadRequest;
use crate::{
    Batch, Limits,
    batch::{Cause, span_id, times, trace_id},
};

/// Reads the body of a request, or a file of OTLP's JSON.
///
/// # Errors
/// It is no JSON, or not built as OTLP wants it.
pub fn decode_json(body: &[u8], limits: &Limits) -> Result<Batch, BadRequest> {
    let json: Json = serde_json::from_slice(body)
        .map_err(|error| BadRequest::Malformed(format!("the body is no JSON: {error}")))?;
    read_json(&json, limits)
}

/// The same of JSON that was read already.
pub(crate) fn read_json(json: &Json, limits: &Limits) -> Result<Batch, BadRequest> {
    let parts = json["resourceSpans"].as_array().or_else(|| json["batches"].as_array());
    if parts.is_none() && json.as_object().is_none_or(|object| !object.is_empty()) {
        return Err(BadRequest::Malformed("the body is no object with a list `resourceSpans`".to_owned()));
    }
    let mut batch = Batch::default();
    for part in parts.into_iter().flatten() {
        take(part, limits, &mut batch);
    }
    Ok(batch)
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn take(part: &Json, limits: &Limits, batch: &mut Batch) {
    let mut of = attributes(&part["resource"]["attributes"]);
    limits.attributes(&mut of);
    let resource = Arc::new(Resource::new(of));
    for group in list(&part["scopeSpans"]) {
        let of = &group["scope"];
        let mut attributes = attributes(&of["attributes"]);
        limits.attributes(&mut attributes);
        let scope = Arc::new(Scope { name: text(&of["name"]), version: text(&of["version"]), attributes });
        list(&group["spans"]).for_each(|span| batch.add(convert(span, &resource, &scope)));
    }
}

fn convert(of: &Json, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span, Cause> {
    if !of.is_object() {
        return Err(Cause::Form);
    }
    let (start, duration) = times(number(&of["startTimeUnixNano"]), number(&of["endTimeUnixNano"]))?;
    let count = |key: &str| number(&of[key]) as u32;
    Ok(Span {
        trace: read_trace(&of["traceId"])?,
        id: read_span(&of["spanId"])?,
        parent: read_span(&of["parentSpanId"]).ok(),
        name: text(&of["name"]),
        kind: Kind::from_number(enumeration(&of["kind"], "SPAN_KIND_", &Kind::ALL.map(Kind::name))),
        start,
        duration,
        status: status(&of["status"]),
        attributes: attributes(&of["attributes"]),
        events: list(&of["events"]).map(event).collect(),
        links: list(&of["links"]).filter_map(link).collect(),
        trace_state: text(&of["traceState"]),
        flags: count("flags"),
        dropped: Dropped {
            attributes: count("droppedAttributesCount"),
            events: count("droppedEventsCount"),
            links: count("droppedLinksCount"),
        },
        resource: resource.clone(),
        scope: scope.clone(),
    })
}

fn status(of: &Json) -> Status {
    let code = enumeration(&of["code"], "STATUS_CODE_", &StatusCode::ALL.map(StatusCode::name));
    Status { code: StatusCode::from_number(code), message: text(&of["message"]) }
}

fn event(of: &Json) -> Event {
    Event {
        time: number(&of["timeUnixNano"]),
        name: text(&of["name"]),
        attributes: attributes(&of["attributes"]),
    }
}

fn link(of: &Json) -> Option<Link> {
    Some(Link {
        trace: read_trace(&of["traceId"]).ok()?,
        span: read_span(&of["spanId"]).ok()?,
        attributes: attributes(&of["attributes"]),
    })
}

fn text(of: &Json) -> Text {
    of.as_str().unwrap_or_default().into()
}

fn number(of: &Json) -> u64 {
    of.as_u64().or_else(|| of.as_str()?.parse().ok()).unwrap_or_default()
}

/// A number, or (not by the specification, but by some senders) its protobuf name.
fn enumeration(of: &Json, prefix: &str, names: &[&str]) -> i32 {
    let named = || {
        let name = of.as_str()?.strip_prefix(prefix)?;
        names.iter().position(|known| known.eq_ignore_ascii_case(name))
    };
    let number = of.as_i64().or_else(|| of.as_str()?.parse().ok());
    let number = number.or_else(|| Some(named()? as i64));
    number.and_then(|number| i32::try_from(number).ok()).unwrap_or_default()
}

/// Hex by the specification; base64 is what protobuf's own JSON has, and a few senders.
fn read_trace(of: &Json) -> Result<TraceId, Cause> {
    let text = of.as_str().unwrap_or_default();
    match text.len() {
        32 => text.parse().map_err(|_| Cause::TraceId),
        _ => trace_id(&BASE64_STANDARD.decode(text).unwrap_or_default()),
    }
}

fn read_span(of: &Json) -> Result<SpanId, Cause> {
    let text = of.as_str().unwrap_or_default();
    match text.len() {
        16 => text.parse().map_err(|_| Cause::SpanId),
        _ => span_id(&BASE64_STANDARD.decode(text).unwrap_or_default()),
    }
}

fn attributes(of: &Json) -> Vec<Attribute> {
    let named = list(of).filter_map(|pair| Some((pair["key"].as_str()?, &pair["value"])));
    named
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, of)| Attribute { key: key.into(), value: value(of) })
        .collect()
}

/// serde_json bounds the depth at 128.
fn value(of: &Json) -> Value {
    let Some((form, of)) = of.as_object().and_then(|object| object.iter().next()) else {
        return Value::from("");
    };
    match form.as_str() {
        "stringValue" => Value::Text(text(of)),
        "boolValue" => Value::Bool(of.as_bool().unwrap_or_default()),
        "intValue" => Value::Int(of.as_i64().or_else(|| of.as_str()?.parse().ok()).unwrap_or_default()),
        "doubleValue" => Value::Float(of.as_f64().or_else(|| of.as_str()?.parse().ok()).unwrap_or(f64::NAN)),
        "bytesValue" => {
            let bytes = BASE64_STANDARD.decode(of.as_str().unwrap_or_default());
            Value::Bytes(bytes.unwrap_or_default().into())
        }
        "arrayValue" => Value::List(list(&of["values"]).map(value).collect()),
        "kvlistValue" => Value::Map(
            list(&of["values"])
                .filter_map(|pair| Some((pair["key"].as_str()?.into(), value(&pair["value"]))))
                .collect(),
        ),
        _ => Value::from(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{decode_protobuf, encode_json, encode_protobuf};

    /// The example of the OTLP specification's repository (examples/trace.json), with more kinds of values.
    const EXAMPLE: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"my.service"}}]},
        "scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0","attributes":[]},"spans":[{
            "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173",
            "name":"I'm a server span","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,
            "kind":2,"unknown":{"future":true},"status":{"code":2,"message":"no"},
            "attributes":[{"key":"a","value":{"stringValue":"v"}},{"key":"b","value":{"intValue":"-5"}},
                {"key":"c","value":{"doubleValue":1.5}},{"key":"d","value":{"bytesValue":"AP8="}},
                {"key":"e","value":{"arrayValue":{"values":[{"boolValue":true}]}}},
                {"key":"f","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":7}}]}}}],
            "events":[{"timeUnixNano":"1544712660500000000","name":"event"}],
            "links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175"}]}]}]}]}"#;

    fn example() -> Batch {
        decode_json(EXAMPLE.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn the_specifications_example_is_read() {
        let [span] = &example().spans[..] else { panic!("one span") };
        assert_eq!(span.trace.to_string(), "5b8efff798038103d269b633813fc60c");
        assert_eq!((span.kind, span.duration, span.failed()), (Kind::Server, 1_000_000_000, true));
        assert_eq!((span.resource.service.as_str(), span.scope.name.as_str()), ("my.service", "my.library"));
        let values: Vec<_> =
            span.attributes.iter().map(|attribute| attribute.value.text().into_owned()).collect();
        assert_eq!(values, ["v", "-5", "1.5", "00ff", "[true]", r#"{"k":7}"#]);
        assert_eq!((span.events.len(), span.links.len()), (1, 1));
    }

    #[test]
    fn both_encodings_read_what_we_write() {
        let spans = example().spans;
        let limits = Limits::default();
        let json = encode_json(&spans).to_string();
        assert_eq!(decode_json(json.as_bytes(), &limits).unwrap().spans, spans);
        assert_eq!(decode_protobuf(&encode_protobuf(&spans), &limits).unwrap().spans, spans);
    }

    #[test]
    fn one_bad_span_does_not_take_the_others_along() {
        let good = &EXAMPLE[EXAMPLE
            .find(
                r#"{
            "traceId""#,
            )
            .unwrap()..EXAMPLE.rfind("]}]}]}").unwrap()];
        let bad = [
            good.replace("5B8EFFF798038103D269B633813FC60C", "00000000000000000000000000000000"),
            good.replace("EEE19B7EC3C1B174", "xyz"),
            good.replace("\"1544712660000000000\"", "0"),
            "7".to_owned(),
        ];
        let body = EXAMPLE.replace(good, &format!("{},{good}", bad.join(",")));
        let batch = decode_json(body.as_bytes(), &Limits::default()).unwrap();
        assert_eq!((batch.spans.len(), batch.refused()), (1, 4));
        assert_eq!(
            batch.refused.keys().copied().collect::<Vec<_>>(),
            [Cause::TraceId, Cause::SpanId, Cause::Time, Cause::Form]
        );
    }

    #[test]
    fn what_is_no_request_is_said_to_be_none() {
        let depth = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        for body in ["", "[]", "7", r#"{"spans":[]}"#, depth.as_str()] {
            assert!(decode_json(body.as_bytes(), &Limits::default()).is_err(), "{body:.20}");
        }
        assert_eq!(decode_json(b"{}", &Limits::default()).unwrap(), Batch::default());
    }
}
