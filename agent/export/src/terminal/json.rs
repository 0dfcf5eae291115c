//! Comes in: a trace. Goes out: one JSON object a span and line, with the field names, numbers and hex ids of
//! OTLP/JSON; `attributes` and `resource` are plain objects by attribute name, which is what `jq` likes. Refuses:
//! characters that a terminal would obey, should the lines end up on one: they are escaped as JSON allows.
//!
//! Written by hand: nearly all text is plain and needs no look at each of its characters, and half of a line is the
//! span's resource, which is the same for all spans of a process.

use std::{borrow::Cow, collections::VecDeque, io, sync::Arc};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::escape::hostile;
use crate::{
    convention::{self, hex_digits},
    resource::Resource,
    span::{Attribute, Ends, Moment, Value},
    trace::{Link, Trace, TraceId, TracedSpan},
    written::{Evidence, Written},
};

/// Resources whose text is remembered: those of the processes that talk to each other now.
const REMEMBERED: usize = 16;

/// Bytes of most lines.
const LINE: usize = 1536;

/// Writes spans, and remembers how their resources and the ends of their connections look.
#[derive(Debug, Default)]
pub(super) struct Lines {
    resources: VecDeque<(Arc<Resource>, Vec<u8>)>,
    written: Written,
}

impl Lines {
    /// Appends the lines of a trace.
    pub(super) fn render(&mut self, trace: &Trace, out: &mut Vec<u8>) {
        for span in &trace.spans {
            out.reserve(LINE);
            Json(out).span(trace.id, span, &mut self.written);
            out.extend_from_slice(b",\"resource\":");
            out.extend_from_slice(self.resource(&span.span.resource));
            out.extend_from_slice(b"}\n");
        }
    }

    fn resource(&mut self, resource: &Arc<Resource>) -> &[u8] {
        let known = self.resources.iter().position(|(known, _)| Arc::ptr_eq(known, resource));
        let place = known.unwrap_or_else(|| {
            self.resources.truncate(REMEMBERED - 1);
            let mut text = Vec::new();
            Json(&mut text).raw("{\"").attributes(&resource.attributes).end_attributes();
            self.resources.push_front((Arc::clone(resource), text));
            0
        });
        self.resources.get(place).map_or(b"{}", |(_, text)| text)
    }
}

/// JSON under way.
struct Json<'a>(&'a mut Vec<u8>);

