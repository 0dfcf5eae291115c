//! Comes in: a trace. Goes out: one JSON object a span and line, with the field names, numbers and hex ids of
//! OTLP/JSON; `attributes` and `resource` are plain objects by attribute name, which is what `jq` likes. Refuses:
//! characters that a terminal would obey, should the lines end up on one: they are escaped as JSON allows.

use std::{borrow::Cow, io};

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct},
};
use serde_json::ser::{CompactFormatter, Formatter};

use super::escape::hostile;
use crate::{
    convention::{self, hex},
    span::{Moment, Value},
    trace::{Link, Trace, TraceId, TracedSpan},
};

/// Appends the lines of a trace.
pub(super) fn render(trace: &Trace, out: &mut String) {
    for span in &trace.spans {
        let mut line = Vec::with_capacity(1024);
        let mut serializer = serde_json::Serializer::with_formatter(&mut line, Harmless);
        Object { trace: trace.id, span }
            .serialize(&mut serializer)
            .expect("keys are text and memory takes all");
        out.push_str(&String::from_utf8(line).expect("serde_json writes UTF-8"));
        out.push('\n');
    }
}

/// Escapes what the compact form leaves bare: DEL, C1, invisible characters and marks of direction.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return CompactFormatter.write_string_fragment(out, text);
        }
        let mut rest = text;
        while let Some((at, character)) = rest.char_indices().find(|&(_, c)| hostile(c)) {
            let (harmless, tail) = rest.split_at(at);
            CompactFormatter.write_string_fragment(out, harmless)?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = tail.strip_prefix(character).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(out, rest)
    }
}

struct Object<'a> {
    trace: TraceId,
    span: &'a TracedSpan,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (traced, span) = (self.span, self.span.span.as_ref());
        let mut object = serializer.serialize_struct("Span", 14)?;
        object.serialize_field("traceId", &hex(&self.trace.0))?;
        object.serialize_field("spanId", &hex(&traced.span_id.0))?;
        let parent = traced.parent.map(|parent| hex(&parent.span_id.0));
        object.serialize_field("parentSpanId", &parent.unwrap_or_default())?;
        object.serialize_field("traceState", &traced.trace_state)?;
        object.serialize_field("flags", &convention::flags(traced))?;
        object.serialize_field("name", &span.name)?;
        object.serialize_field("kind", &convention::kind(span.role))?;
        object.serialize_field("startTimeUnixNano", &span.start.0.to_string())?;
        object.serialize_field("endTimeUnixNano", &span.end.0.to_string())?;
        object.serialize_field("status", &Status(&span.status))?;
        let evidence: Vec<_> = convention::parent_evidence(traced).collect();
        object.serialize_field("attributes", &Attributes(&[&span.attributes, &evidence]))?;
        object.serialize_field("events", &Array(&span.events, Event))?;
        object.serialize_field("links", &Array(&traced.links, LinkObject))?;
        object.serialize_field("resource", &Attributes(&[&span.resource.attributes]))?;
        object.end()
    }
}

struct Status<'a>(&'a crate::span::Status);

impl Serialize for Status<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (code, message) = convention::status(self.0);
        let mut object = serializer.serialize_struct("Status", 2)?;
        object.serialize_field("code", &code)?;
        object.serialize_field("message", message)?;
        object.end()
    }
}

/// Attributes of several lists as one object.
struct Attributes<'a>(&'a [&'a [(Cow<'static, str>, Value)]]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for (name, value) in self.0.iter().copied().flatten() {
            object.serialize_entry(name, &Plain(value))?;
        }
        object.end()
    }
}

struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Int(number) => serializer.serialize_i64(*number),
            // JSON has no such number; protobuf's JSON mapping writes "NaN", "Infinity", "-Infinity".
            Value::Float(number) if number.is_nan() => serializer.serialize_str("NaN"),
            Value::Float(number) if number.is_infinite() => {
                serializer.serialize_str(if *number > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::List(texts) => texts.serialize(serializer),
        }
    }
}

