//! `ot-tracer-*`: the propagator of OpenTracing's basic tracers, as OpenTelemetry keeps it
//! (<https://github.com/open-telemetry/opentelemetry-java/tree/main/extensions/trace-propagators>, `OtTracePropagator`).

use super::{Carrier, Context, SAMPLED, hex_span, hex_trace};

/// Ids of 16 hexadecimal digits (trace ids also 32), `ot-tracer-sampled` is `true` or `false`.
pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    let trace = hex_trace(carrier.one("ot-tracer-traceid")?)?;
    let span = hex_span(carrier.one("ot-tracer-spanid")?)?;
    let dropped = matches!(carrier.one("ot-tracer-sampled"), Some("false" | "0"));
    Some(Context::new(trace, Some(span), if dropped { 0 } else { SAMPLED }))
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    #[test]
    fn values() {
        let trace = ("ot-tracer-traceid", "48485a3953bb6124");
        let span = ("ot-tracer-spanid", "a2fb4a1d1a96d312");
        check(context, &[trace, span], Some("000000000000000048485a3953bb6124/a2fb4a1d1a96d312/1"));
        let unsampled = Some("000000000000000048485a3953bb6124/a2fb4a1d1a96d312/0");
        check(context, &[trace, span, ("ot-tracer-sampled", "false")], unsampled);
        check(context, &[trace], None);
        check(context, &[("ot-tracer-traceid", "0000000000000000"), span], None);
    }
}
