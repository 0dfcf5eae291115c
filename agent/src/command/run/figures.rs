//! Comes in: the daemon's /metrics. Goes out: the same as JSON, for the collector's page: a figure by its name, and by the
//! values of its labels where it has any. Refuses: histograms, whose buckets nobody there draws.

use serde_json::{Map, Value, json};

/// All samples of a page in Prometheus' text format 0.0.4, by name.
pub(super) fn figures(page: &str) -> Value {
    let mut all = Map::new();
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{")) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        match name.split_once('{') {
            None => drop(all.insert(name.to_owned(), json!(value))),
            Some((name, labels)) => {
                let by_label = all.entry(name).or_insert_with(|| json!({}));
                if let Some(by_label) = by_label.as_object_mut() {
                    by_label.insert(values(labels), json!(value));
                }
            }
        }
    }
    Value::Object(all)
}

/// The values of labels, with a space between: ours hold no quotation marks.
fn values(labels: &str) -> String {
    let parts = labels.trim_end_matches('}').split('"');
    parts.skip(1).step_by(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_names_and_labels() {
        let page = "# TYPE a counter\na 3\n# TYPE b gauge\nb{cause=\"x\"} 0.5\nb{cause=\"y\"} 0\n\
                    c{program=\"p\",tracepoint=\"t\"} 7\nd_bucket{le=\"1\"} 2\nnonsense\n";
        let expected = json!({ "a": 3.0, "b": { "x": 0.5, "y": 0.0 }, "c": { "p t": 7.0 } });
        assert_eq!(figures(page), expected);
    }
}
