//! `traceparent` and `tracestate`: W3C Trace Context, Recommendation of 23 November 2021.

use super::{Carrier, Context, hex, hex_span, hex_trace};

/// `tracestate` beyond this many bytes may be cut (section 3.3.1.5); we leave it out as a whole.
const MAX_STATE: usize = 512;
/// `version-traceid-parentid-flags` of version 00.
const LEN: usize = 55;

pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    let parent = carrier.one("traceparent")?;
    let (version, rest) = parent.split_at_checked(2)?;
    let (trace, rest) = rest.strip_prefix('-')?.split_at_checked(32)?;
    let (span, rest) = rest.strip_prefix('-')?.split_at_checked(16)?;
    let (flags, rest) = rest.strip_prefix('-')?.split_at_checked(2)?;
    if ![version, trace, span, flags].into_iter().all(lower_hex) || !fits(version, parent, rest) {
        return None;
    }
    let flags = u8::try_from(hex(flags, 2)?).ok()?;
    let context = Context::new(hex_trace(trace)?, Some(hex_span(span)?), flags);
    Some(Context { state: state(carrier), ..context })
}

fn lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Version 00 ends with the flags; later ones may go on behind a dash (section 4.3); ff is forbidden.
fn fits(version: &str, parent: &str, rest: &str) -> bool {
    match version {
        "ff" => false,
        "00" => parent.len() == LEN,
        _ => rest.is_empty() || rest.starts_with('-'),
    }
}

/// Several `tracestate` headers are one list (section 3.3.1.1).
fn state(carrier: Carrier<'_>) -> String {
    let parts: Vec<_> = carrier.all("tracestate").filter(|part| !part.is_empty()).collect();
    let length: usize = parts.iter().map(|part| part.len() + 1).sum();
    if length > MAX_STATE + 1 { String::new() } else { parts.join(",") }
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn values_of_the_recommendation() {
        let parent =
            |value: &str, expected: Option<&str>| check(context, &[("traceparent", value)], expected);
        let sampled = Some("4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7/1");
        parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", sampled);
        parent(" \t00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ", sampled);
        let unsampled = Some("4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7/0");
        parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", unsampled);
        for future in ["cc-{}-00f067aa0ba902b7-01", "cc-{}-00f067aa0ba902b7-01-what-comes"] {
            parent(&future.replace("{}", TRACE), sampled);
        }
    }

    #[test]
    fn what_the_recommendation_calls_invalid() {
        for value in [
            "",
            "00",
            "ff-{}-00f067aa0ba902b7-01",
            "00-{}-00f067aa0ba902b7-01-more",
            "00-{}-00f067aa0ba902b7-01-",
            "cc-{}-00f067aa0ba902b7-01.more",
            "00-{}-0000000000000000-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-{}-00f067aa0ba902b7-0",
            "00-{}-00f067aa0ba902b7-0g",
            "00_{}-00f067aa0ba902b7-01",
            "00-{}é0f067aa0ba902b7-01",
        ] {
            check(context, &[("traceparent", &value.replace("{}", TRACE))], None);
        }
    }

    #[test]
    fn two_parents_are_none() {
        let parent = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        check(context, &[parent, parent], None);
    }

    #[test]
    fn states_are_one_list() {
        let parent = ("traceparent".into(), format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let state = |value: &str| ("tracestate".into(), value.to_owned());
        let of = |headers: &[_]| context(Carrier(headers)).map(|context| context.state);
        assert_eq!(of(&[parent.clone(), state("a=1"), state(""), state("b=2 ")]).as_deref(), Some("a=1,b=2"));
        assert_eq!(of(&[parent, state(&"a".repeat(513))]).as_deref(), Some(""));
    }
}
