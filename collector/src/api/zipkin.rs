//! Zipkin's query API (zipkin-api, zipkin2-api.yaml).

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use serde_json::{Value as Json_, json};
use wirespan_query::{Ask, form::zipkin, traceql::Spanset, traces};
use wirespan_store::{EdgeQuery, Field, Filter, NodeKind, Op, Operand, Owner, Sort, Store, StoreError};

use super::{Api, Parameters, Problem, now, trace::spans_of, until};

const MICRO: u64 = 1000;
const MILLI: u64 = 1_000_000;
const DAY: usize = 86_400_000;
/// Traces that one answer has at most.
const MOST: usize = 1000;

/// The paths.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/v2/services", get(services))
        .route("/api/v2/spans", get(names))
        .route("/api/v2/remoteServices", get(remote_services))
        .route("/api/v2/traces", get(search))
        .route("/api/v2/trace/{id}", get(trace))
        .route("/api/v2/traceMany", get(many))
        .route("/api/v2/dependencies", get(dependencies))
        .route("/api/v2/autocompleteKeys", get(async || Json(json!([]))))
        .route("/api/v2/autocompleteValues", get(async || Json(json!([]))))
        .with_state(api)
}

type Answer = Result<Json<Json_>, Problem>;

async fn services(State(api): State<Api>) -> Answer {
    let catalogue = api.ask(|store| store.catalogue()).await?;
    let mut names: Vec<_> = catalogue.services().iter().map(|service| service.name.to_lowercase()).collect();
    names.sort();
    names.dedup();
    Ok(Json(json!(names)))
}

/// Zipkin writes names in lower case; here they are found however they are written.
fn same(name: &str) -> Operand {
    let pattern = format!("(?i)^{}$", regex::escape(name));
    regex::Regex::new(&pattern).map_or_else(|_| Operand::Text(name.into()), Operand::Pattern)
}

fn named(parameters: &mut Parameters, name: &str) -> Result<String, Problem> {
    parameters.one(name).ok_or_else(|| Problem::bad(name, format!("say which: {name} is missing")))
}

async fn names(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let service = named(&mut parameters, "serviceName")?;
    parameters.finish()?;
    let all = api.ask(|store| store.catalogue()).await?.operations(None);
    let of = all.iter().filter(|operation| operation.service.eq_ignore_ascii_case(&service));
    let mut names: Vec<_> = of.map(|operation| operation.name.to_lowercase()).collect();
    names.sort();
    names.dedup();
    Ok(Json(json!(names)))
}

async fn remote_services(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let service = named(&mut parameters, "serviceName")?;
    parameters.finish()?;
    let query = EdgeQuery { start: now().saturating_sub(DAY as u64 * MILLI), end: now() };
    let edges = api.ask(move |store| store.edges(query)).await?;
    let of = edges.iter().filter(|edge| edge.from.eq_ignore_ascii_case(&service));
    Ok(Json(json!(of.map(|edge| edge.to.to_lowercase()).collect::<Vec<_>>())))
}

async fn search(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let mut all = Vec::new();
    let attribute = |key: &str| Field::Attribute(Owner::Any, key.into());
    let fields = [
        ("serviceName", Field::Service),
        ("spanName", Field::Name),
        ("remoteServiceName", attribute("peer.service")),
    ];
    for (name, field) in fields {
        all.extend(parameters.one(name).map(|text| Filter::Compare(field, Op::Eq, same(&text))));
    }
    let annotations = parameters.one("annotationQuery").unwrap_or_default();
    all.extend(annotations.split(" and ").map(str::trim).filter(|part| !part.is_empty()).map(annotation));
    let most = usize::MAX / 1000;
    let bounds = [("minDuration", Op::Ge), ("maxDuration", Op::Le)];
    if parameters.has("maxDuration") && !parameters.has("minDuration") {
        return Err(Problem::bad("maxDuration", "maxDuration is only valid with minDuration"));
    }
    for (name, op) in bounds {
        let micros = parameters.number(name, 0, most)?;
        if micros > 0 {
            let nanos = i64::try_from(micros as u64 * MICRO).unwrap_or(i64::MAX);
            all.push(Filter::Compare(Field::Duration, op, Operand::Int(nanos)));
        }
    }
    let (start, end) = range(&mut parameters)?;
    let ask = Ask {
        query: Spanset::Where(Filter::And(all)),
        start,
        end,
        sort: Sort::Newest,
        limit: parameters.number("limit", 10, MOST)?,
        offset: 0,
        count: false,
        until: until(),
    };
    parameters.finish()?;
    let found = api.ask(move |store| whole(store, &ask)).await?;
    Ok(Json(found))
}

fn whole(store: &dyn Store, ask: &Ask) -> Result<Json_, StoreError> {
    let found = traces(store, ask)?.traces.into_iter();
    found.map(|summary| Ok(zipkin::trace(&store.trace(summary.trace)?))).collect()
}

/// `key=value` is a tag; a word by itself is a tag that is there, or an annotation.
fn annotation(part: &str) -> Filter {
    let field = |key: &str| Field::Attribute(Owner::Any, key.into());
    match part.split_once('=') {
        Some((key, value)) => Filter::Compare(field(key), Op::Eq, Operand::Written(value.into())),
        None if part == "error" => {
            Filter::Compare(Field::Status, Op::Eq, Operand::Status(wirespan_store::StatusCode::Error))
        }
        None => Filter::Or(vec![
            Filter::Exists(field(part)),
            Filter::Compare(Field::EventName, Op::Eq, Operand::Text(part.into())),
        ]),
    }
}

/// `endTs` and `lookback`, in milliseconds.
fn range(parameters: &mut Parameters) -> Result<(u64, u64), Problem> {
    let most = (u64::MAX / MILLI) as usize;
    let end = parameters.number("endTs", 0, most)? as u64 * MILLI;
    let end = if end == 0 { now() } else { end };
    let lookback = parameters.number("lookback", DAY, most)? as u64 * MILLI;
    Ok((end.saturating_sub(lookback), end))
}

async fn trace(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    Ok(Json(zipkin::trace(&spans_of(&api, &id).await?)))
}

async fn many(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let ids = named(&mut parameters, "traceIds")?;
    parameters.finish()?;
    let mut found = Vec::new();
    for id in ids.split(',').take(MOST) {
        match spans_of(&api, id.trim()).await {
            Ok(spans) => found.push(zipkin::trace(&spans)),
            Err(problem) if problem.status == axum::http::StatusCode::NOT_FOUND => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(Json(Json_::Array(found)))
}

async fn dependencies(State(api): State<Api>, mut parameters: Parameters) -> Answer {
    let (start, end) = range(&mut parameters)?;
    parameters.finish()?;
    let edges = api.ask(move |store| store.edges(EdgeQuery { start, end })).await?;
    let shown = edges.iter().filter(|edge| edge.kind == NodeKind::Service).map(|edge| {
        let mut link = json!({ "parent": edge.from, "child": edge.to, "callCount": edge.figures.spans });
        if let Some(object) = link.as_object_mut().filter(|_| edge.figures.errors > 0) {
            object.insert("errorCount".to_owned(), json!(edge.figures.errors));
        }
        link
    });
    Ok(Json(shown.collect()))
}
