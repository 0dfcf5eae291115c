//! `/api/v1`: our own API, as `collector/openapi.json` has it.

use std::{convert::Infallible, sync::PoisonError, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value as Json_, json};
use tokio::sync::broadcast::error::RecvError;
use wirespan_query::{
    Ask,
    form::own,
    sql::{self, Sql, SqlError},
    traceql::{self, Spanset, TRACE_DURATION, of_trace},
    traces,
};
use wirespan_store::{
    EdgeQuery, Field, Filter, Hit, Kind, Op, Operand, Owner, RedQuery, Search, Sort, Span,
    StatusCode as SpanStatus,
};

use super::{Api, Parameters, Problem, now, until};

const DOCUMENT: &str = include_str!("../../openapi.json");
const MINUTE: u64 = 60_000_000_000;
/// Points of a series, where the step is ours to choose.
const POINTS: u64 = 60;
/// The most points that a series may be asked for.
const MOST_POINTS: u64 = 20_000;
/// Readers that may watch at once.
const MOST_READERS: usize = 64;
/// Recent spans that attributes are learned from.
const SAMPLE: usize = 5000;

/// The paths.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/v1/openapi.json", get(document))
        .route("/api/v1/status", get(status))
        .route("/api/v1/services", get(services))
        .route("/api/v1/operations", get(operations))
        .route("/api/v1/attributes", get(attributes))
        .route("/api/v1/attributes/{key}/values", get(values))
        .route("/api/v1/traces", get(search_traces))
        .merge(super::trace::router())
        .merge(super::import::router(api.intake.limits().body))
        .route("/api/v1/spans", get(search_spans))
        .route("/api/v1/red", get(red))
        .route("/api/v1/map", get(map))
        .route("/api/v1/sql", get(sql))
        .route("/api/v1/tail", get(tail))
        .with_state(api)
}

type Answer = Result<Json<Json_>, Problem>;

async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

async fn status(State(api): State<Api>, parameters: Parameters) -> Answer {
    parameters.finish()?;
    let figure = api.ask(|store| store.figure()).await?;
    let asked = api.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": own::time(now()),
        "store": {
            "spans": figure.spans,
            "bytes": figure.bytes,
            "bytes_limit": api.facts.bytes,
            "age_limit_ns": api.facts.age.map(|age| age.as_nanos() as u64),
            "blocks": figure.blocks,
            "unsealed_spans": figure.unsealed,
            "forgotten_spans": figure.forgotten,
            "oldest": figure.oldest.map(own::time),
            "newest": figure.newest.map(own::time),
            "durability": api.facts.durability,
        },
        "ingest": {
            "accepted": api.intake.accepted(),
            "refused": api.intake.refused(),
            "attributes_cut": api.intake.cut(),
            "joined": api.intake.joined(),
            "repeated": figure.repeated,
        },
        "tail": { "readers": api.intake.watchers() },
        "agent": api.agent.get().map(|figures| figures()),
        "delays": {
            "transfer": own::durations(&api.intake.transfer()),
            "storage": own::durations(&figure.durable),
            "analysis": own::durations(&asked),
        },
    })))
}

async fn services(State(api): State<Api>, parameters: Parameters) -> Answer {
    parameters.finish()?;
    let catalogue = api.ask(|store| store.catalogue()).await?;
    Ok(Json(json!({ "services": catalogue.services().iter().map(own::service).collect::<Vec<_>>() })))
}

async fn operations(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let service = parameters.one("service");
    parameters.finish()?;
    let catalogue = api.ask(|store| store.catalogue()).await?;
    let operations = catalogue.operations(service.as_deref());
    Ok(Json(json!({ "operations": operations.iter().map(own::operation).collect::<Vec<_>>() })))
}

async fn attributes(State(api): State<Api>, parameters: Parameters) -> Answer {
    parameters.finish()?;
    let spans = api.ask(|store| store.recent(SAMPLE)).await?;
    let mut keys = std::collections::BTreeSet::new();
    for span in &spans {
        keys.extend(span.attributes.iter().map(|attribute| (&attribute.key, "span")));
        keys.extend(span.resource.attributes.iter().map(|attribute| (&attribute.key, "resource")));
    }
    let keys = keys.into_iter().map(|(key, of)| json!({ "key": key, "of": of }));
    Ok(Json(json!({ "attributes": keys.collect::<Vec<_>>() })))
}

async fn values(State(api): State<Api>, Path(key): Path<String>, mut parameters: Parameters) -> Answer {
    let limit = parameters.limit(50, 10_000)?;
    parameters.finish()?;
    let spans = api.ask(|store| store.recent(SAMPLE)).await?;
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for span in &spans {
        let all = span.attributes.iter().chain(&span.resource.attributes);
        for attribute in all.filter(|attribute| attribute.key == key) {
            *counts.entry(attribute.value.text().into_owned()).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, spans)| std::cmp::Reverse(*spans));
    let values =
        counts.into_iter().take(limit).map(|(value, spans)| json!({ "value": value, "spans": spans }));
    Ok(Json(json!({ "values": values.collect::<Vec<_>>() })))
}

