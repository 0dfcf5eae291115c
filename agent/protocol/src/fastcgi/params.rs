//! Parameters (FastCGI Specification 1.0, section 3.4; RFC 3875 section 4.1 for their names). Comes in: name-value pairs.
//! Goes out: the request that they tell of, as a request of HTTP. Refuses: a pair of which a part is missing.

use crate::{
    cursor::Cursor,
    exchange::{Role, Value},
    facts::Facts,
    http::{
        fields::{self, Field, Noted},
        message::{Line, Repeated, Request, port, split_port},
    },
    settings::Settings,
};

/// What `network.protocol.name` says.
const PROTOCOL: &str = "fastcgi";

/// Name-value pairs.
#[derive(Clone)]
struct Pairs<'a>(Cursor<'a>);

impl<'a> Pairs<'a> {
    /// Both lengths come first, each in one byte, or in four with the first bit set.
    fn length(&mut self) -> Option<usize> {
        let first = self.0.peek()?;
        let length = if first < 0x80 { self.0.u8()?.into() } else { self.0.u32_be()? & (u32::MAX >> 1) };
        usize::try_from(length).ok()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = (self.length()?, self.length()?);
        Some((self.0.take(name)?, self.0.take(value)?))
    }
}

/// The parameters that are no headers.
#[derive(Default)]
struct Meta<'a> {
    method: &'a [u8],
    uri: Option<&'a [u8]>,
    script: &'a [u8],
    query: Option<&'a [u8]>,
    scheme: Option<&'a [u8]>,
    client: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    port: Option<u16>,
}

impl<'a> Meta<'a> {
    /// With the names of the headers among the parameters, one behind the other.
    fn of(pairs: Pairs<'a>) -> (Self, Vec<u8>) {
        let (mut meta, mut names) = (Self::default(), Vec::with_capacity(pairs.0.rest().len()));
        for (name, value) in pairs {
            match header(name) {
                Some(header) => names.extend(header.iter().map(dashed)),
                // A web server leaves a parameter empty where there is nothing to tell.
                None if value.is_empty() => {}
                None => meta.note(name, value),
            }
        }
        (meta, names)
    }

    fn note(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"REQUEST_METHOD" => self.method = value,
            b"REQUEST_URI" => self.uri = Some(value),
            b"SCRIPT_NAME" => self.script = value,
            b"QUERY_STRING" => self.query = Some(value),
            b"REQUEST_SCHEME" => self.scheme = Some(value),
            b"HTTPS" if !value.eq_ignore_ascii_case(b"off") => {
                self.scheme.get_or_insert(b"https");
            }
            b"REMOTE_ADDR" => self.client = Some(value),
            // nginx's name for a server that has none.
            b"SERVER_NAME" if value != b"_" => self.host = Some(value),
            b"SERVER_PORT" => self.port = port(value),
            _ => {}
        }
    }
}

/// The header that a parameter stands for (RFC 3875 sections 4.1.2, 4.1.3 and 4.1.18), still with its underscores.
fn header(name: &[u8]) -> Option<&[u8]> {
    match name {
        b"CONTENT_TYPE" | b"CONTENT_LENGTH" => Some(name),
        _ => name.strip_prefix(b"HTTP_"),
    }
}

/// The headers among the parameters, by their names; `names` are those, one behind the other.
fn headers<'a>(pairs: Pairs<'a>, names: &'a [u8]) -> impl Iterator<Item = Field<'a>> {
    let mut names = Cursor::new(names);
    pairs.filter_map(move |(name, value)| {
        let name = names.take(header(name)?.len())?;
        (!value.is_empty()).then_some((name, value))
    })
}

/// Underscores stand for what may not be in the name of a variable.
const fn dashed(byte: &u8) -> u8 {
    if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// The request that the parameters tell of. `cut`: some are missing. They name no URL: both ends tell its parts.
pub(super) fn request(params: &[u8], cut: bool, role: Role, facts: &Facts, settings: &Settings) -> Request {
    let pairs = Pairs(Cursor::new(params));
    let (meta, names) = Meta::of(pairs.clone());
    let mut noted = Noted::default();
    noted.request(&mut headers(pairs, &names), settings);
    if let Some(client) = meta.client {
        noted.real_ip.get_or_insert(client);
    }
    let line = Line::of_variables(PROTOCOL, meta.method, meta.uri, (meta.script, meta.query), meta.scheme);
    let mut request = Request::of(&line, &mut noted, cut, Role::Server, &mut Repeated::default(), settings);
    match role {
        Role::Server => serve(&mut request, &meta, facts, settings),
        _ => request.attributes.retain(|(name, _)| name != "client.address"),
    }
    request
}

/// `server.*`, as the client of the web server named it.
fn serve(request: &mut Request, meta: &Meta<'_>, facts: &Facts, settings: &Settings) {
    let named = |name: &[u8]| (fields::text(split_port(name).0, settings.max_text).into(), None);
    let Some((host, port)) = request.take_host().or_else(|| meta.host.map(named)) else {
        return crate::attributes::server(Role::Server, facts, &mut request.attributes);
    };
    request.attributes.push(("server.address".into(), Value::Text(host)));
    let port = port.or(meta.port).map(|port| ("server.port".into(), Value::Int(port.into())));
    request.attributes.extend(port);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
        Pairs(Cursor::new(bytes)).collect()
    }

    #[test]
    fn lengths_have_one_byte_or_four() {
        let long = [&b"\x01\x80\0\0\xc8a"[..], &[b'x'; 200]].concat();
        assert_eq!(pairs(&long), [(&b"a"[..], &[b'x'; 200][..])]);
        assert_eq!(pairs(b"\x01\x02abc\x01\0d"), [(&b"a"[..], &b"bc"[..]), (b"d", b"")]);
    }

    #[test]
    fn half_a_pair_is_none() {
        assert_eq!(pairs(b"\x01\x02abc\x01\x02de"), [(&b"a"[..], &b"bc"[..])]);
        assert!(pairs(b"\xff\xff\xff\xff\xff\xff\xff\xffa").is_empty());
        assert!(pairs(b"\x81").is_empty());
    }

    #[test]
    fn headers_get_their_names_back() {
        let bytes = b"\x0f\x01HTTP_USER_AGENTa\x06\x01SERVERb\x0c\x01CONTENT_TYPEc\x0b\0HTTP_ACCEPT";
        let pairs = Pairs(Cursor::new(bytes));
        let (_, names) = Meta::of(pairs.clone());
        let found: Vec<_> = headers(pairs, &names).map(|(name, value)| (name, value.to_vec())).collect();
        assert_eq!(found, [(&b"user-agent"[..], b"a".to_vec()), (b"content-type", b"c".to_vec())]);
    }
}
