//! Comes in: an exchange. Goes out: the attributes of its span, by OpenTelemetry's semantic conventions (1.29 and
//! later: network, server, client, thread), and `wirespan.*` for what only we know. Refuses: secrets.

use std::{borrow::Cow, fmt::Write};

use smol_str::{SmolStr, SmolStrBuilder};
use wirespan_protocol::{
    event::Transport,
    exchange::{self, Ending, Exchange, Role, Target},
};

use crate::{
    ends::{Ends, inet},
    redaction::{REDACTED, Redaction},
    route,
    span::Value,
};

/// By the names of OpenTelemetry's semantic conventions.
pub type Attribute = (Cow<'static, str>, Value);

/// The attributes of a span, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    /// All but those of the connection.
    own: Vec<Attribute>,
    /// So many of them come before those of the connection.
    ahead: usize,
    ends: Option<Ends>,
}

impl Attributes {
    pub(crate) const fn new(own: Vec<Attribute>, ahead: usize, ends: Ends) -> Self {
        Self { own, ahead, ends: Some(ends) }
    }

    /// Those before the connection's, the connection's, and those behind.
    #[must_use]
    pub fn parts(&self) -> (&[Attribute], Option<&Ends>, &[Attribute]) {
        let (ahead, behind) = self.own.split_at_checked(self.ahead).unwrap_or((&self.own, &[]));
        (ahead, self.ends.as_ref(), behind)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, Value>)> {
        let (ahead, ends, behind) = self.parts();
        let ends = ends.into_iter().flat_map(Ends::attributes);
        let ends = ends.map(|(name, value)| (name, Cow::Owned(value)));
        ahead.iter().map(borrowed).chain(ends).chain(behind.iter().map(borrowed))
    }

    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All that are not the connection's.
    #[must_use]
    pub fn own(&self) -> &[Attribute] {
        &self.own
    }

    /// Adds one behind all others.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        self.own.push((name.into(), value));
    }
}

fn borrowed((name, value): &Attribute) -> (&str, Cow<'_, Value>) {
    (name, Cow::Borrowed(value))
}

/// Prefixes of attributes that hold the values of headers.
const HEADERS: [&str; 4] =
    ["http.request.header.", "http.response.header.", "rpc.request.metadata.", "rpc.response.metadata."];

/// Takes the protocol's attributes over without their secrets, in the memory that they are in.
pub(crate) fn redacted(
    given: Vec<(Cow<'static, str>, exchange::Value)>,
    redaction: &Redaction,
    max_text: usize,
) -> Vec<Attribute> {
    let clean = |(name, value): (Cow<'static, str>, exchange::Value)| {
        let value = match header(&name) {
            Some(header) => header_value(header, value, redaction, max_text),
            None => plain_value(&name, value, redaction, max_text),
        };
        (name, value)
    };
    given.into_iter().map(clean).collect()
}

fn header(name: &str) -> Option<&str> {
    // Most names begin otherwise.
    if !matches!(name.as_bytes(), [b'h' | b'r', ..]) {
        return None;
    }
    HEADERS.iter().find_map(|prefix| name.strip_prefix(prefix))
}

fn header_value(name: &str, value: exchange::Value, redaction: &Redaction, max_text: usize) -> Value {
    let secret = redaction.secret_header(name);
    let clean = |text: String| if secret { REDACTED.to_owned() } else { url(text, redaction, max_text) };
    match value {
        exchange::Value::Text(text) => Value::Text(clean(text.into()).into()),
        exchange::Value::Url(text) => Value::Text(clean(text).into()),
        exchange::Value::List(list) => Value::List(list.into_iter().map(clean).collect()),
        exchange::Value::Int(_) | exchange::Value::Bool(_) if secret => Value::Text(REDACTED.into()),
        exchange::Value::Int(number) => Value::Int(number),
        exchange::Value::Bool(truth) => Value::Bool(truth),
    }
}

fn plain_value(name: &str, value: exchange::Value, redaction: &Redaction, max_text: usize) -> Value {
    match value {
        exchange::Value::Text(text) if text.len() > max_text => {
            Value::Text(cut(text.into(), max_text).into())
        }
        exchange::Value::Text(text) => Value::Text(text),
        exchange::Value::Url(text) if name == "url.query" => {
            Value::Text(query(text, redaction, max_text).into())
        }
        exchange::Value::Url(text) => Value::Text(url(text, redaction, max_text).into()),
        exchange::Value::Int(number) => Value::Int(number),
        exchange::Value::Bool(truth) => Value::Bool(truth),
        exchange::Value::List(list) => {
            Value::List(list.into_iter().map(|text| cut(text, max_text)).collect())
        }
    }
}

/// Cut first, so that megabytes cost nothing: a name always stands before its secret.
fn url(text: String, redaction: &Redaction, max_text: usize) -> String {
    let text = cut(text, max_text);
    match redaction.url(&text) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => text,
    }
}

fn query(text: String, redaction: &Redaction, max_text: usize) -> String {
    let text = cut(text, max_text);
    match redaction.query(&text) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => text,
    }
}

fn cut(mut text: String, max_text: usize) -> String {
    if text.len() > max_text {
        text.truncate(text.floor_char_boundary(max_text));
        text.shrink_to_fit();
    }
    text
}

