//! Jaeger's query APIs: the legacy one that Grafana calls, and version 3 over HTTP (jaeger-idl, api_v3/query_service).

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value as Json_, json};
use wirespan_ingest::otlp::encode_json;
use wirespan_query::{Ask, form::jaeger, traceql::Spanset, traces};
use wirespan_store::{
    EdgeQuery, Field, Filter, Kind, NodeKind, Op, Operand, Operation, Owner, Sort, Span, Store, StoreError,
};

use super::{Api, Parameters, Problem, now, trace::spans_of, until};

/// Microseconds and milliseconds in nanoseconds.
const MICRO: u64 = 1000;
const MILLI: u64 = 1_000_000;
/// Traces that one answer has at most.
pub(super) const MOST: usize = 1500;

/// The paths.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/services", get(services))
        .route("/api/services/{service}/operations", get(operation_names))
        .route("/api/operations", get(operations))
        .route("/api/traces", get(search))
        .route("/api/traces/{id}", get(trace))
        .route("/api/dependencies", get(dependencies))
        .route("/api/v3/services", get(services_3))
        .route("/api/v3/operations", get(operations_3))
        .route("/api/v3/traces", get(search_3))
        .route("/api/v3/traces/{id}", get(trace_3))
        .route("/api/v3/trace-summaries", get(summaries_3))
        .route("/api/v3/dependencies", get(dependencies_3))
        .with_state(api)
}

/// A problem in the envelope of the legacy API.
struct Legacy(Problem);

