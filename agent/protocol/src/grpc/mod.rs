//! gRPC and gRPC-Web upon HTTP. Comes in: the path, content type and trailers of an exchange, and its body as it passes.
//! Goes out: the call's name, status and message counts, by OpenTelemetry's semantic conventions for RPC (the release
//! candidate that followed 1.37: `rpc.system.name`, `rpc.method`, `rpc.response.status_code`). Refuses: to look into
//! messages; their lengths lead from one to the next.

mod messages;
mod status;

use std::borrow::Cow;

use smol_str::SmolStr;

use crate::{
    cursor::Cursor,
    exchange::{Outcome, Role, Value},
    http::fields::text,
    settings::Settings,
};

pub(crate) use messages::Messages;
use messages::TRAILERS;
pub(crate) use status::Status;

/// How a body that carries calls is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Messages behind their lengths.
    Binary,
    /// The same, with trailers behind them (`application/grpc-web`).
    Web,
    /// That in base64 (`application/grpc-web-text`): not counted.
    Text,
}

/// Does this content type stand for gRPC (gRPC over HTTP2, section requests; gRPC-Web, section content-type)?
pub(crate) fn coding(content_type: &[u8]) -> Option<Coding> {
    let rest = strip(content_type, b"application/grpc")?;
    let web = strip(rest, b"-web");
    let text = web.and_then(|rest| strip(rest, b"-text"));
    let (coding, end) = match (text, web) {
        (Some(end), _) => (Coding::Text, end),
        (None, Some(end)) => (Coding::Web, end),
        (None, None) => (Coding::Binary, rest),
    };
    matches!(end.first(), None | Some(b'+' | b';' | b' ')).then_some(coding)
}

fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (front, rest) = text.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A call: what an HTTP exchange with such a content type means.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// Of the request; `None` where they are not counted.
    pub(crate) asked: Option<Messages>,
    /// Of the response; `None` where they are not counted.
    pub(crate) answered: Option<Messages>,
    /// How it went.
    pub(crate) told: Told,
}

/// What the trailers tell, or a head that is trailers too.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// `grpc-status`.
    pub(crate) status: Option<Status>,
    /// `grpc-message`, decoded.
    message: Option<String>,
}

impl Told {
    /// Notes `grpc-status` and `grpc-message`.
    #[inline]
    pub(crate) fn note(&mut self, status: Option<&[u8]>, message: Option<&[u8]>, settings: &Settings) {
        if status.is_some() || message.is_some() {
            self.read(status, message, settings);
        }
    }

    fn read(&mut self, status: Option<&[u8]>, message: Option<&[u8]>, settings: &Settings) {
        self.status = status.and_then(Status::read).or(self.status);
        let message = message.filter(|message| !message.is_empty());
        self.message = message.map(|text| status::decoded(text, settings.max_text)).or(self.message.take());
    }

    /// Reads the trailers that end a gRPC-Web body: lines of a head.
    pub(crate) fn note_web(&mut self, lines: &[u8], settings: &Settings) {
        let field = |name: &[u8]| {
            let mut lines = lines.split(|byte| *byte == b'\n');
            lines.find_map(|line| Some(strip(line, name)?.strip_prefix(b":")?.trim_ascii()))
        };
        self.note(field(b"grpc-status"), field(b"grpc-message"), settings);
    }

    /// Does the server have no such method? Then the client may have named it as it liked, and the name is none for a span
    /// (semantic conventions, note on `rpc.method`).
    pub(crate) fn is_unknown_method(&self, role: Role) -> bool {
        role == Role::Server && self.status == Some(Status::UNIMPLEMENTED)
    }

    /// How it went, where the status tells.
    pub(crate) fn outcome(&self, role: Role) -> Option<Outcome> {
        let status = self.status?;
        Some(match status.is_error(role) {
            true => Outcome::Error(status.name(), self.message.clone()),
            false => Outcome::Unset,
        })
    }
}

impl Call {
    /// The call's own attributes.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (Cow<'static, str>, Value)> {
        let count = |name: &'static str, messages: Option<&Messages>| {
            let number = messages.and_then(Messages::number)?;
            Some((name.into(), Value::Int(number.try_into().unwrap_or(i64::MAX))))
        };
        let status = self.told.status;
        let status = status.map(|status| ("rpc.response.status_code".into(), Value::Text(status.name())));
        let asked = count("wirespan.grpc.request.messages", self.asked.as_ref());
        let answered = count("wirespan.grpc.response.messages", self.answered.as_ref());
        status.into_iter().chain(asked).chain(answered)
    }
}

/// The trailers that a gRPC-Web body ends with: a flag, their length, and their lines.
pub(crate) fn web_trailers(body: &[u8]) -> Option<&[u8]> {
    memchr::memchr_iter(TRAILERS, body).find_map(|place| {
        let mut cursor = Cursor::new(body.get(place + 1..)?);
        let length = cursor.u32_be()?;
        (cursor.rest().len() as u64 == u64::from(length)).then(|| cursor.rest())
    })
}

/// `rpc.method`, which is also the span's name: `package.Service/Method`, the request's path without its slash.
pub(crate) fn method(path: &[u8], settings: &Settings) -> Option<SmolStr> {
    let path = path.strip_prefix(b"/")?;
    let slash = memchr::memrchr(b'/', path)?;
    (slash > 0 && slash + 1 < path.len()).then(|| text(path, settings.max_text).into())
}

/// Does this attribute of an HTTP exchange also belong to a call's span? Captured headers are the call's metadata.
pub(crate) fn adopt(name: &mut Cow<'static, str>) -> bool {
    for (http, rpc) in [
        ("http.request.header.", "rpc.request.metadata."),
        ("http.response.header.", "rpc.response.metadata."),
    ] {
        if let Some(key) = name.strip_prefix(http) {
            *name = [rpc, key].concat().into();
            return true;
        }
    }
    !name.starts_with("http.") && !name.starts_with("url.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for binary in ["application/grpc", "Application/gRPC+proto", "application/grpc;x=y"] {
            assert_eq!(coding(binary.as_bytes()), Some(Coding::Binary), "{binary}");
        }
        assert_eq!(coding(b"application/grpc-web+proto"), Some(Coding::Web));
        assert_eq!(coding(b"application/grpc-web-text"), Some(Coding::Text));
        for other in ["application/grpcx", "application/json", "application/grpc-webber", ""] {
            assert_eq!(coding(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn methods() {
        let method = |path: &str| method(path.as_bytes(), &Settings::default());
        assert_eq!(method("/shop.Orders/Place").as_deref(), Some("shop.Orders/Place"));
        assert_eq!(method("/prefix/shop.Orders/Place").as_deref(), Some("prefix/shop.Orders/Place"));
        assert_eq!((method("/"), method("/Place"), method("/a/"), method("*")), (None, None, None, None));
    }

    #[test]
    fn trailers_end_a_body_of_grpc_web() {
        let body = b"\0\0\0\0\x01\x80\x80\0\0\0\x04a:b\n";
        assert_eq!(web_trailers(body), Some(&b"a:b\n"[..]));
        for length in 0..body.len() {
            assert_eq!(web_trailers(body.get(..length).unwrap()), None, "{length}");
        }
    }

    #[test]
    fn trailers_of_grpc_web() {
        let mut told = Told::default();
        told.note_web(b"Grpc-Status: 5\r\ngrpc-message:no%20such\r\n", &Settings::default());
        assert_eq!(
            told.outcome(Role::Client),
            Some(Outcome::Error("NOT_FOUND".into(), Some("no such".into())))
        );
        assert_eq!(told.outcome(Role::Server), Some(Outcome::Unset));
    }
}
