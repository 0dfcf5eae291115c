//! Tempo's query API, as Grafana calls it (grafana/tempo, docs/sources/tempo/api_docs).

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
    traceql::{self, Spanset},
    traces,
};
use wirespan_store::{Field, Filter, Op, Operand, Owner, Sort, Span};

use super::{Api, Parameters, Problem, now, trace::spans_of, until};

const SECOND: u64 = 1_000_000_000;
/// Traces that one answer has at most.
const MOST: usize = 1000;
/// Recent spans that tags are learned from.
const SAMPLE: usize = 5000;
const PROTOBUF: &str = "application/protobuf";
/// What Tempo calls the fields that are no attributes.
const INTRINSICS: [&str; 7] =
    ["duration", "kind", "name", "rootName", "rootServiceName", "status", "statusMessage"];

/// The paths.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/echo", get(async || "echo"))
        .route("/ready", get(async || "ready"))
        .route("/api/status/buildinfo", get(build))
        .route("/api/traces/{id}", get(trace))
        .route("/api/v2/traces/{id}", get(trace_2))
        .route("/api/search", get(search))
        .route("/api/search/tags", get(tags))
        .route("/api/v2/search/tags", get(tags_2))
        .route("/api/search/tag/{tag}/values", get(values))
        .route("/api/v2/search/tag/{tag}/values", get(values_2))
        .with_state(api)
}

type Answer = Result<Json<Json_>, Problem>;

async fn build() -> Json<Json_> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "branch": "", "revision": "", "goVersion": "" }))
}

fn wants_protobuf(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.contains("protobuf"))
}

async fn trace(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let spans = spans_of(&api, &id).await?;
    if wants_protobuf(&headers) {
        return Ok(([(CONTENT_TYPE, PROTOBUF)], encode_protobuf(&spans)).into_response());
    }
    let mut json = encode_json(&spans);
    Ok(Json(json!({ "batches": json["resourceSpans"].take() })).into_response())
}

async fn trace_2(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let spans = spans_of(&api, &id).await?;
    if wants_protobuf(&headers) {
        return Ok(([(CONTENT_TYPE, PROTOBUF)], nested(encode_protobuf(&spans))).into_response());
    }
    Ok(Json(json!({ "trace": encode_json(&spans), "status": "COMPLETE" })).into_response())
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

async fn search(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let query = match parameters.one("q") {
        Some(text) => traceql::parse(&text).map_err(|error| Problem::bad_query("q", &error))?,
        None => Spanset::Where(Filter::And(by_tags(&mut parameters)?)),
    };
    let seconds = (u64::MAX / SECOND) as usize;
    let end = parameters.number("end", 0, seconds)? as u64 * SECOND;
    let end = if end == 0 { now() } else { end };
    let start = parameters.number("start", 0, seconds)? as u64 * SECOND;
    let start = if start == 0 { end.saturating_sub(3600 * SECOND) } else { start };
    let limit = parameters.number("limit", 20, MOST)?;
    // Spans a set; ten are shown however many are asked for.
    parameters.number("spss", 3, MOST)?;
    parameters.finish()?;
    let ask = Ask { query, start, end, sort: Sort::Newest, limit, offset: 0, count: false, until: until() };
    let answer = api.ask(move |store| traces(store, &ask)).await?;
    Ok(Json(tempo::search(&answer)))
}

/// `tags` (logfmt), `minDuration` and `maxDuration`: the search before TraceQL.
fn by_tags(parameters: &mut Parameters) -> Result<Vec<Filter>, Problem> {
    let mut all = Vec::new();
    for pair in parameters.one("tags").unwrap_or_default().split_whitespace() {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Problem::bad("tags", "tags are `key=value`, between blanks"))?;
        let field = match key {
            "name" => Field::Name,
            "service.name" => Field::Service,
            _ => Field::Attribute(Owner::Any, key.into()),
        };
        all.push(Filter::Compare(field, Op::Eq, Operand::Written(value.trim_matches('"').into())));
    }
    for (name, op) in [("minDuration", Op::Ge), ("maxDuration", Op::Le)] {
        if let Some(bound) = parameters.duration(name)? {
            all.push(Filter::Compare(Field::Duration, op, Operand::Int(bound as i64)));
        }
    }
    Ok(all)
}

