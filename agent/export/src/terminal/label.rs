//! What line and tree say about a span. Comes in: a span. Goes out: service, arrow, subject and outcome, escaped.

use std::borrow::Cow;

use super::escape::escaped;
use crate::span::{Role, Span, Status, Value};

/// The text is cut here, so that a hostile name cannot flood the terminal.
const LONGEST: usize = 200;

/// Which way the request goes, seen from the service.
pub(super) const fn arrow(role: Role) -> &'static str {
    match role {
        Role::Server => "←",
        Role::Client => "→",
        Role::Producer => "⇒",
        Role::Consumer => "⇐",
    }
}

/// The service, `?` where it has no name.
pub(super) fn service(span: &Span) -> Cow<'_, str> {
    match span.resource.service_name() {
        "" => "?".into(),
        name => escaped(name),
    }
}

/// The name; where it says no more than the method, also what was asked (a server) or who (a client).
pub(super) fn subject(span: &Span) -> String {
    let detail = match span.role {
        Role::Client | Role::Producer => peer(span),
        Role::Server | Role::Consumer if span.name.contains(' ') => None,
        Role::Server | Role::Consumer => text(span, "url.path"),
    };
    let subject = match detail {
        Some(detail) => format!("{} {detail}", span.name),
        None => span.name.to_string(),
    };
    cut(&escaped(&subject), LONGEST)
}

fn peer(span: &Span) -> Option<String> {
    let host = text(span, "server.address")?;
    let port = text(span, "server.port");
    Some(match port {
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

/// Status code or kind of failure; the second says whether it failed.
pub(super) fn outcome(span: &Span) -> (String, bool) {
    let code =
        ["http.response.status_code", "rpc.response.status_code", "db.response.status_code", "error.type"]
            .into_iter()
            .find_map(|name| text(span, name));
    match (&span.status, code) {
        (Status::Unset, code) => (cut(&escaped(code.as_deref().unwrap_or("ok")), 16), false),
        (Status::Error(_), Some(code)) => (cut(&escaped(&code), 16), true),
        (Status::Error(message), None) if message.is_empty() => ("error".into(), true),
        (Status::Error(message), None) => (cut(&escaped(message), 16), true),
    }
}

fn text(span: &Span, name: &str) -> Option<String> {
    match &*span.attributes.get(name)? {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(_) | Value::Bool(_) | Value::List(_) => None,
    }
}

/// At most so many characters, with a mark where some are missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_bare_method_is_not_enough() {
        let path = |span| sample::with(span, "url.path", Value::Text("/x\x1b".into()));
        let at = |address: &'static str| {
            let span = sample::with(sample::client(1, "GET"), "server.address", Value::Text(address.into()));
            subject(&sample::with(span, "server.port", Value::Int(80)).span)
        };
        assert_eq!(subject(&path(sample::server(1, "GET")).span), "GET /x\\u{1b}");
        assert_eq!(subject(&path(sample::server(1, "GET /{id}")).span), "GET /{id}");
        assert_eq!((at("h"), at("::1")), ("GET h:80".into(), "GET [::1]:80".into()));
        assert_eq!(subject(&sample::client(1, "GET").span), "GET");
    }

    #[test]
    fn outcomes() {
        let mut span = sample::server(1, "GET /").span;
        assert_eq!(outcome(&span), ("ok".into(), false));
        span.status = Status::Error(String::new());
        assert_eq!(outcome(&span), ("error".into(), true));
        span.status = Status::Error("connection reset by peer".into());
        assert_eq!(outcome(&span), ("connection rese…".into(), true));
        span.attributes.push("http.response.status_code", Value::Int(502));
        assert_eq!(outcome(&span), ("502".into(), true));
    }
}
