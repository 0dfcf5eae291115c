//! Comes in: a message head of any version of HTTP, whole or cut. Goes out: the request or response it stands for: how
//! its body is framed, and its attributes by OpenTelemetry's HTTP semantic conventions (1.23 and later, the stable
//! ones). Refuses: nothing; what is not told is left out.

use std::borrow::Cow;

use smol_str::SmolStr;

use super::{
    fields::{Coding, Declared, Noted, Text, decimal, first_element, text},
    head,
};
use crate::{
    address, attributes,
    carrier::Carrier,
    event::{Address, Transport},
    exchange::{Role, Target, Value},
    facts::Facts,
    grpc,
    settings::Settings,
    shape,
    token::Tokens,
};

/// Attributes by name.
pub(crate) type Attributes = Vec<(Cow<'static, str>, Value)>;

/// Where a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilEnd,
    /// It cannot be known; the number of bytes at least, where it was declared.
    Unknown(Option<u64>),
}

/// What a request's method means for the response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// No body follows, whatever the head declares.
    Head,
    /// A tunnel follows.
    Connect,
    /// Any other.
    Other,
}

/// A request's head.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) method: SmolStr,
    pub(crate) target: Target,
    pub(crate) framing: Framing,
    /// Asks to go on in another protocol.
    pub(crate) upgrade: bool,
    pub(crate) truncated: bool,
    pub(crate) carrier: Carrier,
    /// Rare names in it.
    pub(crate) tokens: Tokens,
    pub(crate) attributes: Attributes,
    /// Its body carries a call of gRPC.
    pub(crate) call: Option<grpc::Coding>,
    /// Host and port, where the request tells them.
    host: Option<(SmolStr, Option<u16>)>,
    /// Scheme, path and query of a client's request to an origin server.
    origin: Option<(&'static str, SmolStr)>,
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct Response {
    /// 100 to 599; `None` where it is not told.
    pub(crate) status: Option<u16>,
    pub(crate) truncated: bool,
    pub(crate) upgrade: Option<String>,
    pub(crate) captured: Attributes,
    /// Its body carries the answer of a call of gRPC.
    pub(crate) call: bool,
    /// That body ends with trailers.
    pub(crate) web: bool,
    /// The status of such a call, where head and trailers are one.
    pub(crate) told: grpc::Told,
    /// `Sec-WebSocket-Extensions` tells of `permessage-deflate` (RFC 7692).
    pub(crate) deflate: bool,
    declared: Declared,
    coding: Coding,
}

/// What the requests of a connection mostly repeat. It is checked and copied only where it differs from the last one's.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    authority: SmolStr,
    host: SmolStr,
    port: Option<u16>,
    agent: SmolStr,
}

impl Repeated {
    /// Host and port of an authority.
    fn host(&mut self, authority: &[u8], settings: &Settings) -> (SmolStr, Option<u16>) {
        if self.authority.as_bytes() != authority {
            let (host, port) = split_port(authority);
            let (text, host) = (text(authority, settings.max_text), text(host, settings.max_text));
            if text.as_bytes() != authority {
                return (host.into(), port);
            }
            (self.authority, self.host, self.port) = (text.into(), host.into(), port);
        }
        (self.host.clone(), self.port)
    }

    /// What a program says of itself.
    fn agent(&mut self, agent: &[u8], settings: &Settings) -> SmolStr {
        if self.agent.as_bytes() != agent {
            let text = SmolStr::from(text(agent, settings.max_text));
            if text.as_bytes() != agent {
                return text;
            }
            self.agent = text;
        }
        self.agent.clone()
    }
}

/// Reads the head of a request, and tells its length. One whose end is not there is all of `bytes` where it was `cut`.
pub(crate) fn request(
    bytes: &[u8],
    cut: bool,
    role: Role,
    repeated: &mut Repeated,
    settings: &Settings,
) -> Option<(Box<Request>, usize)> {
    let (line, mut fields) = head::split(bytes);
    let mut noted = Noted::default();
    noted.request(&mut fields, settings);
    if fields.is_folded() {
        let (head, length) = head::unfold(bytes, cut)?;
        return request(&head, cut, role, repeated, settings).map(|(request, _)| (request, length));
    }
    let behind = fields.behind();
    if behind.is_none() && !cut {
        return None;
    }
    let request = Request::of(&Line::of(line), &mut noted, behind.is_none(), role, repeated, settings);
    Some((Box::new(request), bytes.len() - behind.map_or(0, <[u8]>::len)))
}

