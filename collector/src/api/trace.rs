//! `/api/v1/traces/{id}`: one trace, whole, as an outline or in the form of another tool; a span of it; which of its
//! spans a query means.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use serde_json::{Value as Json_, json};
use wirespan_query::{
    form::{jaeger, outline::outline, own, perfetto},
    traceql,
};
use wirespan_store::{Span, SpanId, TraceId};

use super::{Api, Parameters, Problem};

/// The paths.
pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/api/v1/traces/{id}", get(trace))
        .route("/api/v1/traces/{id}/matches", get(matches))
        .route("/api/v1/traces/{id}/spans/{span}", get(span))
}

type Answer = Result<Json<Json_>, Problem>;

/// All spans of a trace, or an answer that says that there is none.
pub(in crate::api) async fn spans_of(api: &Api, id: &str) -> Result<Vec<Span>, Problem> {
    let id: TraceId = id.parse().map_err(|error| Problem::bad("id", format!("{error}")))?;
    let spans = api.ask(move |store| store.trace(id)).await?;
    if spans.is_empty() {
        let said = format!("there is no trace {id}: it may have been forgotten, or not have arrived yet");
        return Err(Problem::new(StatusCode::NOT_FOUND, said));
    }
    Ok(spans)
}

async fn trace(State(api): State<Api>, Path(id): Path<String>, mut parameters: Parameters) -> Answer {
    let format = parameters.one("format");
    parameters.finish()?;
    let spans = spans_of(&api, &id).await?;
    let id = spans.first().map(|span| span.trace).unwrap_or_default();
    Ok(Json(match format.as_deref() {
        None | Some("wirespan") => own::trace(id, &spans),
        Some("outline") => outline(id, &spans),
        Some("otlp") => wirespan_ingest::otlp::encode_json(&spans),
        Some("jaeger") => jaeger::envelope(json!([jaeger::trace(&spans)])),
        Some("perfetto") => perfetto::trace(&spans),
        Some(_) => {
            let said = "the formats are wirespan, outline, otlp, jaeger and perfetto";
            return Err(Problem::bad("format", said));
        }
    }))
}

async fn matches(State(api): State<Api>, Path(id): Path<String>, mut parameters: Parameters) -> Answer {
    let text = parameters.one("q").ok_or_else(|| Problem::bad("q", "say in `q` which spans are meant"))?;
    parameters.finish()?;
    let query = traceql::parse(&text).map_err(|error| Problem::bad_query("q", &error))?;
    let spans = spans_of(&api, &id).await?;
    let found = traceql::evaluate(&query, &spans).into_iter();
    let found = found.filter_map(|at| spans.get(at)).map(|span| json!(span.id.to_string()));
    Ok(Json(json!({ "span_ids": found.collect::<Vec<_>>() })))
}

async fn span(
    State(api): State<Api>,
    Path((id, span)): Path<(String, String)>,
    parameters: Parameters,
) -> Answer {
    parameters.finish()?;
    let span: SpanId = span.parse().map_err(|error| Problem::bad("span", format!("{error}")))?;
    let spans = spans_of(&api, &id).await?;
    let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
    let found: Vec<_> =
        spans.iter().filter(|one| one.id == span).map(|one| own::detail(one, start)).collect();
    if found.is_empty() {
        let said = format!("there is no span {span} in this trace");
        return Err(Problem::new(StatusCode::NOT_FOUND, said));
    }
    Ok(Json(json!({ "spans": found })))
}
