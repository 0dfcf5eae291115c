//! `X-Cloud-Trace-Context`: <https://cloud.google.com/trace/docs/trace-context#legacy-http-header>.

use super::{Carrier, Context, SAMPLED, decimal_span, hex_trace};

/// `{trace, 32 hex}[/{span, decimal}][;o={options}]`.
pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    let value = carrier.one("x-cloud-trace-context")?;
    let (ids, options) = value.split_once(';').unwrap_or((value, ""));
    let (trace, span) = ids.split_once('/').unwrap_or((ids, ""));
    let trace = hex_trace(trace).filter(|_| trace.len() == 32)?;
    let flags = if options == "o=0" { 0 } else { SAMPLED };
    Some(Context::new(trace, decimal_span(span), flags))
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    #[test]
    fn values() {
        let cloud = |value: &str, expected: Option<&str>| {
            check(context, &[("x-cloud-trace-context", value)], expected)
        };
        let trace = "105445aa7843bc8bf206b12000100000";
        cloud(&format!("{trace}/1;o=1"), Some("105445aa7843bc8bf206b12000100000/0000000000000001/1"));
        cloud(
            &format!("{trace}/18446744073709551615;o=0"),
            Some("105445aa7843bc8bf206b12000100000/ffffffffffffffff/0"),
        );
        cloud(trace, Some("105445aa7843bc8bf206b12000100000/-/1"));
        cloud(&format!("{trace}/0"), Some("105445aa7843bc8bf206b12000100000/-/1"));
        for invalid in ["", "/1;o=1", "105445aa/1", "00000000000000000000000000000000/1"] {
            cloud(invalid, None);
        }
    }
}
