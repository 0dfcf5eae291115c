//! A question to a collector in, its answer out: HTTP/1.0, in clear or inside TLS.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value as Json;

use super::tls;
use crate::{command::collecting, config::Config};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the longest answer that is read.
const LONGEST: u64 = 1 << 30;

/// The token of the configuration, or the one that the collector keeps beside its spans.
fn token(config: &Config) -> Option<String> {
    config.collector.token.clone().or_else(|| {
        let directory = collecting::directory(config)?;
        Some(fs::read_to_string(directory.join("token")).ok()?.trim().to_owned())
    })
}

/// HTTP/1.0: one question, and the answer ends with the connection.
///
/// # Errors
/// There is no collector, or it does not answer the question.
pub(super) fn ask(config: &Config, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Json> {
    let mut stream = send(config, method, path, body)?;
    let answer = gather(&mut stream)?;
    let (status, body) = parts(&answer).context("the collector's answer is not HTTP")?;
    accept(status, body)
}

/// A connection to the collector.
pub(super) trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

/// Asks; the answer is still to be read.
pub(super) fn send(
    config: &Config,
    method: &str,
    path: &str,
    body: &[u8],
) -> anyhow::Result<Box<dyn Connection>> {
    let of = &config.collector;
    let (address, tls) = match of.listen.0.strip_prefix("https://") {
        Some(address) => (address, true),
        None => (of.listen.0.as_str(), of.tls_certificate_file.is_some()),
    };
    let nobody = || {
        format!(
            "no collector answers on {address}: start `wirespan run` or `wirespan collector`, or say where it is with --listen"
        )
    };
    let stream = TcpStream::connect(address).with_context(nobody)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream: Box<dyn Connection> =
        if tls { Box::new(tls::connect(config, address, stream)?) } else { Box::new(stream) };
    let authorization =
        token(config).map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{authorization}Content-Length: {length}\r\n\r\n"
    );
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    sent.and_then(|()| stream.flush()).context("the collector does not listen to the end")?;
    Ok(stream)
}

/// What was asked for, or why there is none.
pub(super) fn accept(status: u16, body: &[u8]) -> anyhow::Result<Json> {
    let json: Option<Json> = serde_json::from_slice(body).ok();
    match (status, json) {
        (200, Some(json)) => Ok(json),
        (401, _) => bail!(
            "the collector wants its token: set it with WIRESPAN_COLLECTOR_TOKEN, or say with --data where its spans are"
        ),
        (_, Some(json)) if json["error"].is_string() => {
            bail!("{}", json["error"].as_str().unwrap_or_default())
        }
        (status, _) => bail!("the collector answered {status}: {}", String::from_utf8_lossy(body).trim()),
    }
}

/// All that comes.
pub(super) fn gather(stream: &mut dyn Read) -> anyhow::Result<Vec<u8>> {
    let mut answer = Vec::new();
    match stream.take(LONGEST).read_to_end(&mut answer) {
        // An answer that is whole needs no goodbye of TLS.
        Err(error) if answer.is_empty() || error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(error).context("the collector does not answer in time, or not as it should")
        }
        _ => Ok(answer),
    }
}

fn parts(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.get(end + 4..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_a_status_and_a_body() {
        assert_eq!(parts(b"HTTP/1.0 200 OK\r\nx: y\r\n\r\n{}"), Some((200, &b"{}"[..])));
        assert_eq!(parts(b"nonsense"), None);
    }

    #[test]
    fn a_refusal_is_told_in_the_collectors_words() {
        let said = |status, body: &str| accept(status, body.as_bytes()).unwrap_err().to_string();
        assert_eq!(said(400, r#"{"error":"no such field"}"#), "no such field");
        assert!(said(401, "").contains("WIRESPAN_COLLECTOR_TOKEN"));
        assert_eq!(said(500, "oh\n"), "the collector answered 500: oh");
    }
}