/// A list whose items are shown through a wrapper.
struct Array<'a, T, W>(&'a [T], fn(&'a T) -> W);

impl<T, W: Serialize> Serialize for Array<'_, T, W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

struct Event<'a>(&'a Moment);

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Event", 3)?;
        object.serialize_field("timeUnixNano", &self.0.time.0.to_string())?;
        object.serialize_field("name", &self.0.name)?;
        object.serialize_field("attributes", &Attributes(&[]))?;
        object.end()
    }
}

struct LinkObject<'a>(&'a Link);

impl Serialize for LinkObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let evidence = convention::evidence(self.0.method, self.0.confidence);
        let mut object = serializer.serialize_struct("Link", 3)?;
        object.serialize_field("traceId", &hex(&self.0.trace_id.0))?;
        object.serialize_field("spanId", &hex(&self.0.span_id.0))?;
        object.serialize_field("attributes", &Attributes(&[&evidence]))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sample,
        span::UnixNanos,
        trace::{Method, SpanId},
    };

    fn rendered(span: TracedSpan) -> String {
        let mut out = String::new();
        render(&sample::trace(vec![span]), &mut out);
        out
    }

    #[test]
    fn a_span_is_a_line() {
        let mut span = sample::below(sample::server(7, "GET /x"), sample::parent(9, Method::Task, 0.9));
        span.trace_state = "v=1".into();
        span.span.status = crate::span::Status::Error("boom".into());
        span.span.events = vec![Moment { time: UnixNanos(5), name: "first byte".into() }];
        span.links = vec![Link {
            trace_id: TraceId([5; 16]),
            span_id: SpanId([6; 8]),
            method: Method::Handoff,
            confidence: 0.4,
        }];
        let span = sample::with(span, "http.response.status_code", Value::Int(500));
        let expected = concat!(
            r#"{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"0000000000000007","#,
            r#""parentSpanId":"0000000000000009","traceState":"v=1","flags":769,"name":"GET /x","kind":2,"#,
            r#""startTimeUnixNano":"1770120000000000000","endTimeUnixNano":"1770120000001000000","#,
            r#""status":{"code":2,"message":"boom"},"attributes":{"http.response.status_code":500,"#,
            r#""wirespan.link.method":"task","wirespan.link.confidence":0.9},"#,
            r#""events":[{"timeUnixNano":"5","name":"first byte","attributes":{}}],"#,
            r#""links":[{"traceId":"05050505050505050505050505050505","spanId":"0606060606060606","#,
            r#""attributes":{"wirespan.link.method":"handoff","wirespan.link.confidence":0.4}}],"#,
            r#""resource":{"service.name":"shop","process.pid":42}}"#,
            "\n"
        );
        assert_eq!(rendered(span), expected);
    }

    #[test]
    fn a_root_has_every_field_too() {
        let line = rendered(sample::client(1, "GET"));
        assert!(
            line.contains(r#""parentSpanId":"","#)
                && line.contains(r#""attributes":{},"events":[],"links":[]"#)
        );
        assert!(line.contains(r#""kind":3,"#) && line.contains(r#""status":{"code":0,"message":""}"#));
    }

    #[test]
    fn hostile_text_is_escaped_and_comes_back() {
        let name = "GET /\"\\\x1b[2J\x7f\u{9b}\u{202e}\u{e0001}é\n";
        let line = rendered(sample::server(1, name));
        assert_eq!(line.matches(hostile).collect::<Vec<_>>(), ["\n"]);
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["name"], name);
    }

    #[test]
    fn values_of_every_type() {
        for (value, expected) in [
            (Value::Bool(true), "true"),
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::Float(0.5), "0.5"),
            (Value::Float(f64::NAN), "\"NaN\""),
            (Value::Float(f64::NEG_INFINITY), "\"-Infinity\""),
            (Value::List(vec!["a".into(), "b".into()]), "[\"a\",\"b\"]"),
        ] {
            let line = rendered(sample::with(sample::server(1, "GET /"), "a", value));
            assert!(line.contains(&format!("\"attributes\":{{\"a\":{expected}}}")), "{line}");
        }
    }
}
