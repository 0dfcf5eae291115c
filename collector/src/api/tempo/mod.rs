//! Tempo's query API, as Grafana calls it (grafana/tempo, docs/sources/tempo/api_docs): traces and searches.

mod tags;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{
        HeaderMap,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value as Json_, json};
use wirespan_ingest::otlp::{encode_json, encode_protobuf};
use wirespan_query::{
    Ask,
    form::tempo,
    matches,
    traceql::{self, ROOT_NAME, ROOT_SERVICE, Spanset, of_trace},
    traces,
};
use wirespan_store::{Field, Filter, Op, Operand, Owner, Sort};

use super::{Api, Parameters, Problem, now, trace::spans_of, until};

const SECOND: u64 = 1_000_000_000;
/// Traces that one answer has at most.
const MOST: usize = 1000;
const PROTOBUF: &str = "application/protobuf";
/// The paths.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/echo", get(async || "echo"))
        .route("/ready", get(async || "ready"))
        .route("/api/status/buildinfo", get(build))
        .route("/api/traces/{id}", get(trace))
        .route("/api/v2/traces/{id}", get(trace_2))
        .route("/api/search", get(search))
        .merge(tags::router())
        .with_state(api)
}

type Answer = Result<Json<Json_>, Problem>;

async fn build() -> Json<Json_> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"), "revision": "", "branch": "",
        "buildUser": "", "buildDate": "", "goVersion": "",
    }))
}

fn wants_protobuf(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.contains("protobuf"))
}

async fn trace(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    range(&mut parameters)?;
    let spans = spans_of(&api, &id).await?;
    if wants_protobuf(&headers) {
        return Ok(([(CONTENT_TYPE, PROTOBUF)], encode_protobuf(&spans)).into_response());
    }
    let mut json = tempo::spans(encode_json(&spans));
    Ok(Json(json!({ "batches": json["resourceSpans"].take() })).into_response())
}

async fn trace_2(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    range(&mut parameters)?;
    let spans = spans_of(&api, &id).await?;
    if wants_protobuf(&headers) {
        return Ok(([(CONTENT_TYPE, PROTOBUF)], nested(encode_protobuf(&spans))).into_response());
    }
    Ok(Json(json!({ "trace": tempo::spans(encode_json(&spans)) })).into_response())
}

/// A message whose first field is `message` (tempo.proto, `TraceByIDResponse.trace`): tag, length as a varint, bytes.
fn nested(message: Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![0x0a];
    let mut length = message.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(message);
    bytes
}

/// `start` and `end`, here in seconds, in nanoseconds; zero where one is not said. Other parameters of a trace are hints that
/// change nothing here.
fn range(parameters: &mut Parameters) -> Result<(u64, u64), Problem> {
    let most = (u64::MAX / SECOND) as usize;
    let start = parameters.number("start", 0, most)? as u64 * SECOND;
    let end = parameters.number("end", 0, most)? as u64 * SECOND;
    if end != 0 && start >= end {
        return Err(Problem::bad("start", "`start` must be before `end`"));
    }
    Ok((start, end))
}

async fn search(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let text = parameters.one("q");
    let query = match &text {
        Some(text) => traceql::parse(text).map_err(|error| Problem::bad_query("q", &error))?,
        None => Spanset::Where(Filter::And(by_tags(&mut parameters)?)),
    };
    let (start, end) = range(&mut parameters)?;
    let end = if end == 0 { now() } else { end };
    let start = if start == 0 { end.saturating_sub(3600 * SECOND) } else { start };
    let limit = parameters.limit(20, MOST)?;
    let shown = parameters.number("spss", 3, MOST)?;
    if shown == 0 {
        return Err(Problem::bad("spss", "ask for at least one span of each trace"));
    }
    parameters.finish()?;
    let ask = Ask { query, start, end, sort: Sort::Newest, limit, offset: 0, count: false, until: until() };
    let answer = match text {
        Some(_) => api.ask(move |store| Ok(tempo::query(&ask.query, &matches(store, &ask)?, shown))).await?,
        None => api.ask(move |store| Ok(tempo::search(&traces(store, &ask)?))).await?,
    };
    Ok(Json(answer))
}

/// `tags` (logfmt), `minDuration` and `maxDuration`: the search before TraceQL.
fn by_tags(parameters: &mut Parameters) -> Result<Vec<Filter>, Problem> {
    let mut all = Vec::new();
    for (key, value) in pairs(&parameters.one("tags").unwrap_or_default())? {
        let field = match key.as_str() {
            "name" => Field::Name,
            "service.name" => Field::Service,
            "status.code" => Field::Status,
            "root.name" => of_trace(ROOT_NAME),
            "root.service.name" => of_trace(ROOT_SERVICE),
            _ => Field::Attribute(Owner::Any, key.into()),
        };
        all.push(Filter::Compare(field, Op::Eq, Operand::Written(value.into())));
    }
    let (least, most) = (parameters.duration("minDuration")?, parameters.duration("maxDuration")?);
    if least.zip(most).is_some_and(|(least, most)| least >= most) {
        return Err(Problem::bad("maxDuration", "`maxDuration` must be more than `minDuration`"));
    }
    let bound = |op, bound: u64| Filter::Compare(Field::Duration, op, Operand::Int(bound as i64));
    all.extend(least.map(|least| bound(Op::Ge, least)));
    all.extend(most.map(|most| bound(Op::Le, most)));
    Ok(all)
}

/// `key=value` between blanks; a value with blanks stands in quotation marks, where `\` takes the next character as it is.
fn pairs(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let bad = || Problem::bad("tags", "tags are `key=value`, between blanks");
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').filter(|(key, _)| !key.contains(' ')).ok_or_else(bad)?;
        let (value, after) = value(after);
        all.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(all)
}

/// A value, and what comes after it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(' ').unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => value.extend(letters.next()),
            letter => value.push(letter),
        }
    }
    (value, letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_may_stand_in_quotation_marks() {
        let text = r#" name="GET \"/a\" b" service.name=web x=""#;
        let expected = [("name", "GET \"/a\" b"), ("service.name", "web"), ("x", "")];
        assert_eq!(
            pairs(text).unwrap_or_default(),
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert!(pairs("a b=c").is_err() && pairs("a").is_err());
    }
}