impl Request {
    /// From what is on the first line, in whatever form, and in the fields.
    pub(crate) fn of(
        line: &Line<'_>,
        noted: &mut Noted<'_>,
        cut: bool,
        role: Role,
        repeated: &mut Repeated,
        settings: &Settings,
    ) -> Self {
        let (method, original) = method(line.method, settings);
        let mut request = Self {
            verb: verb(line.method),
            method: if method == "_OTHER" { "HTTP".into() } else { method.clone() },
            target: Target::None,
            framing: request_framing(noted, cut),
            upgrade: noted.upgrade.is_some(),
            truncated: cut,
            tokens: Tokens::of(line.target, &noted.carrier),
            carrier: std::mem::take(&mut noted.carrier),
            attributes: Vec::with_capacity(attributes::USUAL),
            call: noted.content_type.and_then(grpc::coding),
            host: host(noted, line, role, repeated, settings),
            origin: None,
        };
        request.say("http.request.method", Value::Text(method));
        if let Some(original) = original {
            request.say("http.request.method_original", Value::Text(original));
        }
        request.locate(line, noted, role, settings);
        request.describe(line, noted, role, repeated, settings);
        request.attributes.append(&mut noted.captured);
        request
    }

    fn say(&mut self, name: &'static str, value: Value) {
        self.attributes.push((Cow::Borrowed(name), value));
    }

    /// Method and target, for naming the exchange.
    pub(crate) fn name(&mut self) -> (SmolStr, Target) {
        (std::mem::take(&mut self.method), std::mem::replace(&mut self.target, Target::None))
    }

    /// What kind of request it is.
    pub(crate) fn shape(&self) -> u64 {
        match &self.target {
            Target::Path(path) => shape::of_path(&self.method, path),
            _ => 0,
        }
    }

    /// `url.*` and the target.
    fn locate(&mut self, line: &Line<'_>, noted: &Noted<'_>, role: Role, settings: &Settings) {
        let path = SmolStr::from(text(line.path, settings.max_url));
        if line.path.starts_with(b"/") {
            self.target = Target::Path(path.clone());
        }
        if role == Role::Server {
            if self.verb != Verb::Connect && !line.path.is_empty() {
                self.say("url.path", Value::Text(path));
            }
            if let Some(query) = line.query {
                self.say("url.query", Value::Url(text(query, settings.max_url).into_owned()));
            }
            let proto = forwarded(noted, b"proto", noted.forwarded_proto);
            let scheme = match proto.or(line.scheme).unwrap_or(b"http") {
                b"http" => Value::fixed("http"),
                b"https" => Value::fixed("https"),
                other => Value::Text(text(&other.to_ascii_lowercase(), 16).into()),
            };
            self.say("url.scheme", scheme);
        } else if line.absolute {
            self.say("url.full", Value::Url(text(line.target, settings.max_url).into_owned()));
        } else if self.verb != Verb::Connect && !line.target.is_empty() {
            let secure = line.scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https"));
            let scheme = if secure { "https" } else { "http" };
            let origin = match line.query {
                None if line.target.len() == line.path.len() => path,
                _ => text(line.target, settings.max_url).into(),
            };
            self.origin = Some((scheme, origin));
        }
    }

    /// Everything that the URL does not tell.
    fn describe(
        &mut self,
        line: &Line<'_>,
        noted: &Noted<'_>,
        role: Role,
        repeated: &mut Repeated,
        settings: &Settings,
    ) {
        self.say("network.protocol.name", Value::fixed(line.protocol));
        if let Some(version) = line.version {
            self.say("network.protocol.version", Value::fixed(version));
        }
        if let Some(agent) = noted.user_agent {
            self.say("user_agent.original", Value::Text(repeated.agent(agent, settings)));
        }
        if role == Role::Server
            && let Some(client) = client(noted)
        {
            self.say("client.address", Value::Text(text(client, settings.max_text).into()));
        }
    }

