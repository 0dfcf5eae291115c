//! Where OTLP goes and within which bounds. Comes in: what the user said, by configuration or by the standard
//! environment. Goes out: a checked [`Destination`]. Refuses: an endpoint that leaves open whether to encrypt.

use std::{fmt, path::PathBuf, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri::PathAndQuery};

use super::transport::Transport;

/// What is wrong with the settings, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The endpoint does not say whether to encrypt.
    #[error("OTLP endpoint `{0}` has no scheme: write `http://{0}` for plain text or `https://{0}` for TLS")]
    Scheme(String),
    /// The endpoint is no URL of the right form. It is not repeated: it may hold a password.
    #[error("OTLP endpoint is not a URL ({0}): write it like `http://localhost:4318` or `https://host:4317`")]
    Url(String),
    /// A variable has a value that does not fit.
    #[error("environment variable {name}: `{value}` is not valid; use {expected}")]
    Variable {
        /// Which.
        name: String,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// A list of headers cannot be read. Its text is not repeated: it may hold a token.
    #[error(
        "environment variable {name}: entry {entry} is not valid; write `key=value,key=value`, values percent-encoded"
    )]
    HeaderList {
        /// Which variable.
        name: String,
        /// Which entry, from 1.
        entry: usize,
    },
    /// A header cannot be sent. Its value is not repeated: it may hold a token.
    #[error(
        "OTLP header `{0}` cannot be sent: names are letters, digits and dashes, values visible characters"
    )]
    Header(String),
    /// A client certificate without its key or the other way round.
    #[error("OTLP client certificate and client key go together: name both files or neither")]
    Pair,
    /// A certificate or key file cannot be used.
    #[error("OTLP TLS: cannot use `{path}`: {reason}; it must be a readable PEM file with {expected}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What should be in it.
        expected: &'static str,
    },
    /// No certificate authority to trust.
    #[error("OTLP TLS: this host has no CA certificates ({0}): install `ca-certificates` or name a CA file")]
    NoRoots(String),
}

/// An endpoint as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// URL of a receiver. For HTTP `v1/traces` is appended, unless it already ends so.
    Base(String),
    /// URL of a receiver's traces, taken as it is.
    Traces(String),
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC, usually on port 4317.
    Grpc,
    /// Protobuf over HTTP/1.1, usually on port 4318.
    HttpProtobuf,
}

/// How request bodies are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: costs this host no CPU time; the standard's default.
    #[default]
    None,
    /// With gzip (about a tenth of the bytes).
    Gzip,
}

/// Headers to send along, often with a token in them: `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (name, "…"))).finish()
    }
}

impl Headers {
    /// Checks them and marks their values as secret.
    pub(super) fn checked(&self) -> Result<HeaderMap, SettingsError> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.0 {
            let wrong = || SettingsError::Header(name.clone());
            let checked_name = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
            let mut checked = HeaderValue::try_from(value.as_str()).map_err(|_| wrong())?;
            checked.set_sensitive(true);
            map.append(checked_name, checked);
        }
        Ok(map)
    }
}

/// PEM files for `https`; not looked at for `http`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities to trust *instead of* the host's.
    pub ca: Option<PathBuf>,
    /// Certificate chain to show to the server; needs `client_key`.
    pub client_certificate: Option<PathBuf>,
    /// Private key of the client certificate.
    pub client_key: Option<PathBuf>,
}

