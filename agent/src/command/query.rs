//! `wirespan query`: a question to a collector, its answer on stdout.

mod http;
mod show;
mod tail;
mod tls;

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::ValueEnum;

use crate::{
    cli::{Query, Question, Shape},
    config,
};

/// Asks and shows.
///
/// # Errors
/// There is no collector, or it cannot answer.
pub fn run(args: &Query) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.flags)?.config;
    let path = path(args)?;
    let out = &mut io::stdout().lock();
    let answer = match &args.question {
        Some(Question::Tail { .. }) => {
            tail::follow(out, &config, &path, args.shape)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Question::Import { file }) => http::ask(&config, "POST", &path, &read(file)?)?,
        _ => http::ask(&config, "GET", &path, &[])?,
    };
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
        Question::Search { query, limit, offset, sort, count } => {
            let (query, sort) = (asked(query.as_deref()), name(*sort));
            format!(
                "/api/v1/traces?since={since}&limit={limit}&offset={offset}&sort={sort}&count={count}&{query}"
            )
        }
        Question::Trace { id } => format!("/api/v1/traces/{}", encode(id)),
        Question::Export { id, format } => format!("/api/v1/traces/{}?format={}", encode(id), name(*format)),
        Question::Import { .. } => "/api/v1/import".to_owned(),
        Question::Tail { query } => format!("/api/v1/tail?{}", asked(query.as_deref())),
        Question::Status => "/api/v1/status".to_owned(),
        Question::Operations { service: None } => "/api/v1/operations".to_owned(),
        Question::Operations { service: Some(service) } => {
            format!("/api/v1/operations?service={}", encode(service))
        }
        Question::Services => "/api/v1/services".to_owned(),
        Question::Map => format!("/api/v1/map?since={since}"),
        Question::Red { service: None } => format!("/api/v1/red?since={since}"),
        Question::Red { service: Some(service) } => {
            format!("/api/v1/red?since={since}&by=operation&service={}", encode(service))
        }
    }
}

fn asked(query: Option<&str>) -> String {
    query.map(|query| format!("q={}", encode(query))).unwrap_or_default()
}

/// As the command line has it, and the API.
fn name(word: impl ValueEnum) -> String {
    word.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Format, Order};

    #[test]
    fn questions_are_encoded() {
        assert_eq!(encode("{ a = \"ä\" }"), "%7B%20a%20%3D%20%22%C3%A4%22%20%7D");
    }

    #[test]
    fn questions_have_their_paths() {
        let (sort, format) = (Order::Longest, Format::Perfetto);
        let query = Some("{}".to_owned());
        let search = Question::Search { query: query.clone(), limit: 5, offset: 10, sort, count: true };
        let cases = [
            (search, "/api/v1/traces?since=1h&limit=5&offset=10&sort=longest&count=true&q=%7B%7D"),
            (Question::Export { id: "ab".to_owned(), format }, "/api/v1/traces/ab?format=perfetto"),
            (Question::Tail { query }, "/api/v1/tail?q=%7B%7D"),
            (Question::Operations { service: Some("a b".to_owned()) }, "/api/v1/operations?service=a%20b"),
        ];
        for (question, path) in cases {
            assert_eq!(question_path(&question, "1h"), path);
        }
    }
}
