//! `uber-trace-id`: <https://www.jaegertracing.io/docs/1.76/client-libraries/#propagation-format>.

use super::{Carrier, Context, SAMPLED, hex, hex_span, hex_trace};

/// `{trace}:{span}:{parent}:{flags}`, hexadecimal without leading zeros; some clients percent-encode the colons.
pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    let value = carrier.one("uber-trace-id")?.replace("%3A", ":").replace("%3a", ":");
    let mut parts = value.split(':');
    let (trace, span, _parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let sampled = hex(flags, 2)? & 1 == 1;
    Some(Context::new(hex_trace(trace)?, Some(hex_span(span)?), if sampled { SAMPLED } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    #[test]
    fn values() {
        let uber =
            |value: &str, expected: Option<&str>| check(context, &[("uber-trace-id", value)], expected);
        let short = Some("00000000000000000c6d1dc5dd5ad0f1/0000000c5dd5ad0f/1");
        uber("c6d1dc5dd5ad0f1:c5dd5ad0f:0:1", short);
        uber("c6d1dc5dd5ad0f1%3Ac5dd5ad0f%3A0%3A1", short);
        let long = Some("463ac35c9f6413ad48485a3953bb6124/a2fb4a1d1a96d312/0");
        uber("463ac35c9f6413ad48485a3953bb6124:a2fb4a1d1a96d312:0:0", long);
        for invalid in
            ["", "0:1:0:1", "1:0:0:1", "1:1:0", "1:1:0:1:1", "1:1:0:x", "+1:1:0:1", "1:11112222333344445:0:1"]
        {
            uber(invalid, None);
        }
    }
}
