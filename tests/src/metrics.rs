//! What a daemon says about itself on its loopback pages.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::{visitors::curl, wait};

/// The page /metrics.
pub fn scrape(address: SocketAddr) -> Result<String> {
    curl(&[&format!("http://{address}/metrics")])
}

/// The value of a sample, given as it is written: name and labels. A missing one is an error.
pub fn value(page: &str, sample: &str) -> Result<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let text = line.with_context(|| format!("no `{sample}` on the page:\n{page}"))?;
    text.parse().with_context(|| format!("`{sample}` is `{text}`"))
}

/// Waits until all these samples have these values; gives the page that has them.
pub fn until(address: SocketAddr, wanted: &[(&str, f64)]) -> Result<String> {
    let mut last = String::new();
    let found = wait::until("the figures on the page /metrics", || {
        last = scrape(address).ok()?;
        let as_wanted =
            |(sample, wanted): &(&str, f64)| value(&last, sample).is_ok_and(|value| value == *wanted);
        wanted.iter().all(as_wanted).then(|| last.clone())
    });
    found.with_context(|| format!("wanted {wanted:?} in\n{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_name_and_labels() {
        let page = "# TYPE a_total counter\na_total 1\na_total_b 2\na_total{x=\"y\"} 0.5\n";
        assert_eq!(value(page, "a_total").ok(), Some(1.0));
        assert_eq!(value(page, "a_total{x=\"y\"}").ok(), Some(0.5));
        assert!(value(page, "a").is_err() && value(page, "c").is_err());
    }
}
