//! What OTLP and JSON have in common: the numbers of kinds and states, flags, ids in hex, and how a link says by
//! which method and with what confidence it is known. Comes in: parts of a trace. Goes out: their OTLP values.

use crate::{
    span::{Role, Status, Value},
    trace::{Method, TracedSpan},
    written::Evidence,
};

/// The instrumentation scope of all spans.
pub(crate) const SCOPE: &str = "wirespan";
/// Version of the scope.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` of opentelemetry-proto, `trace/v1/trace.proto`.
const HAS_IS_REMOTE: u32 = 0x100;
/// `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK` of the same file.
const IS_REMOTE: u32 = 0x200;

/// `SpanKind` of opentelemetry-proto, `trace/v1/trace.proto`.
pub(crate) const fn kind(role: Role) -> i32 {
    match role {
        Role::Server => 2,
        Role::Client => 3,
        Role::Producer => 4,
        Role::Consumer => 5,
    }
}

/// `Status.StatusCode` of the same file, and the message.
pub(crate) fn status(status: &Status) -> (i32, &str) {
    match status {
        Status::Unset => (0, ""),
        Status::Error(message) => (2, message),
    }
}

/// Trace flags, and whether the parent is remote. OpenTelemetry calls a parent remote when it is in another
/// *process*: that of a server's or consumer's span always is; others' only when it is outside this host.
pub(crate) fn flags(span: &TracedSpan) -> u32 {
    let receives = matches!(span.span.role, Role::Server | Role::Consumer);
    let remote = span.parent.is_some_and(|parent| parent.remote || receives);
    u32::from(span.trace_flags) | HAS_IS_REMOTE | if remote { IS_REMOTE } else { 0 }
}

/// How a link is known. A tenth of a per mille is more than the confidence knows, and 0.9_f32 would become 0.8999999761581421.
pub(crate) fn evidence(method: Method, confidence: f32) -> Evidence {
    (method, (f64::from(confidence) * 1e4).round() as u16)
}

/// Attributes of a link (or of a span, for its parent).
pub(crate) fn evidence_attributes((method, confidence): Evidence) -> [(&'static str, Value); 2] {
    [
        ("wirespan.link.method", Value::Text(method.name().into())),
        ("wirespan.link.confidence", Value::Float(f64::from(confidence) / 1e4)),
    ]
}

/// How the parent is known; nothing for a span without one.
pub(crate) fn parent_evidence(span: &TracedSpan) -> Option<Evidence> {
    span.parent.map(|parent| evidence(parent.method, parent.confidence))
}

/// An id in lower-case hex, as OTLP/JSON has it.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().flat_map(|byte| hex_digits(*byte)).map(char::from).collect()
}

/// The two digits of a byte in lower-case hex.
pub(crate) const fn hex_digits(byte: u8) -> [u8; 2] {
    HEX[byte as usize]
}

/// `00` to `ff`.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut all = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample, trace::Parent};

    #[test]
    fn a_server_s_parent_is_remote_even_on_this_host() {
        let mut span = sample::server(1, "GET /");
        assert_eq!(flags(&span), 0x101);
        span.parent = Some(sample::parent(9, Method::Wire, 1.0));
        assert_eq!(flags(&span), 0x301);
    }

    #[test]
    fn a_client_s_parent_is_remote_only_from_another_host() {
        let mut span = sample::client(1, "GET");
        span.trace_flags = 0;
        span.parent = Some(sample::parent(9, Method::Task, 0.9));
        assert_eq!(flags(&span), 0x100);
        span.parent = Some(Parent { remote: true, ..sample::parent(9, Method::Header, 1.0) });
        assert_eq!(flags(&span), 0x300);
    }

    #[test]
    fn confidence_reads_as_it_was_written() {
        let [(_, method), (_, confidence)] = evidence_attributes(evidence(Method::Handoff, 0.9));
        assert_eq!((method, confidence), (Value::Text("handoff".into()), Value::Float(0.9)));
    }

    #[test]
    fn ids_in_lower_case() {
        assert_eq!(hex(&[0x4b, 0xf9, 0x0a]), "4bf90a");
    }
}