impl From<Problem> for Legacy {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Legacy {
    fn into_response(self) -> Response {
        let Problem { status, said, .. } = self.0;
        (status, Json(jaeger::error(status.as_u16(), &said))).into_response()
    }
}

/// A problem as version 3 tells it.
struct Gateway(Problem);

impl From<Problem> for Gateway {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Gateway {
    fn into_response(self) -> Response {
        let Problem { status, said, .. } = self.0;
        (status, Json(jaeger::gateway_error(status.as_u16(), &said))).into_response()
    }
}

type Answer = Result<Json<Json_>, Legacy>;
type Answer3 = Result<Json<Json_>, Gateway>;

async fn services(State(api): State<Api>) -> Answer {
    let catalogue = api.ask(|store| store.catalogue()).await?;
    let names: Json_ = catalogue.services().iter().map(|service| json!(service.name)).collect();
    Ok(Json(jaeger::envelope(names)))
}

pub(super) async fn all_operations(api: &Api, service: Option<String>) -> Result<Vec<Operation>, Problem> {
    Ok(api.ask(|store| store.catalogue()).await?.operations(service.as_deref()))
}

async fn operation_names(State(api): State<Api>, Path(service): Path<String>) -> Answer {
    let mut names: Vec<_> =
        all_operations(&api, Some(service)).await?.into_iter().map(|operation| operation.name).collect();
    names.dedup();
    Ok(Json(jaeger::envelope(json!(names))))
}

async fn operations(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let service = parameters.one("service");
    let kind: Option<Kind> = parameters.word("spanKind", "the kinds of spans")?;
    parameters.finish()?;
    let mut all = all_operations(&api, service).await?;
    all.retain(|operation| kind.is_none_or(|kind| kind == operation.kind));
    let shown = all.iter().map(|one| json!({ "name": one.name, "spanKind": one.kind.name() }));
    Ok(Json(jaeger::envelope(shown.collect())))
}

pub(super) fn equal(field: Field, text: String) -> Filter {
    Filter::Compare(field, Op::Eq, Operand::Text(text.into()))
}

/// `{"key": "value"}`: tags of the span or its process, whatever their type. `error` and `span.kind` are what Jaeger
/// makes tags of.
fn tags(parameter: &str, text: &str) -> Result<Vec<Filter>, Problem> {
    let json: Json_ = serde_json::from_str(text).unwrap_or_default();
    let Some(object) = json.as_object() else {
        return Err(Problem::bad(parameter, "tags are a JSON object, such as {\"http.route\":\"/cart\"}"));
    };
    Ok(object.iter().map(|(key, value)| tag(key, value)).collect())
}

pub(super) fn tag(key: &str, value: &Json_) -> Filter {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let written = Operand::Written(text.as_str().into());
    match (key, text.as_str()) {
        ("error", "true") => {
            Filter::Compare(Field::Status, Op::Eq, Operand::Status(wirespan_store::StatusCode::Error))
        }
        ("span.kind", _) => Filter::Compare(Field::Kind, Op::Eq, written),
        ("otel.status_code", _) => {
            Filter::Compare(Field::Status, Op::Eq, Operand::Written(text.to_lowercase().into()))
        }
        _ => Filter::Compare(Field::Attribute(Owner::Any, key.into()), Op::Eq, written),
    }
}

fn durations(parameters: &mut Parameters, least: &str, most: &str) -> Result<Vec<Filter>, Problem> {
    let bounds = [(Op::Ge, parameters.duration(least)?), (Op::Le, parameters.duration(most)?)];
    Ok(bounds
        .into_iter()
        .filter_map(|(op, bound)| Some(Filter::Compare(Field::Duration, op, Operand::Int(bound? as i64))))
        .collect())
}

async fn search(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let ids = parameters.all("traceID");
    if !ids.is_empty() {
        return by_ids(&api, ids).await;
    }
    let ask = legacy_ask(&mut parameters)?;
    parameters.finish()?;
    let found = api.ask(move |store| whole_traces(store, &ask)).await?;
    Ok(Json(jaeger::envelope(found.iter().map(|spans| jaeger::trace(spans)).collect())))
}

fn legacy_ask(parameters: &mut Parameters) -> Result<Ask, Problem> {
    let mut all = Vec::new();
    all.extend(parameters.one("service").map(|name| equal(Field::Service, name)));
    all.extend(parameters.one("operation").map(|name| equal(Field::Name, name)));
    if let Some(text) = parameters.one("tags") {
        all.extend(tags("tags", &text)?);
    }
    for pair in parameters.all("tag") {
        let (key, value) = pair.split_once(':').ok_or_else(|| Problem::bad("tag", "a tag is `key:value`"))?;
        all.push(tag(key, &json!(value)));
    }
    all.extend(durations(parameters, "minDuration", "maxDuration")?);
    let most = usize::try_from(u64::MAX / MICRO).unwrap_or(usize::MAX);
    let end = parameters.number("end", 0, most)? as u64 * MICRO;
    let end = if end == 0 { now() } else { end };
    let start = parameters.number("start", 0, most)? as u64 * MICRO;
    // What the page sends beside `start`; by itself it is so long before the end.
    let lookback = parameters.one("lookback").and_then(|text| wirespan_query::duration(&text).ok());
    let start = if start == 0 { end.saturating_sub(lookback.unwrap_or(3_600_000 * MILLI)) } else { start };
    let limit = parameters.number("limit", 20, MOST)?;
    Ok(ask(all, start, end, limit))
}

pub(super) fn ask(filters: Vec<Filter>, start: u64, end: u64, limit: usize) -> Ask {
    Ask {
        query: Spanset::Where(Filter::And(filters)),
        start,
        end,
        sort: Sort::Newest,
        limit,
        offset: 0,
        count: false,
        until: until(),
    }
}

pub(super) fn whole_traces(store: &dyn Store, ask: &Ask) -> Result<Vec<Vec<Span>>, StoreError> {
    traces(store, ask)?.traces.into_iter().map(|found| store.trace(found.trace)).collect()
}

async fn by_ids(api: &Api, ids: Vec<String>) -> Answer {
    let mut found = Vec::new();
    for id in ids.into_iter().take(MOST) {
        found.push(jaeger::trace(&spans_of(api, &id).await?));
    }
    Ok(Json(jaeger::envelope(Json_::Array(found))))
}

async fn trace(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let spans = spans_of(&api, &id).await?;
    Ok(Json(jaeger::envelope(json!([jaeger::trace(&spans)]))))
}

async fn dependencies(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let most = usize::try_from(u64::MAX / MILLI).unwrap_or(usize::MAX);
    let end = parameters.number("endTs", 0, most)? as u64 * MILLI;
    let end = if end == 0 { now() } else { end };
    let lookback = parameters.number("lookback", 86_400_000, most)? as u64 * MILLI;
    let query = EdgeQuery { start: end.saturating_sub(lookback), end };
    let edges = api.ask(move |store| store.edges(query)).await?;
    let calls = edges
        .iter()
        .filter(|edge| edge.kind == NodeKind::Service)
        .map(|edge| json!({ "parent": edge.from, "child": edge.to, "callCount": edge.figures.spans }));
    Ok(Json(jaeger::envelope(calls.collect())))
}

async fn services_3(State(api): State<Api>) -> Answer3 {
    let catalogue = api.ask(|store| store.catalogue()).await?;
    let names: Vec<_> = catalogue.services().into_iter().map(|service| service.name).collect();
    Ok(Json(json!({ "services": names })))
}

async fn operations_3(State(api): State<Api>, mut parameters: Parameters) -> Answer3 {
    let service = parameters.one("service");
    let kind: Option<Kind> = parameters.word("span_kind", "the kinds of spans")?;
    parameters.finish()?;
    let mut all = all_operations(&api, service).await?;
    all.retain(|operation| kind.is_none_or(|kind| kind == operation.kind));
    let shown = all.iter().map(|one| json!({ "name": one.name, "spanKind": one.kind.name() }));
    Ok(Json(json!({ "operations": shown.collect::<Vec<_>>() })))
}

/// A parameter by its name, or by that with underscores.
fn either(parameters: &mut Parameters, camel: &str, snake: &str) -> Option<String> {
    let (camel, snake) =
        (parameters.one(&format!("query.{camel}")), parameters.one(&format!("query.{snake}")));
    camel.or(snake)
}

fn ask_3(mut parameters: Parameters) -> Result<Ask, Problem> {
    let mut time = |camel: &str, snake: &str| {
        let name = format!("query.{camel}");
        let text = either(&mut parameters, camel, snake).ok_or_else(|| {
            Problem::bad(&name, format!("{name} is required, such as 2026-11-21T14:00:00Z"))
        })?;
        wirespan_query::time(&text).map_err(|error| Problem::bad_text(&name, &error))
    };
    let (start, end) = (time("startTimeMin", "start_time_min")?, time("startTimeMax", "start_time_max")?);
    let mut all = Vec::new();
    all.extend(
        either(&mut parameters, "serviceName", "service_name").map(|name| equal(Field::Service, name)),
    );
    all.extend(
        either(&mut parameters, "operationName", "operation_name").map(|name| equal(Field::Name, name)),
    );
    if let Some(text) = parameters.one("query.attributes") {
        all.extend(tags("query.attributes", &text)?);
    }
    all.extend(durations(&mut parameters, "query.durationMin", "query.durationMax")?);
    all.extend(durations(&mut parameters, "query.duration_min", "query.duration_max")?);
    let depths = ["query.searchDepth", "query.search_depth", "query.num_traces"];
    let mut limit = 100;
    for name in depths {
        limit = parameters.number(name, limit, MOST)?;
    }
    // Spans are never adjusted here: raw is what they are.
    either(&mut parameters, "rawTraces", "raw_traces");
    parameters.finish()?;
    Ok(ask(all, start, end, limit))
}

async fn search_3(State(api): State<Api>, parameters: Parameters) -> Answer3 {
    let ask = ask_3(parameters)?;
    let found = api.ask(move |store| whole_traces(store, &ask)).await?;
    if found.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "No traces found").into());
    }
    let spans: Vec<Span> = found.into_iter().flatten().collect();
    Ok(Json(json!({ "result": encode_json(&spans) })))
}

