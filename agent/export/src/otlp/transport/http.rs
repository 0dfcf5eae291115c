//! OTLP/HTTP with protobuf bodies. Comes in: an encoded request. Goes out: a POST; its answer, told apart as the
//! OTLP specification ("OTLP/HTTP response", "Failures", "OTLP/HTTP throttling") has it.

use std::{
    io::{self, Write},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::{
    Accepted, Failure, accepted,
    client::{HyperClient, client, describe, headers},
};
use crate::otlp::settings::{Compression, Destination, Settings, SettingsError};

/// An answer is a few bytes; more than this is not read.
const LONGEST_ANSWER: usize = 64 << 10;

/// The client of one endpoint.
#[derive(Clone, Debug)]
pub(in crate::otlp) struct Http {
    client: HyperClient<Full<Bytes>>,
    headers: HeaderMap,
    destination: Destination,
    compression: Compression,
}

impl Http {
    pub(super) fn new(destination: Destination, settings: &Settings) -> Result<Self, SettingsError> {
        let mut headers = headers(settings)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if settings.compression == Compression::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let client = client(&destination, settings)?;
        Ok(Self { client, headers, destination, compression: settings.compression })
    }

    pub(super) fn body(&self, request: Vec<u8>) -> Bytes {
        match self.compression {
            Compression::None => request.into(),
            Compression::Gzip => gzip(&request).expect("writing to memory does not fail").into(),
        }
    }

    pub(super) async fn send(&self, body: Bytes) -> Result<Accepted, Failure> {
        let mut request = Request::post(self.destination.url.clone())
            .body(Full::new(body))
            .expect("the URL was checked with the settings");
        *request.headers_mut() = self.headers.clone();
        let response = self.client.request(request).await;
        let response = response.map_err(|error| transient(describe(&error, &self.destination)))?;
        let (head, body) = response.into_parts();
        // A refusal counts even when its words get lost.
        let words = read(body).await;
        if head.status.is_success() {
            return success(&words.map_err(transient)?);
        }
        Err(self.failure(head.status, &head.headers, &words.unwrap_or_default()))
    }

    fn failure(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        let message = format!("{} answered {status}{}", self.destination.url, words(headers, body));
        match status.as_u16() {
            429 | 502 | 503 | 504 => {
                Failure::Transient { after: retry_after(headers, SystemTime::now()), message }
            }
            _ => Failure::Permanent(message),
        }
    }
}

fn transient(message: String) -> Failure {
    Failure::Transient { after: None, message }
}

/// Level 1: spans repeat their attribute names, so that even the fastest level leaves about a tenth.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Level::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

async fn read(body: Incoming) -> Result<Bytes, String> {
    let body = Limited::new(body, LONGEST_ANSWER).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| format!("the answer broke off: {error}"))
}

/// An answer of success that is no protobuf (some gateways say `{}` or `ok`) is still a success.
fn success(body: &[u8]) -> Result<Accepted, Failure> {
    Ok(accepted(ExportTraceServiceResponse::decode(body).unwrap_or_default()))
}

/// What the server says about a failure: a `google.rpc.Status` by the specification, often plain text.
fn words(headers: &HeaderMap, body: &[u8]) -> String {
    // Go's server says without a type that TLS is expected.
    let kind = headers.get(CONTENT_TYPE).map_or("text/plain", |kind| kind.to_str().unwrap_or_default());
    let text = if kind.contains("protobuf") {
        tonic_types::pb::Status::decode(body).map(|status| status.message).unwrap_or_default()
    } else if kind.contains("text/plain") || kind.contains("json") {
        String::from_utf8_lossy(body).trim().to_owned()
    } else {
        String::new()
    };
    if text.is_empty() { text } else { format!(": {text}") }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        // 1994-11-15 08:12:21 UTC, RFC 9110's own example less ten seconds.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_141);
        for (value, expected) in [
            ("120", Some(120)),
            ("Tue, 15 Nov 1994 08:12:31 GMT", Some(10)),
            ("Tue, 15 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
        ] {
            assert_eq!(
                retry_after(&header(RETRY_AFTER, value), now),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn a_server_s_words() {
        let status = tonic_types::pb::Status { code: 3, message: "bad span".into(), details: vec![] };
        let protobuf = header(CONTENT_TYPE, "application/x-protobuf");
        assert_eq!(words(&protobuf, &status.encode_to_vec()), ": bad span");
        assert_eq!(words(&header(CONTENT_TYPE, "text/plain; charset=utf-8"), b"no token\n"), ": no token");
        assert_eq!(words(&HeaderMap::new(), b"speak TLS"), ": speak TLS");
        assert_eq!(words(&header(CONTENT_TYPE, "text/html"), b"<html>"), "");
    }

    #[test]
    fn success_in_other_words_is_success() {
        assert_eq!(success(b"{}"), Ok(Accepted { rejected: 0, message: String::new() }));
    }
}
