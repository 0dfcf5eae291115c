//! A trace's spans in, its outline out: what a waterfall draws, by columns, so that a trace of a hundred thousand spans
//! is a few megabytes. Attributes are left to whoever asks for a span.

use rustc_hash::FxHashMap;
use serde_json::{Value as Json, json};
use wirespan_store::{Kind, Span, Text, TraceId, Value, attribute};

use super::own::{MOST_SPANS, time};

/// Places that stand for a parent: there is none; there is one, elsewhere.
const NONE: i64 = -1;
const MISSING: i64 = -2;

/// Texts, each once, by their place.
#[derive(Default)]
struct Words<'a> {
    places: FxHashMap<&'a Text, usize>,
    all: Vec<&'a Text>,
}

impl<'a> Words<'a> {
    fn place(&mut self, word: &'a Text) -> usize {
        *self.places.entry(word).or_insert_with(|| {
            self.all.push(word);
            self.all.len() - 1
        })
    }
}

/// A trace's outline, as the API's document describes it.
#[must_use]
pub fn outline(id: TraceId, spans: &[Span]) -> Json {
    let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = spans.iter().map(Span::end).max().unwrap_or_default();
    let shown = spans.get(..MOST_SPANS).unwrap_or(spans);
    let parents = parents(shown);
    let (mut services, mut names, mut methods) = (Words::default(), Words::default(), Words::default());
    let column = |of: &dyn Fn(&Span) -> Json| shown.iter().map(of).collect::<Json>();
    json!({
        "trace_id": id.to_string(),
        "start": time(start),
        "duration_ns": end - start,
        "spans": {
            "id": column(&|span| span.id.to_string().into()),
            "parent": parents,
            "service": shown.iter().map(|span| services.place(&span.resource.service)).collect::<Vec<_>>(),
            "name": shown.iter().map(|span| names.place(&span.name)).collect::<Vec<_>>(),
            "kind": column(&|span| (span.kind as u8).into()),
            "status": column(&|span| (span.status.code as u8).into()),
            "offset_ns": column(&|span| (span.start - start).into()),
            "duration_ns": column(&|span| span.duration.into()),
            "method": shown.iter().map(|span| method(span).map_or(NONE, |name| methods.place(name) as i64)).collect::<Vec<_>>(),
            "confidence": column(&|span| confidence(span).into()),
        },
        "services": services.all,
        "names": names.all,
        "methods": methods.all,
        "losses": shown.iter().enumerate().filter_map(loss).collect::<Vec<_>>(),
        "missing_parents": parents.iter().filter(|parent| **parent == MISSING).count(),
        "truncated": spans.len() > shown.len(),
    })
}

/// The place of each span's parent. Zipkin's server span has its client's id: it is that client's child, and whoever
/// names the id as a parent is the server's.
fn parents(spans: &[Span]) -> Vec<i64> {
    let serves = |span: &Span| span.kind == Kind::Server;
    let mut places = FxHashMap::default();
    let mut clients = FxHashMap::default();
    for (at, span) in spans.iter().enumerate() {
        if serves(span) || !places.contains_key(&span.id) {
            places.insert(span.id, at);
        }
        if span.kind == Kind::Client {
            clients.insert(span.id, at);
        }
    }
    let parent = |span: &Span| match (clients.get(&span.id), span.parent) {
        (Some(client), _) if serves(span) => *client as i64,
        (_, None) => NONE,
        (_, Some(parent)) => places.get(&parent).map_or(MISSING, |at| *at as i64),
    };
    spans.iter().map(parent).collect()
}

fn method(span: &Span) -> Option<&Text> {
    match attribute(&span.attributes, "wirespan.link.method") {
        Some(Value::Text(name)) => Some(name),
        _ => None,
    }
}

fn confidence(span: &Span) -> f64 {
    match attribute(&span.attributes, "wirespan.link.confidence") {
        Some(Value::Float(share)) => *share,
        _ => 0.0,
    }
}

/// What capture lost of a span.
fn loss((at, span): (usize, &Span)) -> Option<Json> {
    let missing = match attribute(&span.attributes, "wirespan.missing_bytes") {
        Some(Value::Int(bytes)) => *bytes,
        _ => 0,
    };
    let truncated = attribute(&span.attributes, "wirespan.truncated") == Some(&Value::Bool(true));
    (missing > 0 || truncated)
        .then(|| json!({ "span": at, "missing_bytes": missing, "truncated": truncated }))
}

#[cfg(test)]
mod tests {
    use wirespan_store::{Attribute, SpanId};

    use super::*;

    fn span(id: u64, parent: Option<u64>, kind: Kind) -> Span {
        let id_of = |number: u64| format!("{number:016x}").parse::<SpanId>().expect("hex");
        Span {
            id: id_of(id),
            parent: parent.map(id_of),
            kind,
            start: 1000 + id,
            duration: 5,
            ..Span::default()
        }
    }

    fn check(spans: &[Span], pointer: &str, expected: &Json) {
        let outline = outline(TraceId::default(), spans);
        assert_eq!(outline.pointer(pointer), Some(expected), "{outline}");
    }

    #[test]
    fn parents_are_places() {
        let spans = [
            span(1, None, Kind::Server),
            span(2, Some(1), Kind::Client),
            // Zipkin's: both ends of one call.
            span(2, Some(1), Kind::Server),
            span(3, Some(2), Kind::Internal),
            span(4, Some(99), Kind::Internal),
        ];
        check(&spans, "/spans/parent", &json!([-1, 0, 1, 2, -2]));
        check(&spans, "/missing_parents", &json!(1));
        check(&spans, "/spans/offset_ns", &json!([0, 1, 1, 2, 3]));
        check(&spans, "/duration_ns", &json!(8));
        check(&[], "/spans/parent", &json!([]));
    }

    #[test]
    fn what_is_known_of_links_and_losses_is_shown() {
        let mut lossy = span(1, None, Kind::Server);
        let attribute = |key: &str, value| Attribute { key: key.into(), value };
        lossy.attributes = vec![
            attribute("wirespan.link.method", Value::from("task")),
            attribute("wirespan.link.confidence", Value::Float(0.97)),
            attribute("wirespan.missing_bytes", Value::Int(512)),
        ];
        let spans = [lossy, span(2, None, Kind::Client)];
        check(&spans, "/methods", &json!(["task"]));
        check(&spans, "/spans/method", &json!([0, -1]));
        check(&spans, "/spans/confidence", &json!([0.97, 0.0]));
        check(&spans, "/losses", &json!([{ "span": 0, "missing_bytes": 512, "truncated": false }]));
    }
}