impl Json<'_> {
    /// A span as an object that is still open: its resource is missing.
    fn span(&mut self, trace: TraceId, traced: &TracedSpan, written: &mut Written) {
        let span = traced.span.as_ref();
        self.raw("{\"traceId\":\"").id(&trace.0);
        self.raw("\",\"spanId\":\"").id(&traced.span_id.0);
        self.raw("\",\"parentSpanId\":\"");
        if let Some(parent) = traced.parent {
            self.id(&parent.span_id.0);
        }
        self.raw("\",\"traceState\":").rare_text(&traced.trace_state);
        self.raw(",\"flags\":").number(convention::flags(traced).into());
        self.raw(",\"name\":").text(&span.name);
        self.raw(",\"kind\":").digit(convention::kind(span.role));
        self.raw(",\"startTimeUnixNano\":\"").number(span.start.0);
        self.raw("\",\"endTimeUnixNano\":\"").number(span.end.0);
        let (code, message) = convention::status(&span.status);
        self.raw("\",\"status\":{\"code\":").digit(code);
        self.raw(",\"message\":").rare_text(message);
        self.raw("},\"attributes\":{\"").span_attributes(traced, written);
        self.raw(",\"events\":[").list(span.event.as_slice(), Self::event);
        self.raw(",\"links\":[").list(&traced.links, Self::link);
    }

    /// All attributes of a span, to the end of their object.
    fn span_attributes(&mut self, traced: &TracedSpan, written: &mut Written) {
        let (ahead, ends, behind) = traced.span.attributes.parts();
        self.attributes(ahead);
        if let Some(ends) = ends {
            let write = |ends: &Ends, out: &mut Vec<u8>| Json(out).pairs(ends.attributes());
            self.0.extend_from_slice(written.ends(traced.span.key.cookie, ends, write));
        }
        self.attributes(behind);
        if let Some(evidence) = convention::parent_evidence(traced) {
            let write = |evidence: &Evidence, out: &mut Vec<u8>| {
                Json(out).pairs(convention::evidence_attributes(*evidence));
            };
            self.0.extend_from_slice(written.evidence(evidence, write));
        }
        self.end_attributes();
    }

    fn event(&mut self, moment: &Moment) {
        self.raw("{\"timeUnixNano\":\"").number(moment.time.0);
        self.raw("\",\"name\":").text(&moment.name).raw(",\"attributes\":{}}");
    }

    fn link(&mut self, link: &Link) {
        self.raw("{\"traceId\":\"").id(&link.trace_id.0);
        self.raw("\",\"spanId\":\"").id(&link.span_id.0);
        self.raw("\",\"attributes\":{\"");
        self.pairs(convention::evidence_attributes(convention::evidence(link.method, link.confidence)));
        self.end_attributes().raw("}");
    }

    /// Attributes of an object whose first quotation mark is written; behind each the comma and the mark of the next.
    fn attributes(&mut self, attributes: &[Attribute]) -> &mut Self {
        for (name, value) in attributes {
            match name {
                // Of the names that are written in the source none needs a look.
                Cow::Borrowed(name) => self.raw(name),
                Cow::Owned(name) => self.name(name),
            };
            match value {
                Value::Int(number @ 0..) => self.raw("\":").number(number.unsigned_abs()).raw(",\""),
                Value::Text(text) => {
                    let text = text.as_str();
                    if plain(text) {
                        self.raw("\":\"").raw(text).raw("\",\"")
                    } else {
                        self.raw("\":").serialized(text).raw(",\"")
                    }
                }
                value => self.raw("\":").value(value).raw(",\""),
            };
        }
        self
    }

    /// A name between its quotation marks, the first of which is written.
    fn name(&mut self, name: &str) -> &mut Self {
        if plain(name) {
            return self.raw(name);
        }
        self.0.pop();
        self.serialized(name);
        self.0.pop();
        self
    }

    /// The end of an object's attributes, in the place of what was begun of the next.
    fn end_attributes(&mut self) -> &mut Self {
        let begun = if self.0.ends_with(b",\"") { 2 } else { 1 };
        self.0.truncate(self.0.len() - begun);
        self.raw("}")
    }

    /// The same where nobody holds them.
    fn pairs(&mut self, attributes: impl IntoIterator<Item = (&'static str, Value)>) {
        let held: Vec<Attribute> = attributes.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.attributes(&held);
    }

    /// What a list holds, and its end.
    fn list<T>(&mut self, items: &[T], item: impl Fn(&mut Self, &T)) -> &mut Self {
        for (index, one) in items.iter().enumerate() {
            self.raw(if index > 0 { "," } else { "" });
            item(self, one);
        }
        self.raw("]")
    }

    fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Text(text) => self.text(text),
            Value::Int(number) if *number < 0 => self.raw("-").number(number.unsigned_abs()),
            Value::Int(number) => self.number(number.unsigned_abs()),
            // JSON has no such number; protobuf's JSON mapping writes "NaN", "Infinity", "-Infinity".
            Value::Float(number) if number.is_nan() => self.text("NaN"),
            Value::Float(number) if number.is_infinite() => {
                self.text(if *number > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Value::Float(number) => self.serialized(number),
            Value::Bool(truth) => self.raw(if *truth { "true" } else { "false" }),
            Value::List(texts) => self.raw("[").list(texts, |json, text| {
                json.text(text);
            }),
        }
    }

    /// Text that is JSON already.
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Text in quotes.
    fn text(&mut self, text: &str) -> &mut Self {
        if plain(text) { self.raw("\"").raw(text).raw("\"") } else { self.serialized(text) }
    }

    /// The same of what most spans have none of.
    fn rare_text(&mut self, text: &str) -> &mut Self {
        if text.is_empty() { self.raw("\"\"") } else { self.text(text) }
    }

    /// A number of one digit.
    fn digit(&mut self, number: i32) -> &mut Self {
        self.0.push(b'0' + number as u8 % 10);
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.raw(itoa::Buffer::new().format(number))
    }

    /// An id in hex.
    fn id<const BYTES: usize>(&mut self, id: &[u8; BYTES]) -> &mut Self {
        self.0.extend_from_slice(id.map(hex_digits).as_flattened());
        self
    }

    fn serialized(&mut self, value: &(impl Serialize + ?Sized)) -> &mut Self {
        let mut serializer = serde_json::Serializer::with_formatter(&mut *self.0, Harmless);
        value.serialize(&mut serializer).expect("memory takes all");
        self
    }
}

