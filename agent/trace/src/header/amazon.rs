//! `X-Amzn-Trace-Id`: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use super::{Carrier, Context, SAMPLED, hex, hex_span, trace_id};

/// `Root=1-{8 hex: seconds}-{24 hex};Parent={16 hex};Sampled=1`, in any order. Load balancers send no `Parent`, and
/// add a `Self` of their own.
pub(super) fn context(carrier: Carrier<'_>) -> Option<Context> {
    let fields = carrier.one("x-amzn-trace-id")?;
    let field = |name: &str| {
        let pairs = fields.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    };
    let (seconds, unique) = field("root")?.strip_prefix("1-")?.split_once('-')?;
    if seconds.len() != 8 || unique.len() != 24 {
        return None;
    }
    let trace = trace_id(hex(seconds, 8)? << 96 | hex(unique, 24)?)?;
    let span = field("parent").filter(|span| span.len() == 16).and_then(hex_span);
    Some(Context::new(trace, span, if field("sampled") == Some("0") { 0 } else { SAMPLED }))
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    #[test]
    fn values() {
        let amzn =
            |value: &str, expected: Option<&str>| check(context, &[("x-amzn-trace-id", value)], expected);
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        amzn(root, Some("5759e988bd862e3fe1be46a994272793/-/1"));
        let whole = Some("5759e988bd862e3fe1be46a994272793/53995c3f42cd8ad8/1");
        amzn(&format!("{root};Parent=53995c3f42cd8ad8;Sampled=1"), whole);
        let unsampled = Some("5759e988bd862e3fe1be46a994272793/53995c3f42cd8ad8/0");
        amzn(&format!("Sampled=0; Parent=53995c3f42cd8ad8; {root}"), unsampled);
        amzn(
            &format!("Self=1-67891234-12456789abcdef012345678;{root}"),
            Some("5759e988bd862e3fe1be46a994272793/-/1"),
        );
        for invalid in
            ["", "Root=", "Root=2-5759e988-bd862e3fe1be46a994272793", "Root=1-5759e988-bd862e3f", "Parent=1"]
        {
            amzn(invalid, None);
        }
    }
}
