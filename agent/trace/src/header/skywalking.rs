//! `sw8`: <https://skywalking.apache.org/docs/main/latest/en/api/x-process-propagation-headers-v3/>.
//!
//! SkyWalking's ids are texts of any length. Ours are hashes of them (SipHash-2-4, all-zero key, of the base64 text as
//! it stands in the header), the same on every host: spans that carry one of its traces join each other.

use super::{Carrier, Context, SAMPLED, decimal, span_id, trace_id};
use crate::ids;

/// `{sample}-{trace}-{segment}-{span}-{service}-{instance}-{endpoint}-{address}`, texts in base64.
pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    let parts: Vec<_> = carrier.one("sw8")?.splitn(9, '-').collect();
    let [sample, trace, segment, span, _, _, _, _] = parts.as_slice() else { return None };
    decimal(span).filter(|_| base64(trace) && base64(segment))?;
    let trace = trace_id(u128::from_be_bytes(ids::foreign(trace)))?;
    let [span, _] = ids::halves(ids::foreign(&format!("{segment}-{span}")));
    let flags = if *sample == "0" { 0 } else { SAMPLED };
    Some(Context::new(trace, Some(span_id(u64::from_be_bytes(span))?), flags))
}

fn base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    /// The example of the specification.
    const EXAMPLE: &str = "1-TRACEID-SEGMENTID-3-U0VSVklDRQ==-SU5TVEFOQ0U=-RU5EUE9JTlQ=-RVhBTVBMRTo4MA==";

    fn of(value: &str) -> Option<Context> {
        context(Carrier(&[("sw8".into(), value.to_owned())]))
    }

    #[test]
    fn same_trace_same_id() {
        let [a, b] =
            ["1-VA==-Uw==-3-a-b-c-d", "0-VA==-Uw==-4-e-f-g-h"].map(|value| of(value).expect("valid"));
        assert_eq!(a.trace_id, b.trace_id);
        assert_ne!(a.span_id, b.span_id);
        assert_eq!((a.flags, b.flags), (1, 0));
        assert_ne!(of(EXAMPLE).expect("valid").trace_id, a.trace_id);
    }

    #[test]
    fn what_is_no_context() {
        for value in [
            "",
            "1",
            "1-VA==-Uw==-3-a-b-c",
            "1-VA==-Uw==-x-a-b-c-d",
            "1--Uw==-3-a-b-c-d",
            "1-V A-Uw==-3-a-b-c-d",
        ] {
            check(context, &[("sw8", value)], None);
        }
    }
}
