//! `x-datadog-*`: <https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/>.

use super::{Carrier, Context, SAMPLED, decimal, decimal_span, hex, trace_id};

/// Decimal ids of 64 bits; the upper half of a trace id of 128 bits is the tag `_dd.p.tid`, in hexadecimal.
pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    let low = decimal(carrier.one("x-datadog-trace-id")?).filter(|low| *low != 0)?;
    let span = decimal_span(carrier.one("x-datadog-parent-id")?)?;
    let trace = trace_id(upper(carrier) << 64 | u128::from(low))?;
    Some(Context::new(trace, Some(span), flags(carrier)))
}

fn upper(carrier: Carrier<'_>) -> u128 {
    let tags = carrier.one("x-datadog-tags").unwrap_or_default();
    let upper = tags.split(',').find_map(|tag| tag.trim().strip_prefix("_dd.p.tid="));
    upper.filter(|text| text.len() == 16).and_then(|text| hex(text, 16)).unwrap_or_default()
}

/// Priorities: -1 and 0 drop, 1 and 2 keep.
fn flags(carrier: Carrier<'_>) -> u8 {
    let dropped = matches!(carrier.one("x-datadog-sampling-priority"), Some("0" | "-1"));
    if dropped { 0 } else { SAMPLED }
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    #[test]
    fn values() {
        let trace = ("x-datadog-trace-id", "5208512171318403364");
        let span = ("x-datadog-parent-id", "11744061942159299346");
        let short = Some("000000000000000048485a3953bb6124/a2fb4a1d1a96d312/1");
        check(context, &[trace, span], short);
        check(context, &[trace, span, ("x-datadog-tags", "_dd.p.tid=short")], short);
        let tags = ("x-datadog-tags", "_dd.p.dm=-0,_dd.p.tid=463ac35c9f6413ad");
        let long = Some("463ac35c9f6413ad48485a3953bb6124/a2fb4a1d1a96d312/0");
        check(context, &[trace, span, tags, ("x-datadog-sampling-priority", "-1")], long);
        check(context, &[trace], None);
        check(context, &[("x-datadog-trace-id", "0"), span, tags], None);
        check(context, &[trace, ("x-datadog-parent-id", "0")], None);
        check(context, &[("x-datadog-trace-id", "18446744073709551616"), span], None);
    }
}
