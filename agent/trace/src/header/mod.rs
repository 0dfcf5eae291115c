//! Comes in: headers of a request. Goes out: the trace context in them, whoever put it there. Refuses: contexts that
//! their format calls invalid, and those that stand there twice: an orphan is better than a wrong parent.
//!
//! Where a request carries several formats, the first of this order that is valid counts: W3C, B3, Jaeger, Datadog,
//! SkyWalking, Amazon, Google, OpenTracing. `X-Request-ID` names no span and makes no parent.

mod amazon;
mod b3;
mod datadog;
mod google;
mod jaeger;
mod opentracing;
mod skywalking;
mod w3c;

use std::borrow::Cow;

use crate::trace::{Link, Method, SpanId, TraceId};

/// `trace-flags` with the sampled bit (W3C Trace Context section 3.2.2.5.1).
pub const SAMPLED: u8 = 1;

/// A trace context as it came with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span; some formats can leave it out.
    pub span_id: Option<SpanId>,
    /// W3C trace flags; sampled where the format leaves it open.
    pub flags: u8,
    /// W3C `tracestate`, empty where there is none.
    pub state: String,
}

impl Context {
    const fn new(trace_id: TraceId, span_id: Option<SpanId>, flags: u8) -> Self {
        Self { trace_id, span_id, flags, state: String::new() }
    }
}

/// The context that the headers carry. Names are in lower case.
#[must_use]
pub fn context(headers: &[(Cow<'static, str>, String)]) -> Option<Context> {
    if headers.is_empty() {
        return None;
    }
    let carrier = Carrier(headers);
    const FORMATS: [fn(Carrier<'_>) -> Option<Context>; 8] = [
        w3c::context,
        b3::context,
        jaeger::context,
        datadog::context,
        skywalking::context,
        amazon::context,
        google::context,
        opentracing::context,
    ];
    FORMATS.iter().find_map(|format| format(carrier))
}

/// The link to the context of a message, where it names a span.
pub(crate) fn link(headers: &[(Cow<'static, str>, String)]) -> Option<Link> {
    let Context { trace_id, span_id, .. } = context(headers)?;
    span_id.map(|span_id| Link { trace_id, span_id, method: Method::Header, confidence: 1.0 })
}

/// The headers of a request.
#[derive(Clone, Copy)]
struct Carrier<'a>(&'a [(Cow<'static, str>, String)]);

impl<'a> Carrier<'a> {
    /// All values of a header, in order.
    fn all(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| trimmed(value))
    }

    /// The value of a header that stands there exactly once.
    fn one(self, name: &str) -> Option<&'a str> {
        let mut values = self.all(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }
}

/// Without the optional white space of RFC 9110 section 5.6.3.
fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// A trace id of 64 or 128 bits, 1 to 32 hexadecimal digits.
fn hex_trace(text: &str) -> Option<TraceId> {
    trace_id(hex(text, 32)?)
}

/// A span id of 1 to 16 hexadecimal digits.
fn hex_span(text: &str) -> Option<SpanId> {
    span_id(u64::try_from(hex(text, 16)?).ok()?)
}

/// A span id in decimal, as those have it that count in 64 bits.
fn decimal_span(text: &str) -> Option<SpanId> {
    span_id(decimal(text)?)
}

fn trace_id(number: u128) -> Option<TraceId> {
    (number != 0).then(|| TraceId(number.to_be_bytes()))
}

fn span_id(number: u64) -> Option<SpanId> {
    (number != 0).then(|| SpanId(number.to_be_bytes()))
}

/// Digits alone: the parser of the standard library also takes a sign.
fn hex(text: &str, most: usize) -> Option<u128> {
    let digits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Test data: a header block in, the context it must give out, as `trace/span/flags`.
#[cfg(test)]
#[track_caller]
fn check(
    format: fn(Carrier<'_>) -> Option<Context>,
    headers: &[(&'static str, &str)],
    expected: Option<&str>,
) {
    let owned: Vec<_> =
        headers.iter().map(|(name, value)| (Cow::Borrowed(*name), (*value).to_owned())).collect();
    let shown = format(Carrier(&owned)).map(|context| {
        let span =
            context.span_id.map_or_else(|| "-".to_owned(), |id| format!("{:016x}", u64::from_be_bytes(id.0)));
        format!("{:032x}/{span}/{}", u128::from_be_bytes(context.trace_id.0), context.flags)
    });
    assert_eq!(shown.as_deref(), expected, "{headers:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn w3c_comes_first_and_an_invalid_one_makes_way() {
        let b3 = ("b3", "463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1");
        let w3c = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let b3_context = Some("463ac35c9f6413ad48485a3953bb6124/a2fb4a1d1a96d312/1");
        let all = |carrier: Carrier<'_>| context(carrier.0);
        check(all, &[b3, w3c], Some("0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331/1"));
        check(all, &[b3, ("traceparent", "00-0-0-0")], b3_context);
        check(all, &[("x-request-id", "0af7651916cd43dd8448eb211c80319c")], None);
        check(all, &[], None);
    }

    proptest! {
        #[test]
        fn any_header_is_taken(
            name in proptest::sample::select(vec![
                "traceparent", "tracestate", "b3", "x-b3-traceid", "uber-trace-id", "sw8", "x-amzn-trace-id",
                "x-cloud-trace-context", "ot-tracer-traceid", "x-datadog-trace-id", "x-datadog-tags",
            ]),
            value in "\\PC{0,80}|[0-9a-f:;/=-]{0,80}",
        ) {
            let found = context(&[(Cow::Borrowed(name), value)]);
            prop_assert!(found.is_none_or(|found| found.trace_id.0 != [0; 16] && found.span_id != Some(SpanId([0; 8]))));
        }
    }
}