/// Is every character one that stands for itself? Looked at eight at a time, some at the end twice.
#[inline]
fn plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.last_chunk() {
        Some(last) => {
            bytes.as_chunks().0.iter().chain([last]).all(|word| plain_word(u64::from_ne_bytes(*word)))
        }
        None => plain_word(short_word(bytes)),
    }
}

/// Fewer than eight bytes, filled up with others that stand for themselves.
fn short_word(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last))
        }
        _ => bytes.iter().fold(u64::from_ne_bytes([b' '; 8]), |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Of eight bytes: is none a control character, DEL, a quotation mark, a backslash, or beyond ASCII? What is subtracted
/// reaches a byte's highest bit where that byte is one of them, and elsewhere only where another is.
const fn plain_word(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST: u64 = ONES << 7;
    let control = word.wrapping_sub(ONES * b' ' as u64);
    let quotation = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let delete = word.wrapping_add(ONES);
    (word | control | quotation | backslash | delete) & HIGHEST == 0
}

/// Escapes what the compact form leaves bare: DEL, C1, invisible characters and marks of direction.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sample,
        span::UnixNanos,
        trace::{Method, SpanId},
    };

    fn rendered(span: TracedSpan) -> String {
        let mut out = Vec::new();
        Lines::default().render(&sample::trace(vec![span]), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_span_is_a_line() {
        let mut span = sample::below(sample::server(7, "GET /x"), sample::parent(9, Method::Task, 0.9));
        span.trace_state = "v=1".into();
        span.span.status = crate::span::Status::Error("boom".into());
        span.span.event = Some(Moment { time: UnixNanos(5), name: "first byte".into() });
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
    fn every_span_has_the_resource_of_its_process() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        let span = |number: u8| {
            let mut span = sample::server(number, "GET /");
            let name = Value::Text(format!("service-{}", number % 32).into());
            span.span.resource = Arc::new(Resource { attributes: vec![("service.name".into(), name)] });
            span
        };
        let trace = sample::trace((0..64).map(span).collect());
        lines.render(&trace, &mut out);
        lines.render(&trace, &mut out);
        let names: Vec<_> = out
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap())
            .map(|line| line["resource"]["service.name"].as_str().unwrap().to_owned())
            .collect();
        let expected: Vec<_> = (0..64).map(|n| format!("service-{}", n % 32)).collect();
        assert_eq!(names, [expected.clone(), expected].concat());
        assert!(lines.resources.len() <= REMEMBERED);
    }

    #[test]
    fn each_character_is_looked_at_wherever_it_stands() {
        for character in '\0'..='\u{ff}' {
            let stands_for_itself = matches!(character, ' '..='~') && !['"', '\\'].contains(&character);
            for (before, length) in
                (1..=17).flat_map(|length| (0..length).map(move |before| (before, length)))
            {
                let text = format!("{}{character}{}", "a".repeat(before), "~".repeat(length - before - 1));
                assert_eq!(plain(&text), stands_for_itself, "{text:?}");
            }
        }
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
