//! Prometheus' text format, version 0.0.4. Comes in: metrics of the table and their values. Goes out: the page.
//! Refuses: a value with other labels than its metric has.

use std::fmt::{Display, Write};

use super::metric::Metric;

/// What `Content-Type` says of it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// A metric and its values, each with the values of its labels. No values: no metric.
    pub fn metric<'a, const LABELS: usize, V: Display>(
        &mut self,
        metric: &Metric,
        values: impl IntoIterator<Item = ([&'a str; LABELS], V)>,
    ) {
        assert_eq!(metric.labels.len(), LABELS, "{} has other labels", metric.name);
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.head(metric);
        }
        for (labels, value) in values {
            let pairs: Vec<_> = metric.labels.iter().copied().zip(labels).collect();
            self.sample(metric.name, &pairs, value);
        }
    }

    /// A metric without labels.
    pub fn one(&mut self, metric: &Metric, value: impl Display) {
        self.metric(metric, [([], value)]);
    }

    /// A histogram: upper bounds with the number of values up to each and above the one before, then the number of
    /// those above all bounds, and the sum of all values.
    pub fn histogram(&mut self, metric: &Metric, buckets: &[(f64, u64)], beyond: u64, sum: f64) {
        self.head(metric);
        let name = format!("{}_bucket", metric.name);
        let mut count = 0;
        for (bound, values) in buckets {
            count += values;
            self.sample(&name, &[("le", &bound.to_string())], count);
        }
        count += beyond;
        self.sample(&name, &[("le", "+Inf")], count);
        self.sample(&format!("{}_sum", metric.name), &[], sum);
        self.sample(&format!("{}_count", metric.name), &[], count);
    }

    /// The page as text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, metric: &Metric) {
        let Metric { name, kind, help, .. } = metric;
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {}", kind.word()));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let pairs: Vec<_> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        match pairs.as_slice() {
            [] => self.line(format_args!("{name} {value}")),
            pairs => self.line(format_args!("{name}{{{}}} {value}", pairs.join(","))),
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{text}").expect("a String takes every text");
    }
}

/// Backslash, quote and line feed, as the format has it for label values.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metric::Kind;

    const PLAIN: Metric = Metric { name: "a_total", kind: Kind::Counter, labels: &[], help: "Things." };
    const LABELLED: Metric = Metric { name: "b", kind: Kind::Gauge, labels: &["x", "y"], help: "More." };
    const DELAY: Metric = Metric { name: "c_seconds", kind: Kind::Histogram, labels: &[], help: "Time." };

    fn check(write: impl FnOnce(&mut Page), expected: &str) {
        let mut page = Page::default();
        write(&mut page);
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn values_stand_below_their_metric() {
        check(|page| page.one(&PLAIN, 7), "# HELP a_total Things.\n# TYPE a_total counter\na_total 7\n");
        check(
            |page| page.metric(&LABELLED, [(["1", "a\"\\\n"], 0.5), (["2", ""], 1.0)]),
            "# HELP b More.\n# TYPE b gauge\nb{x=\"1\",y=\"a\\\"\\\\\\n\"} 0.5\nb{x=\"2\",y=\"\"} 1\n",
        );
        check(|page| page.metric::<2, u64>(&LABELLED, []), "");
    }

    #[test]
    fn buckets_add_up() {
        check(
            |page| page.histogram(&DELAY, &[(0.1, 2), (1.0, 3)], 4, 12.5),
            "# HELP c_seconds Time.\n# TYPE c_seconds histogram\nc_seconds_bucket{le=\"0.1\"} 2\n\
             c_seconds_bucket{le=\"1\"} 5\nc_seconds_bucket{le=\"+Inf\"} 9\nc_seconds_sum 12.5\nc_seconds_count 9\n",
        );
    }

    #[test]
    #[should_panic(expected = "other labels")]
    fn labels_are_those_of_the_table() {
        Page::default().metric(&PLAIN, [(["x"], 1)]);
    }
}
