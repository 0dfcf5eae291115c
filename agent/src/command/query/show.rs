//! Answers of the API in, text for a terminal out. Captured text loses its control characters.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde_json::Value as Json;

use crate::cli::Question;

/// Spans within each other that are indented further.
const DEEPEST: usize = 100;

/// Writes an answer as columns, or as a tree.
pub(super) fn show(out: &mut dyn Write, question: &Question, answer: &Json) -> io::Result<()> {
    match question {
        Question::Search { .. } => {
            table(out, &["start", "duration", "spans", "errors", "trace", "root"], traces(answer))?;
            match answer["matched_spans"].as_u64() {
                Some(spans) => writeln!(out, "{spans} spans match"),
                None => Ok(()),
            }
        }
        // A file for another tool, whatever the shape.
        Question::Export { .. } => writeln!(out, "{answer}"),
        Question::Import { .. } => {
            let traces = list(&answer["trace_ids"]).map(text).collect::<Vec<_>>().join(" ");
            writeln!(out, "{} spans taken, {} known before: {traces}", answer["spans"], answer["known"])
        }
        Question::Tail { .. } => Ok(()),
        Question::Status => {
            let mut rows = Vec::new();
            flatten("", answer, &mut rows);
            let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
            rows.iter().try_for_each(|(name, value)| writeln!(out, "{name:width$}  {value}"))
        }
        Question::Operations { .. } if list(&answer["operations"]).next().is_none() => {
            writeln!(out, "no such span has arrived yet")
        }
        Question::Operations { .. } => {
            let row = |one: &Json| {
                let name = format!("{} {}", text(&one["service"]), text(&one["name"]));
                vec![number(&one["spans"]), text(&one["kind"]), name]
            };
            let rows = list(&answer["operations"]).map(row);
            table(out, &["spans", "kind", "operation"], rows.collect())
        }
        Question::Trace { .. } => tree(out, answer),
        // Of all times: there is no looking further back.
        Question::Services if list(&answer["services"]).next().is_none() => {
            writeln!(out, "no span has arrived yet")
        }
        Question::Services => table(out, &["spans", "errors", "service"], services(answer)),
        Question::Map => {
            let rows = list(&answer["edges"]).map(|edge| {
                let call = format!("{} → {}", text(&edge["from"]), text(&edge["to"]));
                [figures(&edge["figures"]), vec![call]].concat()
            });
            table(out, &["calls", "errors", "p50", "p99", "call"], rows.collect())
        }
        Question::Red { .. } => {
            let rows = list(&answer["series"]).map(|series| {
                let name = format!("{} {}", text(&series["service"]), text(&series["operation"]));
                [figures(&series["total"]), vec![name.trim_end().to_owned()]].concat()
            });
            table(out, &["spans", "errors", "p50", "p99", "service"], rows.collect())
        }
    }
}

/// Writes a span as a line.
pub(super) fn hit(out: &mut dyn Write, span: &Json) -> io::Result<()> {
    let failed = if span["status"] == "error" { "  failed" } else { "" };
    let name = format!("{} {} ({})", text(&span["service"]), text(&span["name"]), text(&span["kind"]));
    let (time, took) = (time_of_day(&span["start"]), duration(&span["duration_ns"]));
    writeln!(out, "{time} {took:>10}  {}  {name}{failed}", text(&span["trace_id"]))
}

/// Numbers and words by the names on the way to them.
fn flatten(name: &str, json: &Json, rows: &mut Vec<(String, String)>) {
    match json {
        Json::Object(object) => {
            for (key, value) in object {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, rows);
            }
        }
        value => rows.push(match name.strip_suffix("_ns") {
            Some(name) => (name.to_owned(), duration(value)),
            None => (name.to_owned(), plain(value)),
        }),
    }
}

/// A value as people write it: a whole number without a point.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::String(_) => text(value),
        other => other
            .as_f64()
            .filter(|number| number.fract() == 0.0)
            .map_or(other.to_string(), |number| number.to_string()),
    }
}

/// Writes rows of SQL as columns.
pub(super) fn rows(out: &mut dyn Write, answer: &Json) -> io::Result<()> {
    let cell = |value: &Json| match value {
        Json::Null => "-".to_owned(),
        Json::String(_) => text(value),
        number => number.to_string(),
    };
    let head: Vec<String> = list(&answer["columns"]).map(text).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    table(out, &head, list(&answer["rows"]).map(|row| list(row).map(cell).collect()).collect())?;
    match answer["more"] == true {
        true => writeln!(out, "more rows are left out: add a LIMIT"),
        false => Ok(()),
    }
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

fn number(json: &Json) -> String {
    json.as_u64().unwrap_or_default().to_string()
}

fn duration(json: &Json) -> String {
    let Some(nanos) = json.as_u64() else { return "-".to_owned() };
    let nanos = nanos as f64;
    match nanos {
        _ if nanos < 1e3 => format!("{nanos} ns"),
        _ if nanos < 1e6 => format!("{:.1} µs", nanos / 1e3),
        _ if nanos < 1e9 => format!("{:.1} ms", nanos / 1e6),
        _ if nanos < 3600e9 => format!("{:.2} s", nanos / 1e9),
        _ => format!("{:.1} h", nanos / 3600e9),
    }
}

fn figures(json: &Json) -> Vec<String> {
    let durations = &json["duration"];
    vec![
        number(&json["spans"]),
        number(&json["errors"]),
        duration(&durations["p50_ns"]),
        duration(&durations["p99_ns"]),
    ]
}

fn time_of_day(start: &Json) -> String {
    let nanos: u64 = start.as_str().and_then(|start| start.parse().ok()).unwrap_or_default();
    let day = nanos / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02} UTC", day / 3600, day / 60 % 60, day % 60)
}