/// The condition that the parameters of a span make together.
fn conditions(parameters: &mut Parameters) -> Result<Vec<Filter>, Problem> {
    let equal = |field: Field, text: String| Filter::Compare(field, Op::Eq, Operand::Text(text.into()));
    let mut all = Vec::new();
    all.extend(parameters.one("service").map(|name| equal(Field::Service, name)));
    all.extend(parameters.one("operation").map(|name| equal(Field::Name, name)));
    let kinds = "unspecified, internal, server, client, producer and consumer";
    let kind: Option<Kind> = parameters.word("kind", kinds)?;
    all.extend(kind.map(|kind| Filter::Compare(Field::Kind, Op::Eq, Operand::Kind(kind))));
    let status: Option<SpanStatus> = parameters.word("status", "unset, ok and error")?;
    all.extend(status.map(|code| Filter::Compare(Field::Status, Op::Eq, Operand::Status(code))));
    for pair in parameters.all("attribute") {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Problem::bad("attribute", format!("`{pair}` is not of the form `key=value`")));
        };
        let field = Field::Attribute(Owner::Any, key.into());
        all.push(Filter::Compare(field, Op::Eq, Operand::Written(value.into())));
    }
    all.extend(bounds(parameters, Field::Duration, "min_duration", "max_duration")?);
    Ok(all)
}

fn bounds(
    parameters: &mut Parameters,
    field: Field,
    least: &str,
    most: &str,
) -> Result<Vec<Filter>, Problem> {
    let least = parameters.duration(least)?.map(|bound| (Op::Ge, bound));
    let most = parameters.duration(most)?.map(|bound| (Op::Le, bound));
    let filter = |(op, bound)| Filter::Compare(field.clone(), op, Operand::Int(bound as i64));
    Ok(least.into_iter().chain(most).map(filter).collect())
}

/// `q` and the other parameters together.
fn query(parameters: &mut Parameters, conditions: Vec<Filter>) -> Result<Spanset, Problem> {
    let all = |mut filters: Vec<Filter>| match filters.len() {
        0 => Filter::All,
        1 => filters.pop().unwrap_or_default(),
        _ => Filter::And(filters),
    };
    let Some(text) = parameters.one("q") else { return Ok(Spanset::Where(all(conditions))) };
    let parsed = traceql::parse(&text).map_err(|error| Problem::bad_query("q", &error))?;
    Ok(match parsed {
        Spanset::Where(filter) => Spanset::Where(all([conditions, vec![filter]].concat())),
        other if conditions.is_empty() => other,
        other => Spanset::And(Spanset::Where(all(conditions)).into(), other.into()),
    })
}

fn sort(parameters: &mut Parameters) -> Result<Sort, Problem> {
    Ok(match parameters.one("sort").as_deref() {
        None | Some("newest") => Sort::Newest,
        Some("oldest") => Sort::Oldest,
        Some("longest") => Sort::Longest,
        Some("shortest") => Sort::Shortest,
        Some(_) => return Err(Problem::bad("sort", "sort by newest, oldest, longest or shortest")),
    })
}

/// `true` or `false`.
fn flag(parameters: &mut Parameters, name: &str) -> Result<bool, Problem> {
    Ok(parameters.word(name, "true and false")?.unwrap_or_default())
}

async fn search_traces(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let mut all = conditions(&mut parameters)?;
    let whole = of_trace(TRACE_DURATION);
    all.extend(bounds(&mut parameters, whole, "min_trace_duration", "max_trace_duration")?);
    let query = query(&mut parameters, all)?;
    let (start, end) = parameters.range()?;
    let ask = Ask {
        query,
        start,
        end,
        sort: sort(&mut parameters)?,
        limit: parameters.limit(50, 10_000)?,
        offset: parameters.number("offset", 0, 100_000)?,
        count: flag(&mut parameters, "count")?,
        until: until(),
    };
    parameters.finish()?;
    let offset = ask.offset;
    let answer = api.ask(move |store| traces(store, &ask)).await?;
    Ok(Json(own::answer(&answer, offset)))
}

/// What a span must be to be shown by itself.
fn span_filter(parameters: &mut Parameters) -> Result<Filter, Problem> {
    let all = conditions(parameters)?;
    let query = query(parameters, all)?;
    query.simple().cloned().ok_or_else(|| {
        Problem::bad("q", "only conditions that a span decides alone can be used here: one pair of braces")
    })
}

