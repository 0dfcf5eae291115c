//! `b3` and `X-B3-*`: <https://github.com/openzipkin/b3-propagation>.

use super::{Carrier, Context, SAMPLED, hex_span, hex_trace};

/// The single header counts before the several ones.
pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    single(carrier).or_else(|| several(carrier))
}

/// `{trace}-{span}[-{state}[-{parent}]]`; a state alone (`b3: 0`) names no span.
fn single(carrier: Carrier<'_>) -> Option<Context> {
    let mut parts = carrier.one("b3")?.split('-');
    let (trace, span) = (parts.next()?, parts.next()?);
    build(trace, span, flags(parts.next()))
}

fn several(carrier: Carrier<'_>) -> Option<Context> {
    let debug = carrier.one("x-b3-flags") == Some("1");
    let flags = if debug { SAMPLED } else { flags(carrier.one("x-b3-sampled")) };
    build(carrier.one("x-b3-traceid")?, carrier.one("x-b3-spanid")?, flags)
}

fn build(trace: &str, span: &str, flags: u8) -> Option<Context> {
    if !matches!(trace.len(), 16 | 32) || span.len() != 16 {
        return None;
    }
    Some(Context::new(hex_trace(trace)?, Some(hex_span(span)?), flags))
}

/// Where the decision is deferred we are the ones who decide, and keep all.
fn flags(state: Option<&str>) -> u8 {
    if matches!(state, Some("0" | "false")) { 0 } else { SAMPLED }
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    #[test]
    fn one_header() {
        let b3 = |value: &str, expected: Option<&str>| check(context, &[("b3", value)], expected);
        let long = "80f198ee56343ba864fe8b2a57d3eff7/e457b5a2e4d86bd1/1";
        b3("80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90", Some(long));
        b3("80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1", Some(long));
        b3("80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d", Some(long));
        let short = "000000000000000064fe8b2a57d3eff7/e457b5a2e4d86bd1/0";
        b3("64fe8b2a57d3eff7-e457b5a2e4d86bd1-0", Some(short));
        for invalid in ["0", "1", "d", "", "64fe8b2a57d3eff7", "4fe8b2a57d3eff7-e457b5a2e4d86bd1-1", "-"] {
            b3(invalid, None);
        }
    }

    #[test]
    fn several_headers() {
        let trace = ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7");
        let span = ("x-b3-spanid", "e457b5a2e4d86bd1");
        let sampled = Some("80f198ee56343ba864fe8b2a57d3eff7/e457b5a2e4d86bd1/1");
        let unsampled = Some("80f198ee56343ba864fe8b2a57d3eff7/e457b5a2e4d86bd1/0");
        check(context, &[trace, span, ("x-b3-sampled", "1")], sampled);
        check(context, &[trace, span], sampled);
        check(context, &[trace, span, ("x-b3-sampled", "0")], unsampled);
        check(context, &[trace, span, ("x-b3-flags", "1")], sampled);
        check(context, &[trace], None);
        check(context, &[trace, trace, span], None);
        check(context, &[("x-b3-sampled", "0")], None);
    }
}