fn traces(answer: &Json) -> Vec<Vec<String>> {
    let row = |trace: &Json| {
        let root = &trace["root"];
        vec![
            time_of_day(&trace["start"]),
            duration(&trace["duration_ns"]),
            number(&trace["spans"]),
            number(&trace["errors"]),
            text(&trace["trace_id"]),
            format!("{} {}", text(&root["service"]), text(&root["name"])),
        ]
    };
    list(&answer["traces"]).map(row).collect()
}

fn services(answer: &Json) -> Vec<Vec<String>> {
    let row =
        |service: &Json| vec![number(&service["spans"]), number(&service["errors"]), text(&service["name"])];
    list(&answer["services"]).map(row).collect()
}

/// Columns to the right, the last to the left.
fn table(out: &mut dyn Write, head: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "nothing found: look further back with --since");
    }
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let width = |at: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in [&head].into_iter().chain(&rows) {
        for (at, cell) in row.iter().enumerate() {
            match widths.get(at) {
                Some(width) if at + 1 < head.len() => write!(out, "{cell:>width$}  ")?,
                _ => writeln!(out, "{cell}")?,
            }
        }
    }
    Ok(())
}

fn tree(out: &mut dyn Write, trace: &Json) -> io::Result<()> {
    let spans: Vec<&Json> = list(&trace["spans"]).collect();
    let mut children: BTreeMap<&str, Vec<&Json>> = BTreeMap::new();
    let known: std::collections::BTreeSet<_> =
        spans.iter().filter_map(|span| span["span_id"].as_str()).collect();
    let mut roots = Vec::new();
    for &span in &spans {
        match span["parent_id"].as_str().filter(|parent| known.contains(parent)) {
            Some(parent) => children.entry(parent).or_default().push(span),
            None => roots.push(span),
        }
    }
    writeln!(
        out,
        "trace {}, {}, {} spans",
        text(&trace["trace_id"]),
        duration(&trace["duration_ns"]),
        spans.len()
    )?;
    // Each span is taken out of its parent's list once, so that a circle ends.
    let mut waiting: Vec<(usize, &Json)> = roots.into_iter().rev().map(|root| (0, root)).collect();
    while let Some((depth, span)) = waiting.pop() {
        line(out, depth.min(DEEPEST), span, trace)?;
        let below = children.remove(span["span_id"].as_str().unwrap_or_default()).unwrap_or_default();
        waiting.extend(below.into_iter().rev().map(|child| (depth + 1, child)));
    }
    Ok(())
}

fn line(out: &mut dyn Write, depth: usize, span: &Json, trace: &Json) -> io::Result<()> {
    let service = span["resource"].as_u64().map(|at| &trace["resources"][at as usize]["service"]);
    let failed = if span["status"]["code"] == "error" { "  failed" } else { "" };
    writeln!(
        out,
        "{:>10} {:>10}  {:indent$}{} {} ({}){failed}",
        duration(&span["offset_ns"]),
        duration(&span["duration_ns"]),
        "",
        service.map(text).unwrap_or_default(),
        text(&span["name"]),
        text(&span["kind"]),
        indent = 2 * depth,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_status_is_in_units_of_people() {
        let status = json!({
            "delays": { "p50_ns": 1_500_000, "p99_ns": null }, "spans": 60.0, "ratio": 0.5, "newest": "1795441606737034708",
        });
        let mut out = Vec::new();
        show(&mut out, &Question::Status, &status).unwrap();
        let lines = [
            "delays.p50  1.5 ms",
            "delays.p99  -",
            "newest      1795441606737034708",
            "ratio       0.5",
            "spans       60",
            "",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n"));
    }

    #[test]
    fn a_trace_is_a_tree() {
        let span = |id: &str, parent: Option<&str>, name: &str| {
            json!({
                "span_id": id, "parent_id": parent, "name": name, "kind": "server", "offset_ns": 5, "duration_ns": 1500,
                "status": { "code": "unset" }, "resource": 0,
            })
        };
        let spans = [span("1", None, "a"), span("2", Some("1"), "b\u{1b}"), span("3", Some("9"), "c")];
        let trace = json!({
            "trace_id": "t", "duration_ns": 2_000_000, "resources": [{ "service": "web" }], "spans": spans,
        });
        let mut out = Vec::new();
        show(&mut out, &Question::Trace { id: String::new() }, &trace).unwrap();
        let lines = [
            "trace t, 2.0 ms, 3 spans",
            "      5 ns     1.5 µs  web a (server)",
            "      5 ns     1.5 µs    web b· (server)",
            "      5 ns     1.5 µs  web c (server)",
            "",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n"));
    }
}