/// Every bound of the exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Spans of one request at most; also: so many waiting spans start one.
    pub batch_spans: usize,
    /// Estimated bytes of one request at most. gRPC servers take 4 MiB by default.
    pub batch_bytes: usize,
    /// How long a span waits for company.
    pub batch_delay: Duration,
    /// Spans that wait at most; beyond it the oldest traces are dropped and counted.
    pub queue_spans: usize,
    /// Estimated bytes that wait at most; beyond it the oldest traces are dropped and counted.
    pub queue_bytes: usize,
    /// Requests under way at the same time, at least 1. Each holds one batch besides the queue.
    pub requests: usize,
    /// First pause before a retry; doubles from try to try.
    pub retry_first: Duration,
    /// Longest pause before a retry that the server did not ask for.
    pub retry_longest: Duration,
    /// How long one request is retried. Long, because the queue already bounds what a dead endpoint can cost, but
    /// not for ever: one batch that a proxy never lets through must not hold its place.
    pub give_up: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_spans: 2048,
            batch_bytes: 3 << 20,
            batch_delay: Duration::from_secs(1),
            queue_spans: 65_536,
            queue_bytes: 64 << 20,
            requests: 4,
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(30),
            give_up: Duration::from_secs(3600),
        }
    }
}

/// Everything the exporter has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to; none is the standard's default on this host, by protocol.
    pub endpoint: Option<Endpoint>,
    /// How; none goes by the endpoint's port: 4317 is gRPC's, all else is HTTP, the standard's default.
    pub protocol: Option<Protocol>,
    /// Headers to send along.
    pub headers: Headers,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
    /// How bodies are compressed.
    pub compression: Compression,
    /// Files for `https`.
    pub tls: Tls,
    /// Bounds.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: None,
            headers: Headers::default(),
            timeout: Duration::from_secs(10),
            compression: Compression::None,
            tls: Tls::default(),
            limits: Limits::default(),
        }
    }
}

/// Where requests really go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// `http` or `https` URL; for HTTP of the traces, for gRPC of the server.
    pub url: Uri,
    /// How OTLP is spoken there.
    pub protocol: Protocol,
}

impl Destination {
    /// Is the connection encrypted?
    #[must_use]
    pub fn encrypted(&self) -> bool {
        self.url.scheme() == Some(&http::uri::Scheme::HTTPS)
    }
}

impl Settings {
    /// Settings for a receiver at `endpoint`, as `--otlp` takes it.
    #[must_use]
    pub fn to(endpoint: &str) -> Self {
        Self { endpoint: Some(Endpoint::Base(endpoint.into())), ..Self::default() }
    }

    /// Resolves endpoint and protocol.
    ///
    /// # Errors
    /// When the endpoint is not an `http` or `https` URL, or holds a user name or password.
    pub fn destination(&self) -> Result<Destination, SettingsError> {
        let Some(endpoint) = &self.endpoint else { return Ok(self.local()) };
        let (Endpoint::Base(text) | Endpoint::Traces(text)) = endpoint;
        let url = parse(text)?;
        let by_port = if url.port_u16() == Some(4317) { Protocol::Grpc } else { Protocol::HttpProtobuf };
        let protocol = self.protocol.unwrap_or(by_port);
        let complete = protocol == Protocol::Grpc || matches!(endpoint, Endpoint::Traces(_));
        Ok(Destination { url: if complete { url } else { with_traces_path(url)? }, protocol })
    }

    /// Could an exporter be started with these? Certificates are read; the endpoint is not asked.
    ///
    /// # Errors
    /// When the settings cannot work; the error says what to change.
    pub fn check(&self) -> Result<(), SettingsError> {
        Transport::new(self).map(drop)
    }

    fn local(&self) -> Destination {
        let protocol = self.protocol.unwrap_or(Protocol::HttpProtobuf);
        let url = match protocol {
            Protocol::Grpc => Uri::from_static("http://localhost:4317"),
            Protocol::HttpProtobuf => Uri::from_static("http://localhost:4318/v1/traces"),
        };
        Destination { url, protocol }
    }
}

fn parse(text: &str) -> Result<Uri, SettingsError> {
    let wrong = |reason: &str| SettingsError::Url(reason.into());
    if !text.contains("://") && !text.contains('@') {
        return Err(SettingsError::Scheme(text.into()));
    }
    let url: Uri = text.trim().parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(wrong("its scheme is neither http nor https"));
    }
    let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if authority.contains('@') {
        return Err(wrong("it holds a user name or password; send them as the header `authorization`"));
    }
    if authority.len() > url.host().unwrap_or_default().len() && url.port_u16().is_none() {
        return Err(wrong("its port is no number from 0 to 65535"));
    }
    Ok(url)
}