async fn search_spans(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let filter = span_filter(&mut parameters)?;
    let (start, end) = parameters.range()?;
    let search = Search {
        filter,
        start,
        end,
        sort: sort(&mut parameters)?,
        limit: parameters.limit(50, 10_000)?,
        offset: parameters.number("offset", 0, 100_000)?,
        per_trace: false,
        count: flag(&mut parameters, "count")?,
        until: until(),
    };
    parameters.finish()?;
    let offset = search.offset;
    let found = api.ask(move |store| store.search(&search)).await?;
    let mut answer = json!({
        "spans": found.hits.iter().map(own::hit).collect::<Vec<_>>(),
        "next_offset": found.more.then_some(offset + found.hits.len()),
        "incomplete": found.incomplete,
    });
    if let (Some(count), Some(object)) = (found.count, answer.as_object_mut()) {
        object.insert("matched_spans".to_owned(), json!(count));
    }
    Ok(Json(answer))
}

async fn red(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let (start, end) = parameters.range()?;
    let usual = (end - start).div_ceil(POINTS).next_multiple_of(MINUTE).max(MINUTE);
    let step = parameters.duration("step")?.unwrap_or(usual);
    if step == 0 || !step.is_multiple_of(MINUTE) || (end - start) / step > MOST_POINTS {
        let said = format!("a step is whole minutes, and a range has at most {MOST_POINTS} of them");
        return Err(Problem::bad("step", said));
    }
    let by = parameters.one("by");
    let kind: Option<Kind> = parameters.word("kind", "the kinds of spans")?;
    let query = RedQuery {
        service: parameters.one("service").map(Into::into),
        operation: parameters.one("operation").map(Into::into),
        kinds: kind.map_or_else(|| vec![Kind::Server, Kind::Consumer], |kind| vec![kind]),
        start,
        end,
        step,
        by_operation: match by.as_deref() {
            None | Some("service") => false,
            Some("operation") => true,
            Some(_) => return Err(Problem::bad("by", "by service or by operation")),
        },
    };
    parameters.finish()?;
    let series = api.ask(move |store| store.red(&query)).await?;
    Ok(Json(json!({
        "start": own::time(start),
        "end": own::time(end),
        "step_ns": step,
        "series": series.iter().map(own::series).collect::<Vec<_>>(),
    })))
}

async fn map(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let (start, end) = parameters.range()?;
    parameters.finish()?;
    let served = RedQuery {
        service: None,
        operation: None,
        kinds: vec![Kind::Server, Kind::Consumer],
        start,
        end,
        step: MINUTE,
        by_operation: false,
    };
    let (series, edges) =
        api.ask(move |store| Ok((store.red(&served)?, store.edges(EdgeQuery { start, end })?))).await?;
    let first = series.iter().filter_map(|series| series.points.keys().next()).min();
    let mut json = own::map(&series, &edges);
    if let Some(object) = json.as_object_mut() {
        object.insert("start".to_owned(), own::time(start));
        object.insert("end".to_owned(), own::time(end));
        object.insert("first".to_owned(), first.map_or(Json_::Null, |first| own::time(*first)));
    }
    Ok(Json(json))
}

async fn sql(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let text = parameters.one("q").ok_or_else(|| Problem::bad("q", "say what to select"))?;
    let (start, end) = parameters.range()?;
    parameters.finish()?;
    let ask = Sql { text, start, end, until: until() };
    let rows = api.ask(move |store| Ok(sql::run(store, &ask))).await?.map_err(sql_problem)?;
    Ok(Json(json!({
        "columns": rows.columns, "rows": rows.rows, "scanned_spans": rows.spans, "more": rows.more,
    })))
}

fn sql_problem(error: SqlError) -> Problem {
    match error {
        SqlError::Store(error) => error.into(),
        SqlError::Bad { ref said, at } => Problem { at, ..Problem::bad("q", said) },
        error => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    }
}

async fn tail(State(api): State<Api>, mut parameters: Parameters) -> Result<Response, Problem> {
    let filter = span_filter(&mut parameters)?;
    parameters.finish()?;
    if api.intake.watchers() >= MOST_READERS {
        let said = format!("{MOST_READERS} readers watch already: close one");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, said));
    }
    let events = live(api, filter);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

/// Events without end; a reader that is slow is told what it missed.
fn live(api: Api, filter: Filter) -> impl Stream<Item = Result<Event, Infallible>> {
    let filter = std::sync::Arc::new(filter);
    let batches = stream::unfold(api.intake.watch(), async |mut watch| {
        let batch = match watch.recv().await {
            Ok(spans) => Ok(spans),
            Err(RecvError::Lagged(batches)) => Err(batches),
            Err(RecvError::Closed) => return None,
        };
        Some((batch, watch))
    });
    batches.flat_map(move |batch| {
        let events: Vec<Event> = match batch {
            Ok(spans) => spans.iter().filter(|span| filter.holds(*span)).map(shown).collect(),
            Err(batches) => vec![event("lost", &json!({ "batches": batches }))],
        };
        stream::iter(events.into_iter().map(Ok))
    })
}

fn shown(span: &Span) -> Event {
    event("span", &own::hit(&Hit::of(span)))
}

fn event(name: &str, json: &Json_) -> Event {
    Event::default().event(name).data(json.to_string())
}