    /// Host and port, where the request tells them.
    pub(crate) fn take_host(&mut self) -> Option<(SmolStr, Option<u16>)> {
        self.host.take()
    }

    /// `server.*` and a client's `url.full`: by the request, else by the socket.
    pub(crate) fn address(&mut self, role: Role, facts: &Facts) {
        let (host, port) = self.host.take().or_else(|| socket_host(role, facts)).unwrap_or_default();
        let mut default = 80;
        if let Some((scheme, origin)) = self.origin.take().filter(|_| !host.is_empty()) {
            default = if scheme == "https" { 443 } else { 80 };
            let path = if origin == "*" { "" } else { &origin };
            self.say("url.full", Value::Url(url(scheme, &host, port, path)));
        }
        if !host.is_empty() {
            self.say("server.address", Value::Text(host));
            // The default port of the scheme, which is what the URL means where it names none.
            let default = (facts.socket.transport == Transport::Tcp).then_some(default);
            if let Some(port) = port.or(default) {
                self.say("server.port", Value::Int(port.into()));
            }
        }
    }
}

fn url(scheme: &str, host: &str, port: Option<u16>, path: &str) -> String {
    let mut url = String::with_capacity(scheme.len() + host.len() + path.len() + "://[]:65535".len());
    url.push_str(scheme);
    url.push_str("://");
    if host.contains(':') {
        url.extend(["[", host, "]"]);
    } else {
        url.push_str(host);
    }
    if let Some(port) = port {
        url.push(':');
        url.push_str(&port.to_string());
    }
    url.push_str(path);
    url
}

fn socket_host(role: Role, facts: &Facts) -> Option<(SmolStr, Option<u16>)> {
    match if role == Role::Server { facts.socket.local } else { facts.socket.peer } {
        Address::Inet(address) => Some((address::text(address.ip()), Some(address.port()))),
        Address::Unix(_) | Address::Unknown => None,
    }
}

/// A request's first line, taken apart. Parts of a cut line are empty.
pub(crate) struct Line<'a> {
    method: &'a [u8],
    target: &'a [u8],
    /// Is the target a whole URL?
    absolute: bool,
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    path: &'a [u8],
    query: Option<&'a [u8]>,
    /// What carries it.
    protocol: &'static str,
    version: Option<&'static str>,
}

impl<'a> Line<'a> {
    fn of(line: &'a [u8]) -> Self {
        let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (method, rest) = line.split_at_checked(space).unwrap_or_default();
        let (target, rest) = cut_at(rest.get(1..).unwrap_or_default(), b' ');
        let (scheme, authority, origin) = origin(method, target);
        let (path, query) = cut_at(origin, b'?');
        let version = match rest {
            Some(b"HTTP/1.1") => Some("1.1"),
            Some(b"HTTP/1.0") => Some("1.0"),
            _ => None,
        };
        let absolute = scheme.is_some();
        Self { method, target, absolute, scheme, authority, path, query, protocol: "http", version }
    }

    /// From the pseudo-header fields of HTTP/2 (RFC 9113 section 8.3.1), which stand for a first line.
    pub(crate) fn of_pseudo(field: impl Fn(&[u8]) -> Option<&'a [u8]>) -> Self {
        let target = field(b":path").unwrap_or_default();
        let (path, query) = cut_at(target, b'?');
        Self {
            method: field(b":method").unwrap_or_default(),
            target,
            absolute: false,
            scheme: field(b":scheme"),
            authority: field(b":authority"),
            path,
            query,
            protocol: "http",
            version: Some("2"),
        }
    }

    /// From variables of the Common Gateway Interface (RFC 3875 section 4.1): the target as the client sent it (`uri`), else
    /// the script's path and the query.
    pub(crate) fn of_variables(
        protocol: &'static str,
        method: &'a [u8],
        uri: Option<&'a [u8]>,
        script: (&'a [u8], Option<&'a [u8]>),
        scheme: Option<&'a [u8]>,
    ) -> Self {
        let (path, query) = match uri {
            Some(uri) => cut_at(origin(method, uri).2, b'?'),
            None => script,
        };
        let (absolute, authority, version) = (false, None, None);
        Self {
            method,
            target: uri.unwrap_or(path),
            absolute,
            scheme,
            authority,
            path,
            query,
            protocol,
            version,
        }
    }
}

