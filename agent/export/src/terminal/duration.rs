//! Times for people. Comes in: nanoseconds. Goes out: three digits and a unit, or the time of the day.

use crate::span::UnixNanos;

/// Three significant digits and a unit, at most 7 columns below a day: `987 ns`, `1.23 ms`, `75.0 s`, `12.5 min`.
pub(super) fn duration(nanos: u64) -> String {
    const UNITS: [(f64, &str); 5] = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"), (6e10, "min")];
    // 999.5 of a unit would be shown as 1000 of it.
    let fits = |(size, unit): (f64, &str)| nanos as f64 / size < if unit == "s" { 119.95 } else { 999.5 };
    let (size, unit) = UNITS.into_iter().find(|&unit| fits(unit)).unwrap_or((3.6e12, "h"));
    let value = nanos as f64 / size;
    let digits = match value {
        _ if unit == "ns" => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// From `from` to `to`, with its sign: clocks of two hosts differ.
pub(super) fn offset(from: UnixNanos, to: UnixNanos) -> String {
    let sign = if to < from { '-' } else { '+' };
    format!("{sign}{}", duration(to.0.abs_diff(from.0)))
}

/// `hh:mm:ss.mmm`, UTC: log lines of several hosts stand side by side, and so do those of a host and its containers.
pub(super) fn time_of_day(time: UnixNanos) -> String {
    let milliseconds = time.0 / 1_000_000;
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        for (nanos, expected) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (1_500_000_000, "1.50 s"),
            (75_000_000_000, "75.0 s"),
            (150_000_000_000, "2.50 min"),
            (u64::MAX, "5124096 h"),
        ] {
            assert_eq!(duration(nanos), expected);
        }
    }

    #[test]
    fn offsets_have_a_sign() {
        assert_eq!(offset(UnixNanos(1_000), UnixNanos(3_000)), "+2.00 µs");
        assert_eq!(offset(UnixNanos(3_000), UnixNanos(1_000)), "-2.00 µs");
    }

    #[test]
    fn times() {
        assert_eq!(time_of_day(UnixNanos(1_770_120_000_000_000_000 + 61_042_000_000)), "12:01:01.042");
    }
}
