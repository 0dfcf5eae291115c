//! Times and durations as people and tools write them.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Text that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {wanted}")]
pub struct BadText {
    /// The text.
    pub text: String,
    /// What it should be.
    pub wanted: &'static str,
}

const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
    ("d", 86_400e9),
];

/// A duration such as `1.5ms` or `1h30m`, in nanoseconds.
///
/// # Errors
/// It is none, or has no unit.
pub fn duration(text: &str) -> Result<u64, BadText> {
    let bad =
        || BadText { text: text.to_owned(), wanted: "duration: write it like `1.5ms`, `10s` or `1h30m`" };
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        total += number * size;
        rest = after;
    }
    if total > i64::MAX as f64 { Err(bad()) } else { Ok(total as u64) }
}

/// A time in RFC 3339, or in whole nanoseconds since 1970; in nanoseconds since 1970.
///
/// # Errors
/// It is neither, or before 1970 or after 2262.
pub fn time(text: &str) -> Result<u64, BadText> {
    let bad = || BadText {
        text: text.to_owned(),
        wanted: "time: write it like `2026-11-21T14:00:00Z`, or in nanoseconds since 1970",
    };
    let nanos = match text.parse::<u64>() {
        Ok(nanos) => i128::from(nanos),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).map_err(|_| bad())?.unix_timestamp_nanos(),
    };
    i64::try_from(nanos).ok().and_then(|nanos| u64::try_from(nanos).ok()).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let cases = [
            ("1.5ms", 1_500_000),
            ("10s", 10_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("7ns", 7),
            ("2µs", 2000),
        ];
        for (text, nanos) in cases {
            assert_eq!(duration(text), Ok(nanos), "{text}");
        }
        for text in ["", "5", "ms", "1x", "-1s", "1..5s", "99999999999h", "1ms é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_dates_or_nanoseconds() {
        assert_eq!(time("2026-01-01T00:00:00Z"), Ok(1_767_225_600_000_000_000));
        assert_eq!(time("2026-01-01T01:00:00.5+01:00"), Ok(1_767_225_600_500_000_000));
        assert_eq!(time("17"), Ok(17));
        for text in ["", "yesterday", "1969-12-31T23:59:59Z", "18446744073709551615", "-1"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
