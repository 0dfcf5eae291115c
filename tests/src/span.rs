//! One line of `--output json` in, a span out: OTLP/JSON's field names, attributes as plain objects.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// OpenTelemetry's span kinds that conversations yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Answers requests; 2 in OTLP.
    Server,
    /// Makes requests; 3 in OTLP.
    Client,
    /// Hands messages to a broker; 4 in OTLP.
    Producer,
    /// Is given messages by a broker; 5 in OTLP.
    Consumer,
}

/// A span as it was printed.
#[derive(Clone, Debug)]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// Span id of the parent, if it has one.
    pub parent: Option<String>,
    /// Low-cardinality name.
    pub name: String,
    /// Server or client.
    pub kind: Kind,
    /// Nanoseconds since the UNIX epoch.
    pub start: u64,
    /// Nanoseconds since the UNIX epoch.
    pub end: u64,
    /// Trace ids of the spans that it is linked to.
    pub links: Vec<String>,
    attributes: Map<String, Value>,
    resource: Map<String, Value>,
}

impl Span {
    /// Reads one line; the error says what is missing from it.
    pub fn parse(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        Self::from_value(&value).with_context(|| format!("in the span {line}"))
    }

    fn from_value(value: &Value) -> Result<Self> {
        let text = |key: &str| value[key].as_str().with_context(|| format!("no text `{key}`"));
        let nanos = |key: &str| text(key)?.parse().with_context(|| format!("`{key}` is no number"));
        let object =
            |key: &str| value[key].as_object().with_context(|| format!("no object `{key}`")).cloned();
        let parent = value["parentSpanId"].as_str().filter(|id| !id.is_empty());
        let span = Self {
            trace: hex(text("traceId")?, 32)?,
            id: hex(text("spanId")?, 16)?,
            parent: parent.map(|id| hex(id, 16)).transpose()?,
            name: text("name")?.to_owned(),
            kind: kind(&value["kind"])?,
            start: nanos("startTimeUnixNano")?,
            end: nanos("endTimeUnixNano")?,
            links: links(&value["links"])?,
            attributes: object("attributes")?,
            resource: object("resource")?,
        };
        if span.end < span.start {
            bail!("it ends before it starts");
        }
        Ok(span)
    }

    /// An attribute that is text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.attributes.get(key)?.as_str()
    }

    /// An attribute that is an integer; OTLP/JSON may write those as text.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        let value = self.attributes.get(key)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// `wirespan.link.method`: how its parent is known.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.text("wirespan.link.method")
    }

    /// `wirespan.link.confidence`, 0 to 1.
    #[must_use]
    pub fn confidence(&self) -> Option<f64> {
        self.attributes.get("wirespan.link.confidence")?.as_f64()
    }

    /// `wirespan.sampling.ratio`, 0 to 1; `None` where all connections are shown.
    #[must_use]
    pub fn sampling_ratio(&self) -> Option<f64> {
        self.attributes.get("wirespan.sampling.ratio")?.as_f64()
    }

    /// Is this attribute there and true?
    #[must_use]
    pub fn truth(&self, key: &str) -> bool {
        self.attributes.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    /// `http.response.status_code`.
    #[must_use]
    pub fn status(&self) -> Option<i64> {
        self.integer("http.response.status_code")
    }

    /// `service.name` of its process.
    #[must_use]
    pub fn service(&self) -> &str {
        self.resource.get("service.name").and_then(Value::as_str).unwrap_or_default()
    }

    /// `process.pid` of its process.
    #[must_use]
    pub fn process(&self) -> Option<u64> {
        let value = self.resource.get("process.pid")?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// The request's path without its query: `url.path` at a server, the path of `url.full` at a client.
    #[must_use]
    pub fn path(&self) -> &str {
        let full = || Some(after_authority(self.text("url.full")?));
        let path = self.text("url.path").or_else(full).unwrap_or_default();
        path.split(['?', '#']).next().unwrap_or_default()
    }

    /// Does any attribute speak of this port?
    #[must_use]
    pub fn mentions_port(&self, port: u16) -> bool {
        let ends_in_it = |text: &str| text == port.to_string() || text.contains(&format!(":{port}"));
        self.attributes
            .values()
            .any(|value| value.as_u64() == Some(port.into()) || value.as_str().is_some_and(ends_in_it))
    }

    /// Does it say that the operation failed?
    #[must_use]
    pub fn failed(&self) -> bool {
        self.attributes.contains_key("error.type")
    }

    /// Does it lie within `other` in time?
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.start <= self.start && self.end <= other.end
    }
}

fn links(value: &Value) -> Result<Vec<String>> {
    let links = value.as_array().map(Vec::as_slice).unwrap_or_default();
    links.iter().map(|link| hex(link["traceId"].as_str().context("a link without a trace")?, 32)).collect()
}

fn kind(value: &Value) -> Result<Kind> {
    match value.as_u64() {
        Some(2) => Ok(Kind::Server),
        Some(3) => Ok(Kind::Client),
        Some(4) => Ok(Kind::Producer),
        Some(5) => Ok(Kind::Consumer),
        _ => bail!("kind {value} is none of a conversation (2 to 5)"),
    }
}

