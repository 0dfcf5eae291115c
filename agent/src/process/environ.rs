//! Comes in: a process's environment. Goes out: what it says to OpenTelemetry, and nothing else: the rest may be
//! secret and is not kept.

/// Variables read, by OpenTelemetry's specification ("Resource SDK", "Environment Variable Specification").
const SERVICE_NAME: &[u8] = b"OTEL_SERVICE_NAME=";
const RESOURCE_ATTRIBUTES: &[u8] = b"OTEL_RESOURCE_ATTRIBUTES=";

/// Attributes taken from one process at most; a bound on what a hostile environment costs.
const MAX_ATTRIBUTES: usize = 64;

/// What the environment says about the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Otel {
    /// `OTEL_SERVICE_NAME`, else `service.name` of `OTEL_RESOURCE_ATTRIBUTES`.
    pub service_name: Option<String>,
    /// The other attributes of `OTEL_RESOURCE_ATTRIBUTES`, in their order.
    pub attributes: Vec<(String, String)>,
}

impl Otel {
    /// Reads `KEY=value` entries, each ended by NUL. A last entry without NUL was cut and is left out.
    #[must_use]
    pub(super) fn from_environ(environ: &[u8]) -> Self {
        let entries =
            || environ.split_inclusive(|byte| *byte == 0).filter_map(|entry| entry.strip_suffix(&[0]));
        // As getenv(3): of a variable that is there twice, the first counts.
        let variable = |name: &[u8]| entries().find_map(|entry| entry.strip_prefix(name));
        let mut attributes = variable(RESOURCE_ATTRIBUTES).and_then(attributes).unwrap_or_default();
        let named = attributes.iter().position(|(key, _)| key == "service.name");
        let named = named.map(|index| attributes.remove(index).1);
        let own = variable(SERVICE_NAME).map(|name| String::from_utf8_lossy(name).into_owned());
        let service_name = own.into_iter().chain(named).find(|name| !name.is_empty());
        Self { service_name, attributes }
    }

    /// Did it say nothing?
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The entries that [`Otel`] reads, as they are: what may be kept of an environment.
#[must_use]
pub(crate) fn kept(environ: &[u8]) -> Vec<u8> {
    let is_kept = |entry: &&[u8]| entry.starts_with(SERVICE_NAME) || entry.starts_with(RESOURCE_ATTRIBUTES);
    let entries = environ.split_inclusive(|byte| *byte == 0);
    entries.filter(|entry| entry.ends_with(&[0])).filter(is_kept).collect::<Vec<_>>().concat()
}

/// `key=value,key=value`, percent-encoded. The specification asks to discard the whole value on any error.
fn attributes(value: &[u8]) -> Option<Vec<(String, String)>> {
    let pairs = value.split(|byte| *byte == b',').filter(|pair| !pair.trim_ascii().is_empty());
    pairs.take(MAX_ATTRIBUTES).map(attribute).collect()
}

fn attribute(pair: &[u8]) -> Option<(String, String)> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (key, value) = pair.split_at_checked(equals)?;
    let key = percent_decode(key.trim_ascii())?;
    let value = percent_decode(value.strip_prefix(b"=")?.trim_ascii())?;
    (!key.is_empty()).then_some((key, value))
}

/// RFC 3986 §2.1. `None` for a `%` without two hexadecimal digits, and for what is not UTF-8.
fn percent_decode(text: &[u8]) -> Option<String> {
    let mut parts = text.split(|byte| *byte == b'%');
    let mut decoded = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        decoded.push(hex_byte(digits)?);
        decoded.extend_from_slice(rest);
    }
    String::from_utf8(decoded).ok()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |byte, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some((byte << 4) | u8::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environ: &str, service_name: Option<&str>, attributes: &[(&str, &str)]) {
        let otel = Otel::from_environ(environ.as_bytes());
        let have: Vec<_> = otel.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            (otel.service_name.as_deref(), have.as_slice()),
            (service_name, attributes),
            "{environ:?}"
        );
    }

    #[test]
    fn only_opentelemetrys_variables_are_kept() {
        check("", None, &[]);
        check("HOME=/root\0SECRET=x\0", None, &[]);
        check("A=b\0OTEL_SERVICE_NAME=shop\0C=d\0", Some("shop"), &[]);
        check("XOTEL_SERVICE_NAME=no\0", None, &[]);
        check("OTEL_SERVICE_NAME=first\0OTEL_SERVICE_NAME=second\0", Some("first"), &[]);
        check("OTEL_SERVICE_NAME=cut", None, &[]);
    }

    #[test]
    fn nothing_else_is_kept() {
        let environ =
            b"SECRET=x\0OTEL_SERVICE_NAME=shop\0A=b\0OTEL_RESOURCE_ATTRIBUTES=a=b\0OTEL_SERVICE_NAME=cu";
        assert_eq!(kept(environ), b"OTEL_SERVICE_NAME=shop\0OTEL_RESOURCE_ATTRIBUTES=a=b\0");
    }

    #[test]
    fn resource_attributes_are_decoded_or_dropped_whole() {
        check(
            "OTEL_RESOURCE_ATTRIBUTES=service.name=shop,team=a%20b%2Cc, k = v =w \0",
            Some("shop"),
            &[("team", "a b,c"), ("k", "v =w")],
        );
        check("OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=b\0", Some("b"), &[]);
        check("OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=\0", Some("a"), &[]);
        for bad in ["a", "=v", "a=%", "a=%2", "a=%zz", "a=%ff", "a=b,c"] {
            check(&format!("OTEL_RESOURCE_ATTRIBUTES={bad}\0"), None, &[]);
        }
    }
}
