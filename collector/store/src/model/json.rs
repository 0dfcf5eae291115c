//! Attributes to JSON and back without loss, as they stand in a block: text, whole numbers, numbers, truth values and
//! lists as themselves; what JSON has no type for as an object with one key that begins with `$`.

use serde_json::{Map, Value as Json, json};

use super::{Attribute, Event, Link, Value};

/// Attributes as an object.
pub(crate) fn attributes(attributes: &[Attribute]) -> Json {
    Json::Object(
        attributes.iter().map(|attribute| (attribute.key.to_string(), value(&attribute.value))).collect(),
    )
}

/// One value.
pub(crate) fn value(of: &Value) -> Json {
    match of {
        Value::Text(text) => Json::String(text.to_string()),
        Value::Bool(yes) => Json::Bool(*yes),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) if number.is_finite() => json!(number),
        Value::Float(number) => json!({ "$float": number.to_string() }),
        Value::Bytes(bytes) => json!({ "$bytes": bytes }),
        Value::List(values) => Json::Array(values.iter().map(value).collect()),
        Value::Map(pairs) => {
            json!({ "$map": pairs.iter().map(|(key, of)| json!([key, value(of)])).collect::<Vec<_>>() })
        }
    }
}

/// The attributes of an object; what is none has none.
pub(crate) fn read_attributes(json: &Json) -> Vec<Attribute> {
    let pairs = json.as_object().into_iter().flatten();
    pairs.map(|(key, json)| Attribute { key: key.into(), value: read_value(json) }).collect()
}

/// The value that [`attributes`] wrote so.
pub(crate) fn read_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Text("".into()),
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Int)
        }
        Json::String(text) => Value::Text(text.into()),
        Json::Array(values) => Value::List(values.iter().map(read_value).collect()),
        Json::Object(object) => read_object(object),
    }
}

fn read_object(object: &Map<String, Json>) -> Value {
    if let Some(Json::String(number)) = object.get("$float") {
        return Value::Float(number.parse().unwrap_or(f64::NAN));
    }
    if let Some(Json::Array(bytes)) = object.get("$bytes") {
        return Value::Bytes(bytes.iter().filter_map(Json::as_u64).map(|byte| byte as u8).collect());
    }
    let pairs = object.get("$map").and_then(Json::as_array).into_iter().flatten();
    Value::Map(
        pairs
            .filter_map(|pair| match pair.as_array()?.as_slice() {
                [Json::String(key), of] => Some((key.into(), read_value(of))),
                _ => None,
            })
            .collect(),
    )
}

/// Events as a list of objects.
pub(crate) fn events(events: &[Event]) -> Json {
    let event = |event: &Event| json!({ "time": event.time, "name": event.name, "attributes": attributes(&event.attributes) });
    Json::Array(events.iter().map(event).collect())
}

/// The events of such a list.
pub(crate) fn read_events(json: &Json) -> Vec<Event> {
    let event = |json: &Json| Event {
        time: json["time"].as_u64().unwrap_or_default(),
        name: json["name"].as_str().unwrap_or_default().into(),
        attributes: read_attributes(&json["attributes"]),
    };
    json.as_array().into_iter().flatten().map(event).collect()
}

/// Links as a list of objects.
pub(crate) fn links(links: &[Link]) -> Json {
    let link = |link: &Link| {
        json!({
            "trace_id": link.trace.to_string(),
            "span_id": link.span.to_string(),
            "attributes": attributes(&link.attributes),
        })
    };
    Json::Array(links.iter().map(link).collect())
}

/// The links of such a list.
pub(crate) fn read_links(json: &Json) -> Vec<Link> {
    let link = |json: &Json| Link {
        trace: json["trace_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default(),
        span: json["span_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default(),
        attributes: read_attributes(&json["attributes"]),
    };
    json.as_array().into_iter().flatten().map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back() {
        let all = [
            Value::from("x"),
            Value::from(i64::MIN),
            Value::from(2.0),
            Value::from(f64::INFINITY),
            Value::from(true),
            Value::Bytes([0, 255].into()),
            Value::List([Value::from("x"), Value::from(1.5)].into()),
            Value::Map([("$map".into(), Value::from(1)), ("b".into(), Value::List(Box::default()))].into()),
        ];
        for one in all {
            let text = value(&one).to_string();
            assert_eq!(read_value(&serde_json::from_str(&text).unwrap()), one, "{text}");
        }
    }
}