async fn summaries_3(State(api): State<Api>, parameters: Parameters) -> Answer3 {
    let ask = ask_3(parameters)?;
    let found = api.ask(move |store| traces(store, &ask)).await?;
    let summaries: Vec<_> = found.traces.iter().map(jaeger::summary).collect();
    Ok(Json(json!({ "result": { "summaries": summaries } })))
}

async fn dependencies_3(State(api): State<Api>, mut parameters: Parameters) -> Answer3 {
    let mut time = |camel: &str, snake: &str| -> Result<u64, Problem> {
        let (camel_time, snake_time) = (parameters.time(camel)?, parameters.time(snake)?);
        camel_time.or(snake_time).ok_or_else(|| Problem::bad(camel, format!("{camel} is required")))
    };
    let query = EdgeQuery { start: time("startTime", "start_time")?, end: time("endTime", "end_time")? };
    parameters.finish()?;
    let edges = api.ask(move |store| store.edges(query)).await?;
    let called = edges.iter().filter(|edge| edge.kind == NodeKind::Service);
    // 64 bits are text in protobuf's JSON.
    let calls = called.map(
        |edge| json!({ "parent": edge.from, "child": edge.to, "callCount": edge.figures.spans.to_string() }),
    );
    Ok(Json(json!({ "dependencies": calls.collect::<Vec<_>>() })))
}

async fn trace_3(State(api): State<Api>, Path(id): Path<String>) -> Answer3 {
    Ok(Json(json!({ "result": encode_json(&spans_of(&api, &id).await?) })))
}
