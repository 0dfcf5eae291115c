//! Comes in: what a person wrote for one setting, as text, a list or pairs. Goes out: a typed value. Refuses: anything
//! that would have to be guessed at.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// How a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One plain text.
    Text,
    /// A whole number; JSON shows it without quotes.
    Number,
    /// `true` or `false`.
    Switch,
    /// A list; on one line its items are separated by commas (those within `{}` belong to the item).
    List,
    /// Pairs; on one line `key=value,key=value`.
    Pairs,
}

/// A setting as it was written, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// One text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
    /// Named texts, in the order written.
    Pairs(Vec<(String, String)>),
}

impl Raw {
    /// What `text` on one line (a variable, a flag, a default) means for a setting of this shape.
    ///
    /// # Errors
    /// A pair without `=`.
    pub fn from_line(shape: Shape, text: &str) -> Result<Self, String> {
        match shape {
            Shape::List => Ok(Self::List(split_list(text))),
            Shape::Pairs => split_list(text)
                .iter()
                .map(|pair| split_pair(pair))
                .collect::<Result<_, _>>()
                .map(Self::Pairs),
            Shape::Text | Shape::Number | Shape::Switch => Ok(Self::Text(text.trim().to_owned())),
        }
    }

    /// Joins the values of a flag that was given several times. A single value: the last one wins.
    #[must_use]
    pub fn join(self, later: Self) -> Self {
        match (self, later) {
            (Self::List(mut first), Self::List(second)) => {
                first.extend(second);
                Self::List(first)
            }
            (Self::Pairs(mut first), Self::Pairs(second)) => {
                first.extend(second);
                Self::Pairs(first)
            }
            (_, later) => later,
        }
    }

    /// Nothing was written: the empty text, list or set of pairs.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Pairs(pairs) => pairs.is_empty(),
        }
    }
}

/// Splits at commas outside braces, so that a glob such as `/opt/{a,b}/*` stays whole.
fn split_list(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    text.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(|item| item.trim().to_owned())
    .filter(|item| !item.is_empty())
    .collect()
}

fn split_pair(pair: &str) -> Result<(String, String), String> {
    pair.split_once('=')
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| format!("`{pair}` is not of the form key=value"))
}

/// A type that a setting can have.
pub trait Setting: Sized {
    /// How it is written.
    const SHAPE: Shape = Shape::Text;
    /// The placeholder in help texts, such as `SIZE`.
    const SYNTAX: &'static str;
    /// All values it can have, where they are few.
    const CHOICES: &'static [&'static str] = &[];

    /// Reads what was written.
    ///
    /// # Errors
    /// A sentence that continues "`key` …", such as "must be a size such as 64KiB".
    fn read(raw: &Raw) -> Result<Self, String>;

    /// What a range is about: bytes, nanoseconds, a count. `None` where ranges make no sense.
    fn magnitude(&self) -> Option<u64> {
        None
    }
}

pub(super) fn text(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::Text(text) => Ok(text),
        Raw::List(_) => Err("must be one value, not a list".to_owned()),
        Raw::Pairs(_) => Err("must be one value, not a mapping".to_owned()),
    }
}

impl Setting for String {
    const SYNTAX: &'static str = "TEXT";

    fn read(raw: &Raw) -> Result<Self, String> {
        text(raw).map(str::to_owned)
    }
}

impl Setting for PathBuf {
    const SYNTAX: &'static str = "FILE";

    fn read(raw: &Raw) -> Result<Self, String> {
        text(raw).map(Self::from)
    }
}

impl Setting for bool {
    const SHAPE: Shape = Shape::Switch;
    const SYNTAX: &'static str = "true|false";
    const CHOICES: &'static [&'static str] = &["true", "false"];

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        text.parse().map_err(|_| format!("must be true or false, not `{text}`"))
    }
}

impl Setting for u32 {
    const SHAPE: Shape = Shape::Number;
    const SYNTAX: &'static str = "NUMBER";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        text.parse().map_err(|_| format!("must be a whole number below 2^32, not `{text}`"))
    }

    fn magnitude(&self) -> Option<u64> {
        Some(u64::from(*self))
    }
}

/// A number of bytes, written as `2048`, `64KiB`, `1MiB` or `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const SIZE_UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];

