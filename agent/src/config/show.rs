//! The merged configuration for people (YAML with the origin of every value, which reads back as a configuration
//! file) and for programs (JSON). Never shows a secret.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{
    GROUPS, Given, Key, Merged, Origin,
    value::{Raw, Shape},
};

/// What stands where a secret was.
const HIDDEN: &str = "(hidden)";

/// As YAML. With `docs`, every setting's documentation stands above it.
#[must_use]
pub fn yaml(merged: &Merged, docs: bool) -> String {
    let mut out = String::new();
    for (group, doc) in GROUPS {
        let blank = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{blank}{}{group}:", if docs { comment(doc, "") } else { String::new() });
        for (key, given) in merged.iter().filter(|(key, _)| key.parts().0 == *group) {
            if docs {
                out.push_str(&comment(key.doc, "  "));
                out.push_str(&facts(key));
            }
            out.push_str(&yaml_line(key, given));
        }
    }
    out
}

fn comment(lines: &[&str], indent: &str) -> String {
    lines.iter().map(|line| format!("{indent}#{line}\n")).collect()
}

/// What else there is to know: variable, default, range or choices.
fn facts(key: &Key) -> String {
    let mut line = format!("  # [{}", key.env());
    if !key.default.is_empty() {
        let _ = write!(line, "; default {}", key.default);
    }
    if let Some((least, most)) = key.range {
        let _ = write!(line, "; {least} to {most}");
    }
    if !key.choices.is_empty() {
        let _ = write!(line, "; one of {}", key.choices.join(", "));
    }
    line.push_str("]\n");
    line
}

fn yaml_line(key: &Key, given: &Given) -> String {
    let name = key.parts().1;
    let origin = origin(key, given);
    if given.raw.is_unset() && key.shape != Shape::List {
        return format!("  # {name}:  # {origin}\n");
    }
    if key.secret {
        return format!("  # {name}: {HIDDEN}  # {origin}\n");
    }
    format!("  {name}: {}  # {origin}\n", yaml_value(&given.raw))
}

fn origin(key: &Key, given: &Given) -> String {
    match (key.otel, &given.origin) {
        (Some(otel), Origin::Default) => format!("not set: {otel} counts"),
        (_, origin) => origin.to_string(),
    }
}

fn yaml_value(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => yaml_text(text),
        Raw::List(items) => {
            format!("[{}]", items.iter().map(|i| yaml_text(i)).collect::<Vec<_>>().join(", "))
        }
        Raw::Pairs(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{}: {}", yaml_text(key), yaml_text(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Plain where that is beyond doubt, else a JSON string, which is also YAML.
fn yaml_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    if begins && text.chars().all(plain) && !text.eq_ignore_ascii_case("null") {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

/// As JSON: `{"group": {"name": {"value": …, "origin": "…"}}}`; a value that is not set is `null`.
#[must_use]
pub fn json(merged: &Merged) -> Value {
    let mut groups = Map::new();
    for (key, given) in merged.iter() {
        let (group, name) = key.parts();
        let entry = json!({"value": json_value(key, &given.raw), "origin": given.origin.to_string()});
        let group = groups.entry(group).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(group) = group {
            group.insert(name.to_owned(), entry);
        }
    }
    Value::Object(groups)
}

fn json_value(key: &Key, raw: &Raw) -> Value {
    match raw {
        raw if key.secret && !raw.is_unset() => HIDDEN.into(),
        Raw::Text(text) if text.is_empty() => Value::Null,
        Raw::Text(text) if matches!(key.shape, Shape::Number | Shape::Switch) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
        }
        Raw::Text(text) => text.as_str().into(),
        Raw::List(items) => items.clone().into(),
        Raw::Pairs(pairs) => {
            pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
        }
    }
}
