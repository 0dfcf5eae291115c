//! The bounds of what one request and one span may hold, and how spans are cut down to them.

use wirespan_store::{Attribute, Span, Text, Value};

/// Bounds. What lies beyond them is left out and counted in the span's `dropped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body, as sent and after unpacking.
    pub body: usize,
    /// Attributes of a span, an event, a link, a resource or a scope.
    pub attributes: usize,
    /// Bytes of a text, and of bytes.
    pub text: usize,
    /// Events of a span, and links.
    pub events: usize,
    /// Values in a list or map.
    pub values: usize,
    /// Lists and maps within each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 16 << 20, attributes: 256, text: 16 << 10, events: 256, values: 256, depth: 8 }
    }
}

impl Limits {
    /// Cuts a span down. Its attributes are by key afterwards, each once: the last one said counts.
    pub(crate) fn apply(&self, span: &mut Span) {
        span.dropped.attributes += self.attributes(&mut span.attributes);
        span.dropped.events += excess(&mut span.events, self.events);
        span.dropped.links += excess(&mut span.links, self.events);
        span.events.iter_mut().for_each(|event| {
            self.attributes(&mut event.attributes);
            self.text(&mut event.name);
        });
        span.links.iter_mut().for_each(|link| {
            self.attributes(&mut link.attributes);
        });
        [&mut span.name, &mut span.status.message, &mut span.trace_state]
            .into_iter()
            .for_each(|text| self.text(text));
    }

    /// Cuts attributes down; the answer is how many were left out.
    pub(crate) fn attributes(&self, attributes: &mut Vec<Attribute>) -> u32 {
        if !attributes.is_sorted_by(|a, b| a.key < b.key) {
            // The sort is stable: of equal keys the last one said is the last, and stays.
            attributes.sort_by(|a, b| a.key.cmp(&b.key));
            attributes.reverse();
            attributes.dedup_by(|a, b| a.key == b.key);
            attributes.reverse();
        }
        let left_out = excess(attributes, self.attributes);
        for attribute in attributes {
            self.text(&mut attribute.key);
            self.value(&mut attribute.value, self.depth);
        }
        left_out
    }

    fn value(&self, value: &mut Value, depth: usize) {
        match value {
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => cut(bytes, self.text),
            Value::List(_) | Value::Map(_) if depth == 0 => *value = Value::from("(nested too deep)"),
            Value::List(values) => {
                cut(values, self.values);
                values.iter_mut().for_each(|value| self.value(value, depth - 1));
            }
            Value::Map(pairs) => {
                cut(pairs, self.values);
                pairs.iter_mut().for_each(|(_, value)| self.value(value, depth - 1));
            }
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
        }
    }

    fn text(&self, text: &mut Text) {
        if text.len() > self.text {
            *text = text.get(..text.floor_char_boundary(self.text)).unwrap_or_default().into();
        }
    }
}

fn cut<T>(all: &mut Box<[T]>, most: usize) {
    if all.len() > most {
        let mut rest = std::mem::take(all).into_vec();
        rest.truncate(most);
        *all = rest.into();
    }
}

fn excess<T>(all: &mut Vec<T>, most: usize) -> u32 {
    let excess = all.len().saturating_sub(most);
    all.truncate(most);
    excess as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_to_its_bounds() {
        let limits = Limits { attributes: 2, text: 3, depth: 1, ..Limits::default() };
        let attribute = |key: &str, value: Value| Attribute { key: key.into(), value };
        let nested = Value::List([Value::List([Value::from(1)].into())].into());
        let mut span = Span {
            name: "aäb".into(),
            attributes: vec![
                attribute("b", nested),
                attribute("a", Value::from("old")),
                attribute("c", Value::from(1)),
                attribute("a", Value::from("newer")),
            ],
            ..Span::default()
        };
        limits.apply(&mut span);
        let flat = Value::List([Value::from("(nested too deep)")].into());
        assert_eq!(span.name, "aä");
        assert_eq!(span.attributes, [attribute("a", Value::from("new")), attribute("b", flat)]);
        assert_eq!(span.dropped.attributes, 1);
    }
}