/// Keys of attributes: of spans, and of resources.
async fn keys(api: &Api) -> Result<[Vec<String>; 2], Problem> {
    let spans = api.ask(|store| store.recent(SAMPLE)).await?;
    let mut keys = [std::collections::BTreeSet::new(), std::collections::BTreeSet::new()];
    let [own, resource] = &mut keys;
    for span in &spans {
        own.extend(span.attributes.iter().map(|attribute| attribute.key.to_string()));
        resource.extend(span.resource.attributes.iter().map(|attribute| attribute.key.to_string()));
    }
    Ok(keys.map(|keys| keys.into_iter().collect()))
}

async fn tags(State(api): State<Api>) -> Answer {
    let [own, resource] = keys(&api).await?;
    let mut all = [own, resource].concat();
    all.sort();
    all.dedup();
    Ok(Json(json!({ "tagNames": all })))
}

async fn tags_2(State(api): State<Api>) -> Answer {
    let [own, resource] = keys(&api).await?;
    Ok(Json(json!({ "scopes": [
        { "name": "span", "tags": own },
        { "name": "resource", "tags": resource },
        { "name": "intrinsic", "tags": INTRINSICS },
    ] })))
}

/// Values of a tag by how many recent spans have them, and their type as Tempo names it.
async fn all_values(api: &Api, tag: &str) -> Result<Vec<(String, &'static str)>, Problem> {
    // Grafana encodes names twice.
    let tag = tag.replace("%2F", "/").replace("%3A", ":").replace("%20", " ").replace("%22", "\"");
    let tag = tag.replace('"', "");
    let catalogue = api.ask(|store| store.catalogue()).await?;
    let text = |names: Vec<String>| names.into_iter().map(|name| (name, "string")).collect();
    Ok(match tag.as_str() {
        "service.name" | "resource.service.name" | ".service.name" | "rootServiceName" => {
            text(catalogue.services().iter().map(|service| service.name.to_string()).collect())
        }
        "name" | "span:name" | "rootName" => {
            let mut names: Vec<_> =
                catalogue.operations(None).iter().map(|operation| operation.name.to_string()).collect();
            names.sort();
            names.dedup();
            text(names)
        }
        "status" | "span:status" => {
            ["error", "ok", "unset"].map(|name| (name.to_owned(), "keyword")).to_vec()
        }
        "kind" | "span:kind" => {
            wirespan_store::Kind::ALL.map(|kind| (kind.name().to_owned(), "keyword")).to_vec()
        }
        other => sample(&api.ask(|store| store.recent(SAMPLE)).await?, other),
    })
}

fn sample(spans: &[Span], tag: &str) -> Vec<(String, &'static str)> {
    use wirespan_store::Value;
    let scopes = ["span.", "resource.", "."];
    let key = scopes.iter().find_map(|scope| tag.strip_prefix(scope)).unwrap_or(tag);
    let all = spans.iter().flat_map(|span| span.attributes.iter().chain(&span.resource.attributes));
    let values: std::collections::BTreeSet<_> = all
        .filter(|attribute| attribute.key == key)
        .map(|attribute| {
            let kind = match attribute.value {
                Value::Int(_) => "int",
                Value::Float(_) => "float",
                Value::Bool(_) => "bool",
                _ => "string",
            };
            (attribute.value.text().into_owned(), kind)
        })
        .collect();
    values.into_iter().take(MOST).collect()
}

async fn values(State(api): State<Api>, Path(tag): Path<String>) -> Answer {
    let values = all_values(&api, &tag).await?.into_iter().map(|(value, _)| value);
    Ok(Json(json!({ "tagValues": values.collect::<Vec<_>>() })))
}

async fn values_2(State(api): State<Api>, Path(tag): Path<String>) -> Answer {
    let values = all_values(&api, &tag).await?.into_iter();
    let values = values.map(|(value, kind)| json!({ "type": kind, "value": value }));
    Ok(Json(json!({ "tagValues": values.collect::<Vec<_>>() })))
}