fn with_traces_path(url: Uri) -> Result<Uri, SettingsError> {
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/v1/traces") { path.to_owned() } else { format!("{path}/v1/traces") };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = url.into_parts();
    let wrong = |error: &dyn fmt::Display| SettingsError::Url(error.to_string());
    parts.path_and_query = Some(PathAndQuery::try_from(path + &query).map_err(|error| wrong(&error))?);
    Uri::from_parts(parts).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(endpoint: Endpoint, protocol: Option<Protocol>) -> String {
        match (Settings { endpoint: Some(endpoint), protocol, ..Settings::default() }).destination() {
            Ok(destination) => format!("{:?} {}", destination.protocol, destination.url),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn endpoints() {
        use Protocol::{Grpc, HttpProtobuf};
        for (endpoint, protocol, expected) in [
            ("http://h:4317", None, "Grpc http://h:4317/"),
            ("http://h:4318", None, "HttpProtobuf http://h:4318/v1/traces"),
            ("https://h", None, "HttpProtobuf https://h/v1/traces"),
            ("https://h/otlp/", None, "HttpProtobuf https://h/otlp/v1/traces"),
            ("https://h/otlp?k=1", None, "HttpProtobuf https://h/otlp/v1/traces?k=1"),
            ("http://h:4318/v1/traces", None, "HttpProtobuf http://h:4318/v1/traces"),
            ("http://h:4317", Some(HttpProtobuf), "HttpProtobuf http://h:4317/v1/traces"),
            ("https://h:443", Some(Grpc), "Grpc https://h:443/"),
            ("http://[::1]:4317", None, "Grpc http://[::1]:4317/"),
        ] {
            assert_eq!(resolved(Endpoint::Base(endpoint.into()), protocol), expected);
        }
        let as_is = Endpoint::Traces("http://h:9/my/path".into());
        assert_eq!(resolved(as_is, None), "HttpProtobuf http://h:9/my/path");
    }

    #[test]
    fn without_an_endpoint_this_host() {
        let grpc = Settings { protocol: Some(Protocol::Grpc), ..Settings::default() };
        assert_eq!(grpc.destination().unwrap().url, "http://localhost:4317");
        assert_eq!(Settings::default().destination().unwrap().url, "http://localhost:4318/v1/traces");
    }

    #[test]
    fn wrong_endpoints_say_what_to_write_and_keep_passwords() {
        let scheme = resolved(Endpoint::Base("collector:4317".into()), None);
        assert!(scheme.contains("write `http://collector:4317` for plain text or `https://collector:4317`"));
        assert!(resolved(Endpoint::Base("ftp://h".into()), None).contains("neither http nor https"));
        assert!(resolved(Endpoint::Base("http://a b".into()), None).contains("not a URL"));
        for port in ["http://h:99999", "http://h:", "http://[::1]:x"] {
            let wrong = resolved(Endpoint::Base(port.into()), None);
            assert!(wrong.contains("its port is") || wrong.contains("not a URL"), "{port}: {wrong}");
        }
        let secret = resolved(Endpoint::Base("https://user:hunter2@h".into()), None);
        assert!(secret.contains("authorization") && !secret.contains("hunter2"), "{secret}");
    }

    #[test]
    fn header_values_are_not_shown() {
        let headers = Headers(vec![("api-key".into(), "hunter2".into())]);
        assert_eq!(format!("{headers:?}"), "{\"api-key\": \"…\"}");
        assert!(headers.checked().unwrap()["api-key"].is_sensitive());
        let wrong = Headers(vec![("api-key".into(), "hunter2\n".into())]).checked().unwrap_err().to_string();
        assert!(wrong.contains("api-key") && !wrong.contains("hunter2"));
    }
}
