//! Spans of a request in. Goes out: the same, with one copy in memory of each long name of an operation or an attribute, however
//! often it stands there. They stay in memory until their block is written, and few names are many times in each.

use std::collections::HashSet;

use wirespan_store::{Span, Text};

/// Shares the names.
pub(crate) fn share(spans: &mut [Span]) {
    let mut known = HashSet::new();
    for span in spans {
        one(&mut known, &mut span.name);
        span.attributes.iter_mut().for_each(|attribute| one(&mut known, &mut attribute.key));
    }
}

/// What is short has no memory of its own to share.
fn one(known: &mut HashSet<Text>, name: &mut Text) {
    if !name.is_heap_allocated() {
        return;
    }
    match known.get(name.as_str()) {
        Some(same) => *name = same.clone(),
        None => drop(known.insert(name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use wirespan_store::{Attribute, Value};

    use super::*;

    #[test]
    fn long_names_are_in_memory_once() {
        let span = |name: &str| Span {
            name: name.into(),
            attributes: vec![Attribute {
                key: "http.response.status_code".into(),
                value: Value::from("a long value, which is its own"),
            }],
            ..Span::default()
        };
        let mut spans =
            [span("GET /api/v1/items/{id}/lines"), span("GET /api/v1/items/{id}/lines"), span("GET")];
        let before = spans.clone();
        share(&mut spans);
        assert_eq!(spans, before);
        let [first, second, third] = &spans;
        let key = |span: &Span| span.attributes[0].key.as_ptr();
        assert_eq!((key(first), key(first)), (key(second), key(third)));
        assert_eq!(first.name.as_ptr(), second.name.as_ptr());
    }
}
