//! Comes in: headers of any protocol. Goes out: those that carry a trace context or correlate requests, as found,
//! duplicates kept. Refuses: more of them, or longer ones, than a well-meaning program sends.

use std::borrow::Cow;

/// Headers that carry a context, in lower case: W3C Trace Context, B3 (multi and single), Jaeger, SkyWalking, AWS
/// X-Ray, Google Cloud, OpenTracing's basic tracer, Datadog, and the request id that proxies add.
const NAMES: [&str; 19] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "sw8",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "ot-tracer-traceid",
    "ot-tracer-spanid",
    "ot-tracer-sampled",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
];

/// Correlates requests, but names no parent.
const REQUEST_ID: &str = "x-request-id";

/// Most headers kept of one message.
const MAX_HEADERS: usize = 24;

/// Longest value kept, bytes; a longer one is left out, since half a context is a wrong one. W3C asks for 512 bytes
/// of `tracestate` at least.
const MAX_VALUE: usize = 1024;

/// Headers as found, names in lower case.
pub type Headers = Vec<(Cow<'static, str>, String)>;

/// Headers of one request that carry a trace context, in the form of
/// [`Opening::carrier`](crate::exchange::Opening::carrier).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carrier(Headers);

impl Carrier {
    /// Keeps the header if it is one of those that carry a context. `name` in any case.
    #[inline]
    pub fn offer(&mut self, name: &[u8], value: &[u8]) {
        let Some(name) = known(name) else { return };
        if self.0.len() < MAX_HEADERS && value.len() <= MAX_VALUE {
            self.0.push((Cow::Borrowed(name), String::from_utf8_lossy(value).into_owned()));
        }
    }

    /// Ids that somebody gave the request to know it again.
    pub(crate) fn request_ids(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(|(name, _)| name == REQUEST_ID).map(|(_, value)| value.as_bytes())
    }

    /// The headers, in the order in which they came.
    #[must_use]
    pub fn into_headers(self) -> Headers {
        self.0
    }
}

/// The header's name as this list writes it. The first letter and the length turn away nearly all of the others.
#[inline]
fn known(name: &[u8]) -> Option<&'static str> {
    let likely = match (name.first()?.to_ascii_lowercase(), name.len()) {
        (b't', length) => matches!(length, 10 | 11),
        (b'b', length) => length == 2,
        (b'u', length) => length == 13,
        (b's', length) => length == 3,
        (b'o', length) => matches!(length, 16 | 17),
        (first, _) => first == b'x',
    };
    if likely { listed(name) } else { None }
}

fn listed(name: &[u8]) -> Option<&'static str> {
    NAMES.iter().chain([&REQUEST_ID]).copied().find(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(headers: &[(&str, &str)]) -> Vec<(Cow<'static, str>, String)> {
        let mut carrier = Carrier::default();
        headers.iter().for_each(|(name, value)| carrier.offer(name.as_bytes(), value.as_bytes()));
        carrier.into_headers()
    }

    #[test]
    fn duplicates_are_kept_and_names_are_lowered() {
        let found =
            carried(&[("TraceParent", "a"), ("accept", "*/*"), ("traceparent", "b"), ("X-B3-TraceId", "c")]);
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
        assert_eq!(found, [("traceparent", "a"), ("traceparent", "b"), ("x-b3-traceid", "c")]);
    }

    #[test]
    fn every_name_of_the_list_is_known() {
        for name in NAMES.iter().chain([&REQUEST_ID]) {
            assert_eq!(known(name.to_uppercase().as_bytes()), Some(*name));
        }
    }

    #[test]
    fn count_and_size_are_bounded() {
        assert_eq!(carried(&[("b3", "0"); 100]).len(), MAX_HEADERS);
        assert!(carried(&[("tracestate", &"x".repeat(MAX_VALUE + 1))]).is_empty());
    }
}
