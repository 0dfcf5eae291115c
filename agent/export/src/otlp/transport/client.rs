//! The HTTP client under both protocols: hyper with rustls. It is what tonic's own channel is made of, so that the
//! two share one TLS set-up and nothing is built twice. Comes in: requests. Goes out: responses, or an error in
//! words.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::USER_AGENT};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{chain, tls};
use crate::{
    convention::VERSION,
    otlp::settings::{Destination, Protocol, Settings, SettingsError},
};

/// Connections are kept between requests; those to a server that went away without a word are found by pings.
const PING_EVERY: Duration = Duration::from_secs(20);

pub(super) type HyperClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// A client for `destination`; requests with bodies `B`.
pub(super) fn client<B>(
    destination: &Destination,
    settings: &Settings,
) -> Result<HyperClient<B>, SettingsError>
where
    B: http_body_util::BodyExt + Send + 'static,
    B::Data: Send,
{
    let grpc = destination.protocol == Protocol::Grpc;
    let mut builder = Client::builder(TokioExecutor::new());
    builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
    if grpc {
        builder
            .http2_only(true)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(settings.timeout);
    }
    Ok(builder.build(connector(destination, settings)?))
}

fn connector(
    destination: &Destination,
    settings: &Settings,
) -> Result<HttpsConnector<HttpConnector>, SettingsError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(settings.timeout));
    let roots = if destination.encrypted() { tls::config(&settings.tls)? } else { tls::unused() };
    let builder = HttpsConnectorBuilder::new().with_tls_config(roots).https_or_http();
    Ok(match destination.protocol {
        Protocol::Grpc => builder.enable_http2().wrap_connector(tcp),
        Protocol::HttpProtobuf => builder.enable_http1().wrap_connector(tcp),
    })
}

/// The user's headers and our name.
pub(super) fn headers(settings: &Settings) -> Result<HeaderMap, SettingsError> {
    let mut headers = settings.headers.checked()?;
    let name = HeaderValue::try_from(format!("wirespan/{VERSION}"));
    let name = name.expect("the package's version is visible ASCII");
    headers.entry(USER_AGENT).or_insert(name);
    Ok(headers)
}

/// What went wrong on the way to the server, and what may be the matter.
pub(super) fn describe(error: &Error, destination: &Destination) -> String {
    let Destination { url, protocol } = destination;
    let (spoken, other) = match protocol {
        Protocol::Grpc => ("gRPC", "http/protobuf"),
        Protocol::HttpProtobuf => ("HTTP/1.1", "grpc"),
    };
    let cause = chain(error);
    let host = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if error.is_connect() {
        format!("cannot connect to {host}: {cause}")
    } else {
        // A server that misses a client certificate often just closes the connection.
        let tls = if destination.encrypted() {
            "it wants a client certificate, name one"
        } else {
            "it speaks TLS, write https"
        };
        format!(
            "no answer from {host} in {spoken}: {cause} (if it speaks {other}, set that protocol; if {tls})"
        )
    }
}