/// Scheme, authority and the rest of a target, in any of its four forms.
fn origin<'a>(method: &[u8], target: &'a [u8]) -> (Option<&'a [u8]>, Option<&'a [u8]>, &'a [u8]) {
    if method == b"CONNECT" {
        return (None, Some(target), &[]);
    }
    let Some(colon) = target.first().filter(|byte| **byte != b'/').and_then(|_| find(target, b"://")) else {
        return (None, None, target);
    };
    let rest = target.get(colon + 3..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or_default();
    let host = memchr::memrchr(b'@', authority).and_then(|at| authority.get(at + 1..)).unwrap_or(authority);
    (target.get(..colon), Some(host), if path.is_empty() { b"/" } else { path })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn cut_at(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, bytes) {
        Some(place) => (bytes.get(..place).unwrap_or_default(), bytes.get(place + 1..)),
        None => (bytes, None),
    }
}

/// `http.request.method`, and the original where it is not a known one (RFC 9110 and 5789).
fn method(method: &[u8], settings: &Settings) -> (SmolStr, Option<SmolStr>) {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
    match KNOWN.into_iter().find(|known| known.as_bytes() == method) {
        Some(known) => (SmolStr::new_static(known), None),
        None if method.is_empty() => (SmolStr::new_static("_OTHER"), None),
        None => (SmolStr::new_static("_OTHER"), Some(text(method, settings.max_text).into())),
    }
}

const fn verb(method: &[u8]) -> Verb {
    match method {
        b"HEAD" => Verb::Head,
        b"CONNECT" => Verb::Connect,
        _ => Verb::Other,
    }
}

/// `server.address`: a proxy's word first, where the program is a server behind one; then the target, then `Host`.
fn host(
    noted: &Noted<'_>,
    line: &Line<'_>,
    role: Role,
    repeated: &mut Repeated,
    settings: &Settings,
) -> Option<(SmolStr, Option<u16>)> {
    let proxied = (role == Role::Server).then(|| forwarded(noted, b"host", noted.forwarded_host)).flatten();
    let told = proxied.or(line.authority).or(noted.host).filter(|host| !host.is_empty())?;
    Some(repeated.host(told, settings))
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`
pub(crate) fn split_port(authority: &[u8]) -> (&[u8], Option<u16>) {
    if let Some(rest) = authority.strip_prefix(b"[") {
        let (host, rest) = cut_at(rest, b']');
        return (host, rest.and_then(|rest| port(rest.strip_prefix(b":")?)));
    }
    let colon = authority.iter().position(|byte| *byte == b':');
    let Some((host, rest)) = colon.and_then(|colon| authority.split_at_checked(colon)) else {
        return (authority, None);
    };
    let digits = rest.get(1..).unwrap_or_default();
    match port(digits) {
        None if digits.contains(&b':') => (authority, None),
        port => (host, port),
    }
}

/// A port's number.
pub(crate) fn port(digits: &[u8]) -> Option<u16> {
    decimal(digits)?.try_into().ok()
}

/// A parameter of `Forwarded` (RFC 7239, its first element), else the first element of the older `X-` field.
#[inline]
fn forwarded<'a>(noted: &Noted<'a>, name: &[u8], older: Text<'a>) -> Option<&'a [u8]> {
    if noted.forwarded.is_none() && older.is_none() {
        return None;
    }
    let parameter = noted.forwarded.and_then(|value| {
        let mut parameters = first_element(value).split(|byte| *byte == b';');
        parameters.find_map(|parameter| match cut_at(parameter.trim_ascii(), b'=') {
            (known, Some(value)) if known.eq_ignore_ascii_case(name) => Some(unquote(value)),
            _ => None,
        })
    });
    parameter.or_else(|| older.map(first_element)).filter(|value| !value.is_empty())
}

fn unquote(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// `client.address`, as proxies tell it.
fn client<'a>(noted: &Noted<'a>) -> Option<&'a [u8]> {
    let told = forwarded(noted, b"for", noted.forwarded_for).or(noted.real_ip)?;
    let (host, _) = split_port(told);
    (!host.is_empty()).then_some(host)
}

/// RFC 9112 section 6.3.
fn request_framing(noted: &Noted<'_>, cut: bool) -> Framing {
    match (cut, noted.coding, noted.declared) {
        (true, Coding::None, Declared::Length(length)) => Framing::Unknown(Some(length)),
        (true, ..) | (_, Coding::Other, _) | (_, Coding::None, Declared::Invalid) => Framing::Unknown(None),
        (_, Coding::Chunked, _) => Framing::Chunked,
        (_, _, Declared::Length(length)) if length > 0 => Framing::Length(length),
        _ => Framing::None,
    }
}

/// Reads the head of a response, and tells its length. One whose end is not there is all of `bytes` where it was `cut`.
pub(crate) fn response(bytes: &[u8], cut: bool, settings: &Settings) -> Option<(Response, usize)> {
    let (line, mut fields) = head::split(bytes);
    let mut noted = Noted::default();
    noted.response(&mut fields, settings);
    if fields.is_folded() {
        let (head, length) = head::unfold(bytes, cut)?;
        return response(&head, cut, settings).map(|(response, _)| (response, length));
    }
    let behind = fields.behind();
    if behind.is_none() && !cut {
        return None;
    }
    let response = Response::of(line.get(9..12), &mut noted, behind.is_none(), settings);
    Some((response, bytes.len() - behind.map_or(0, <[u8]>::len)))
}

impl Response {
    /// From the status, in three digits, and the fields.
    pub(crate) fn of(status: Option<&[u8]>, noted: &mut Noted<'_>, cut: bool, settings: &Settings) -> Self {
        let status = status.and_then(decimal).and_then(|status| status.try_into().ok());
        let mut told = grpc::Told::default();
        told.note(noted.grpc_status, noted.grpc_message, settings);
        let coding = noted.content_type.and_then(grpc::coding);
        Self {
            status: status.filter(|status| (100..1000).contains(status)),
            truncated: cut,
            upgrade: noted.upgrade.map(|token| text(first_element(token), settings.max_text).into_owned()),
            captured: std::mem::take(&mut noted.captured),
            call: coding.is_some() || told.status.is_some(),
            web: coding == Some(grpc::Coding::Web),
            told,
            deflate: noted.extensions.is_some_and(|list| find(list, b"permessage-deflate").is_some()),
            declared: noted.declared,
            coding: noted.coding,
        }
    }

    /// Does another response to the same request follow? 101 is final.
    pub(crate) const fn interim(&self) -> bool {
        matches!(self.status, Some(100 | 102..200))
    }

    /// Is this the protocol that the connection goes on in?
    pub(crate) fn goes_on_in(&self, token: &[u8]) -> bool {
        self.upgrade.as_ref().is_some_and(|named| named.as_bytes().eq_ignore_ascii_case(token))
    }

    /// Does the connection go on in another protocol?
    pub(crate) fn hands_over(&self, verb: Verb) -> bool {
        match self.status {
            Some(101) => true,
            Some(200..300) => verb == Verb::Connect,
            _ => false,
        }
    }

    /// `Content-Length`.
    pub(crate) const fn declared(&self) -> Option<u64> {
        match self.declared {
            Declared::Length(length) => Some(length),
            Declared::None | Declared::Invalid => None,
        }
    }

    /// RFC 9112 section 6.3.
    pub(crate) const fn framing(&self, verb: Verb) -> Framing {
        match (self.truncated, self.coding, self.declared) {
            (true, Coding::None, Declared::Length(length)) if self.has_body(verb) => {
                Framing::Unknown(Some(length))
            }
            (true, ..) => Framing::Unknown(None),
            _ if !self.has_body(verb) => Framing::None,
            (_, Coding::Chunked, _) => Framing::Chunked,
            (_, Coding::Other, _) | (_, _, Declared::None) => Framing::UntilEnd,
            (_, _, Declared::Length(0)) => Framing::None,
            (_, _, Declared::Length(length)) => Framing::Length(length),
            (_, _, Declared::Invalid) => Framing::Unknown(None),
        }
    }

    const fn has_body(&self, verb: Verb) -> bool {
        !matches!(verb, Verb::Head) && !matches!(self.status, None | Some(..200 | 204 | 304))
    }
}