impl Setting for Size {
    const SYNTAX: &'static str = "SIZE";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        with_unit(text, &SIZE_UNITS, Some(1))
            .map(Self)
            .ok_or_else(|| format!("must be a size such as 2048, 64KiB or 1MiB, not `{text}`"))
    }

    fn magnitude(&self) -> Option<u64> {
        Some(self.0)
    }
}

const TIME_UNITS: [(&str, u64); 5] =
    [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

/// Written as `250ms`, `2s`, `1.5m`; a bare number is refused, because whether it means seconds or
/// milliseconds differs from tool to tool.
impl Setting for Duration {
    const SYNTAX: &'static str = "DURATION";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        with_unit(text, &TIME_UNITS, (text == "0").then_some(1))
            .map(Self::from_nanos)
            .ok_or_else(|| format!("must be a duration such as 250ms, 2s or 5m, not `{text}`"))
    }

    fn magnitude(&self) -> Option<u64> {
        u64::try_from(self.as_nanos()).ok()
    }
}

/// `12`, `1.5` and a unit: the product, rounded down. `bare` is the factor of a number without a unit.
fn with_unit(text: &str, units: &[(&str, u64)], bare: Option<u64>) -> Option<u64> {
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    let factor = if unit.is_empty() { bare? } else { units.iter().find(|(name, _)| *name == unit)?.1 };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let product = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    product.checked_add(fraction_of(fraction, factor)?)
}

/// `fraction` are the digits behind the point.
fn fraction_of(fraction: &str, factor: u64) -> Option<u64> {
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(fraction.parse::<u64>().ok()?.checked_mul(factor)? / scale)
}

/// One port, or a range of ports with both ends in it: `80`, `8000-8999`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest; not below `first`.
    pub last: u16,
}

impl Ports {
    /// Is `port` one of them?
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// Where to listen, written as `127.0.0.1:9464`, `[::1]:9464` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address; port 0 is any free one.
    At(SocketAddr),
}

impl Setting for Listen {
    const SYNTAX: &'static str = "ADDRESS";

    fn read(raw: &Raw) -> Result<Self, String> {
        match text(raw)? {
            "off" => Ok(Self::Off),
            text => text.parse().map(Self::At).map_err(|_| {
                format!("must be `off` or an address with a port such as 127.0.0.1:9464, not `{text}`")
            }),
        }
    }
}

/// Where a collector listens or is asked, written as `127.0.0.1:4317`, `localhost:4317`, `https://host:16686` or `off`.
/// Names are resolved when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(pub String);

impl Setting for Place {
    const SYNTAX: &'static str = "ADDRESS";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        let address = text.strip_prefix("https://").unwrap_or(text);
        let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        let complete = address.rsplit_once(':').is_some_and(|(host, at)| !host.is_empty() && port(at));
        if complete || text == "off" {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("must be `off` or an address with a port such as 127.0.0.1:4317, not `{text}`"))
    }
}

/// A type that the items of a list can have.
pub trait Item: Sized {
    /// The placeholder in help texts.
    const SYNTAX: &'static str;

    /// Reads one item.
    ///
    /// # Errors
    /// A sentence that continues "`key` …".
    fn read_item(text: &str) -> Result<Self, String>;
}

impl Item for String {
    const SYNTAX: &'static str = "TEXT";

    fn read_item(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Item for u32 {
    const SYNTAX: &'static str = "PID";

    fn read_item(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("must hold process ids, and `{text}` is none"))
    }
}

impl Item for Ports {
    const SYNTAX: &'static str = "PORT";

    fn read_item(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(format!(
                "must hold ports such as 80 or ranges such as 8000-8999, and `{text}` is neither"
            )),
        }
    }
}

/// A shell-like pattern for whole paths: `*`, `?`, `[a-z]`, `{a,b}`; `*` also crosses `/`.
#[derive(Clone, Debug)]
pub struct Pattern(pub globset::Glob);

impl Item for Pattern {
    const SYNTAX: &'static str = "GLOB";

    fn read_item(text: &str) -> Result<Self, String> {
        globset::Glob::new(text).map(Self).map_err(|error| format!("must hold globs: {error}"))
    }
}