/// An id: lower-case digits of the given number, not all zero (W3C trace context, section 3.2.2).
fn hex(text: &str, digits: usize) -> Result<String> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(is_digit) || text.bytes().all(|byte| byte == b'0') {
        bail!("`{text}` is no id of {digits} hexadecimal digits");
    }
    Ok(text.to_owned())
}

/// From the first slash after `scheme://authority`.
fn after_authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// Spans of one kind.
#[must_use]
pub fn of_kind(spans: &[Span], kind: Kind) -> Vec<&Span> {
    spans.iter().filter(|span| span.kind == kind).collect()
}

/// What `line` says of each span of this kind that is `wanted`, in the order in which they began.
pub fn told(
    spans: &[Span],
    kind: Kind,
    wanted: impl Fn(&Span) -> bool,
    line: impl Fn(&Span) -> String,
) -> Vec<String> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.kind == kind && wanted(span)).collect();
    found.sort_by_key(|span| span.start);
    found.into_iter().map(line).collect()
}

/// How many spans of this kind have this path.
#[must_use]
pub fn count(spans: &[Span], kind: Kind, path: &str) -> usize {
    spans.iter().filter(|span| span.kind == kind && span.path() == path).count()
}

/// The only span of this kind with this path.
pub fn only<'a>(spans: &'a [Span], kind: Kind, path: &str) -> Result<&'a Span> {
    let mut found = spans.iter().filter(|span| span.kind == kind && span.path() == path);
    let first =
        found.next().with_context(|| format!("no {kind:?} span of {path} among {} spans", spans.len()))?;
    match found.next() {
        Some(second) => bail!("more than one {kind:?} span of {path}:\n{first:#?}\n{second:#?}"),
        None => Ok(first),
    }
}

/// One trace from its root down, where each span has at most one child; fails on any other shape, on a parent that was
/// never printed, and on a child that is not within its parent in time.
pub fn chain<'a>(spans: &[&'a Span]) -> Result<Vec<&'a Span>> {
    let mut roots = spans.iter().filter(|span| span.parent.is_none());
    let mut last = *roots.next().context("no root: every span has a parent")?;
    let mut chain = vec![last];
    if let Some(other) = roots.next() {
        bail!("two roots: {} and {}", last.name, other.name);
    }
    while let Some(next) = spans.iter().find(|span| span.parent.as_deref() == Some(&last.id)) {
        if !next.is_within(last) {
            bail!("{next:#?}\nis not within its parent\n{last:#?}");
        }
        chain.push(next);
        last = next;
    }
    if chain.len() != spans.len() {
        bail!("{} of {} spans hang together: {spans:#?}", chain.len(), spans.len());
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u8, parent: u8, kind: u8, times: (u64, u64)) -> Result<Span> {
        let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
        Span::parse(&format!(
            r#"{{"traceId":"{:032x}","spanId":"{id:016x}","parentSpanId":"{parent}","name":"GET /a","kind":{kind},
            "startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":{{"url.full":"http://127.0.0.1:80/a/1?b",
            "http.response.status_code":200,"server.port":80}},"resource":{{"service.name":"shop","process.pid":7}}}}"#,
            7, times.0, times.1
        ))
    }

    #[test]
    fn a_line_is_read() -> Result<()> {
        let span = line(1, 0, 3, (5, 9))?;
        assert_eq!((span.kind, span.path(), span.service()), (Kind::Client, "/a/1", "shop"));
        assert_eq!((span.status(), span.process(), span.parent.as_deref()), (Some(200), Some(7), None));
        assert!(span.mentions_port(80) && !span.mentions_port(8080));
        Ok(())
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(line(0, 0, 3, (5, 9)).is_err(), "an id of zeros");
        assert!(line(1, 0, 1, (5, 9)).is_err(), "an internal span");
        assert!(line(1, 0, 3, (9, 5)).is_err(), "an end before the start");
        assert!(Span::parse("capturing").is_err());
    }

    #[test]
    fn a_chain_hangs_together() -> Result<()> {
        let (client, server) = (line(1, 0, 3, (1, 9))?, line(2, 1, 2, (2, 8))?);
        let ids: Vec<_> = chain(&[&server, &client])?.iter().map(|span| span.kind).collect();
        assert_eq!(ids, [Kind::Client, Kind::Server]);
        Ok(())
    }

    #[test]
    fn a_wrong_chain_is_refused() -> Result<()> {
        let root = line(1, 0, 3, (1, 9))?;
        for (wrong, why) in [
            (line(2, 0, 2, (2, 8))?, "a second root"),
            (line(2, 9, 2, (2, 8))?, "an unknown parent"),
            (line(2, 1, 2, (2, 10))?, "not within its parent"),
        ] {
            assert!(chain(&[&root, &wrong]).is_err(), "{why}");
        }
        assert!(chain(&[]).is_err());
        Ok(())
    }
}