/// The span's name, and its route among the attributes. Semantic conventions, HTTP: `{method} {target}`, and `HTTP`
/// for the method where it is none of the known ones.
pub(crate) fn name(exchange: &mut Exchange, attributes: &mut Vec<Attribute>) -> SmolStr {
    let target = std::mem::replace(&mut exchange.target, Target::None);
    let method = match exchange.method.as_str() {
        "_OTHER" if is_http(exchange) => "HTTP",
        method => method,
    };
    match target {
        Target::None => SmolStr::new(method),
        Target::Name(name) => joined(method, &name),
        Target::Destination(name) => joined(method, &destination(name, attributes)),
        Target::Path(path) => {
            let route = match route::template(&path) {
                Cow::Borrowed(route) if route.len() == path.len() => path,
                route => SmolStr::from(route),
            };
            let name = joined(method, &route);
            if is_http(exchange) {
                let attribute = if serves(exchange.role) { "http.route" } else { "url.template" };
                push(attributes, attribute, Value::Text(route));
            }
            name
        }
    }
}

fn joined(method: &str, target: &str) -> SmolStr {
    let mut name = SmolStrBuilder::new();
    for part in [method, " ", target] {
        name.push_str(part);
    }
    name.finish()
}

/// Semantic conventions, messaging spans: the template stands in the span's name where there is one.
fn destination(name: SmolStr, attributes: &mut Vec<Attribute>) -> SmolStr {
    let Some(template) = route::destination(&name).map(SmolStr::from) else { return name };
    push(attributes, "messaging.destination.template", Value::Text(template.clone()));
    template
}

/// Does HTTP's part of the semantic conventions hold for it? FastCGI carries requests of HTTP.
fn is_http(exchange: &Exchange) -> bool {
    matches!(exchange.protocol, "http" | "fastcgi")
}

const fn serves(role: Role) -> bool {
    matches!(role, Role::Server | Role::Consumer)
}

/// `wirespan.exchange`: what both ends of a connection call this exchange, for whoever sees the spans of both hosts. The
/// sequence numbers of the request's and the response's first byte, 32 bits each in hex, which network address
/// translation leaves as they are (RFC 9293, 3.4; RFC 3022, 2.2), and the stream's number where there are several. Not over
/// the loopback: both ends are this host's, and joined already.
fn exchange_name(exchange: &Exchange) -> Option<String> {
    let socket = &exchange.facts.socket;
    let (local, peer) = (inet(socket.local)?, inet(socket.peer)?);
    if socket.transport != Transport::Tcp || (local.ip().is_loopback() && peer.ip().is_loopback()) {
        return None;
    }
    let response = exchange.response.as_ref().map(|response| format!("{:08x}", response.offset as u32));
    let mut name = format!("{:08x}:{}", exchange.key.offset as u32, response.unwrap_or_default());
    if exchange.key.sub > 0 {
        let _ = write!(name, ":{:x}", exchange.key.sub);
    }
    Some(name)
}

fn push(attributes: &mut Vec<Attribute>, name: &'static str, value: Value) {
    attributes.push((Cow::Borrowed(name), value));
}

/// What only the kernel's view tells. An attribute is left out where it would say that all is well.
///
/// `wirespan.missing_bytes`: bytes of both messages that were lost. `wirespan.truncated`: a head was cut at the
/// capture limit. `wirespan.tcp.rtt_us`, `wirespan.tcp.retransmits`: of the connection. `wirespan.ending`: why there is no
/// (complete) answer.
pub(crate) fn observations(exchange: &Exchange, attributes: &mut Vec<Attribute>) {
    if let Some(name) = exchange_name(exchange) {
        push(attributes, "wirespan.exchange", Value::Text(name.into()));
    }
    // In a packet capture there are no threads.
    push_count(attributes, "thread.id", exchange.request.first.task.tid.into());
    let response = exchange.response.as_ref();
    let missing = exchange.request.missing.saturating_add(response.map_or(0, |response| response.missing));
    push_count(attributes, "wirespan.missing_bytes", missing);
    if exchange.request.truncated || response.is_some_and(|response| response.truncated) {
        push(attributes, "wirespan.truncated", Value::Bool(true));
    }
    push_count(attributes, "wirespan.tcp.rtt_us", exchange.facts.rtt_us.into());
    push_count(attributes, "wirespan.tcp.retransmits", exchange.facts.retransmits.into());
    if exchange.facts.io_uring {
        push(attributes, "wirespan.io_uring", Value::Bool(true));
    }
    if let Some(ending) = ending(exchange.ending) {
        push(attributes, "wirespan.ending", Value::Text(SmolStr::new_static(ending)));
    }
}

/// `wirespan.sampling.ratio`: where not all connections are shown, the share of those that are; each span then stands for
/// as many as 1 divided by it.
pub(crate) fn sampled(share: f64, attributes: &mut Vec<Attribute>) {
    if share < 1.0 {
        push(attributes, "wirespan.sampling.ratio", Value::Float(share));
    }
}

fn push_count(attributes: &mut Vec<Attribute>, name: &'static str, count: u64) {
    if count > 0 {
        push(attributes, name, Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    }
}

const fn ending(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Answered => None,
        Ending::Upgraded => Some("upgraded"),
        Ending::Closed => Some("closed"),
        Ending::Broken(_) => Some("broken"),
        Ending::Cancelled => Some("cancelled"),
        Ending::TimedOut => Some("timed_out"),
        Ending::Lost => Some("lost"),
    }
}