impl<T: Item> Setting for Vec<T> {
    const SHAPE: Shape = Shape::List;
    const SYNTAX: &'static str = T::SYNTAX;

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::List(items) => items.iter().map(|item| T::read_item(item)).collect(),
            Raw::Text(item) => T::read_item(item).map(|item| vec![item]),
            Raw::Pairs(_) => Err("must be a list, not a mapping".to_owned()),
        }
    }
}

/// Named texts in the order written.
pub type Pairs = Vec<(String, String)>;

impl Setting for Pairs {
    const SHAPE: Shape = Shape::Pairs;
    const SYNTAX: &'static str = "KEY=VALUE";

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Pairs(pairs) => Ok(pairs.clone()),
            Raw::Text(_) | Raw::List(_) => Err("must be a mapping of keys to values".to_owned()),
        }
    }
}

/// Names for what matches a pattern; the first match counts.
pub type PatternNames = Vec<(Pattern, String)>;

impl Setting for PatternNames {
    const SHAPE: Shape = Shape::Pairs;
    const SYNTAX: &'static str = "GLOB=NAME";

    fn read(raw: &Raw) -> Result<Self, String> {
        let pairs = Pairs::read(raw)?;
        pairs.into_iter().map(|(glob, name)| Ok((Pattern::read_item(&glob)?, name))).collect()
    }
}

/// Empty means not set.
impl<T: Setting> Setting for Option<T> {
    const SHAPE: Shape = T::SHAPE;
    const SYNTAX: &'static str = T::SYNTAX;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn read(raw: &Raw) -> Result<Self, String> {
        if raw.is_unset() { Ok(None) } else { T::read(raw).map(Some) }
    }

    fn magnitude(&self) -> Option<u64> {
        self.as_ref().and_then(T::magnitude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<T: Setting>(text: &str) -> Result<T, String> {
        T::read(&Raw::from_line(T::SHAPE, text)?)
    }

    #[test]
    fn sizes_and_durations_need_units_they_know() {
        let sizes = [("2048", 2048), ("64KiB", 65536), ("1.5MiB", 1_572_864), ("7 B", 7), ("2GiB", 1 << 31)];
        for (text, bytes) in sizes {
            assert_eq!(line::<Size>(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "64kb", "KiB", "-1", "1.2.3", "99999999999999999999", "99999999999GiB", "1.KiB"] {
            assert!(line::<Size>(text).is_err(), "{text}");
        }
        let durations = [("250ms", 250_000), ("2s", 2_000_000), ("1.5m", 90_000_000), ("10us", 10), ("0", 0)];
        for (text, micros) in durations {
            assert_eq!(line::<Duration>(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in ["5", "", "2 sec", "1d"] {
            assert!(line::<Duration>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_on_one_line_keep_braces_whole() {
        assert_eq!(
            line::<Vec<String>>(" a, /opt/{b,c}/* ,,d"),
            Ok(vec!["a".into(), "/opt/{b,c}/*".into(), "d".into()])
        );
        assert_eq!(line::<Vec<String>>(""), Ok(vec![]));
        assert_eq!(line::<Vec<u32>>("1,22"), Ok(vec![1, 22]));
        assert!(line::<Vec<u32>>("1,x").is_err());
    }

    #[test]
    fn ports_are_single_or_ranges() {
        let ports = line::<Vec<Ports>>("80,8000-8999").unwrap();
        assert_eq!(ports, [Ports { first: 80, last: 80 }, Ports { first: 8000, last: 8999 }]);
        assert!(ports[1].contains(8999) && !ports[1].contains(9000));
        for text in ["9-8", "65536", "a", "1-2-3"] {
            assert!(line::<Vec<Ports>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn places_have_a_host_and_a_port() {
        for text in ["127.0.0.1:0", "localhost:4317", "[::1]:4317", "https://web-1:443", "off"] {
            assert_eq!(line::<Place>(text), Ok(Place(text.into())));
        }
        for text in ["", "1", "localhost", ":80", "a:b", "a:99999", "a:+1", "a:"] {
            assert!(line::<Place>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_on_one_line_split_at_the_first_equals_sign() {
        let pairs = line::<Pairs>("authorization=Basic YTo=, x=").unwrap();
        assert_eq!(pairs, [("authorization".into(), "Basic YTo=".into()), ("x".into(), String::new())]);
        assert_eq!(line::<Pairs>("x"), Err("`x` is not of the form key=value".into()));
    }
}
