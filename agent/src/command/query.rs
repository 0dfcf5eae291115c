//! `wirespan query`: a question to a collector, its answer on stdout.

mod show;
mod tls;

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value as Json;

use super::collecting;
use crate::{
    cli::{Query, Question, Shape},
    config::{self, Config},
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the longest answer that is read.
const LONGEST: u64 = 1 << 30;

/// Asks and shows.
///
/// # Errors
/// There is no collector, or it cannot answer.
pub fn run(args: &Query) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.flags)?.config;
    let answer = ask(&config, &path(args)?)?;
    let out = &mut io::stdout().lock();
    match args.shape {
        Shape::Json => writeln!(out, "{answer:#}")?,
        Shape::Table => match &args.question {
            Some(question) => show::show(out, question, &answer)?,
            None => show::rows(out, &answer)?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn path(args: &Query) -> anyhow::Result<String> {
    let since = encode(&args.since);
    match (&args.question, &args.sql) {
        (Some(_), Some(_)) => bail!("ask by --sql or in another way, not both"),
        (Some(question), None) => Ok(question_path(question, &since)),
        (None, sql) => {
            Ok(format!("/api/v1/sql?since={since}&q={}", encode(sql.as_deref().unwrap_or_default())))
        }
    }
}

fn question_path(question: &Question, since: &str) -> String {
    match question {
        Question::Search { query, limit } => {
            let query = query.as_deref().map(|query| format!("&q={}", encode(query))).unwrap_or_default();
            format!("/api/v1/traces?since={since}&limit={limit}{query}")
        }
        Question::Trace { id } => format!("/api/v1/traces/{}", encode(id)),
        Question::Services => "/api/v1/services".to_owned(),
        Question::Map => format!("/api/v1/map?since={since}"),
        Question::Red { service: None } => format!("/api/v1/red?since={since}"),
        Question::Red { service: Some(service) } => {
            format!("/api/v1/red?since={since}&by=operation&service={}", encode(service))
        }
    }
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The token of the configuration, or the one that the collector keeps beside its spans.
fn token(config: &Config) -> Option<String> {
    config.collector.token.clone().or_else(|| {
        let directory = collecting::directory(config)?;
        Some(fs::read_to_string(directory.join("token")).ok()?.trim().to_owned())
    })
}

/// HTTP/1.0: one question, and the answer ends with the connection.
fn ask(config: &Config, path: &str) -> anyhow::Result<Json> {
    let of = &config.collector;
    let (address, tls) = match of.listen.strip_prefix("https://") {
        Some(address) => (address, true),
        None => (of.listen.as_str(), of.tls_certificate_file.is_some()),
    };
    let nobody = || {
        format!(
            "no collector answers on {address}: start `wirespan run` or `wirespan collector`, or say where it is with --listen"
        )
    };
    let stream = TcpStream::connect(address).with_context(nobody)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let authorization =
        token(config).map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let question = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{authorization}\r\n");
    let answer = match tls {
        true => exchange(tls::connect(config, address, stream)?, &question)?,
        false => exchange(stream, &question)?,
    };
    let (status, body) = parts(&answer).context("the collector's answer is not HTTP")?;
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

fn exchange(mut stream: impl Read + Write, question: &str) -> anyhow::Result<Vec<u8>> {
    stream.write_all(question.as_bytes()).context("the collector does not listen to the end")?;
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
    fn questions_are_encoded() {
        assert_eq!(encode("{ a = \"ä\" }"), "%7B%20a%20%3D%20%22%C3%A4%22%20%7D");
    }

    #[test]
    fn answers_have_a_status_and_a_body() {
        assert_eq!(parts(b"HTTP/1.0 200 OK\r\nx: y\r\n\r\n{}"), Some((200, &b"{}"[..])));
        assert_eq!(parts(b"nonsense"), None);
    }
}
