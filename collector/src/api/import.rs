//! `POST /api/v1/import`: a file of traces in, OTLP's JSON or Jaeger's; what was stored of it out.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, OnceLock},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::post,
};
use serde_json::{Value as Json_, json};
use wirespan_ingest::{Batch, decode_file, otlp::BadRequest};
use wirespan_store::{Store, StoreError, TraceId};

use super::{Api, Parameters, Problem};

/// What a file held.
#[derive(Clone, Debug, Default)]
struct Contents {
    traces: BTreeSet<TraceId>,
    /// Spans that are new here.
    spans: usize,
    /// Spans that were here already.
    known: usize,
}

/// Ids of traces that the answer names.
const NAMED: usize = 100;

/// The path.
pub(super) fn router(most: usize) -> Router<Api> {
    Router::new().route("/api/v1/import", post(import)).layer(DefaultBodyLimit::max(most))
}

async fn import(State(api): State<Api>, parameters: Parameters, body: Bytes) -> Result<Json<Json_>, Problem> {
    parameters.finish()?;
    let found = Arc::new(OnceLock::new());
    let (told, store) = (found.clone(), api.store.clone());
    let taken = api.intake.take(move |limits| {
        let mut batch = decode_file(&body, limits)?;
        // Set once, here: nobody else has it yet.
        let _ = told.set(only_new(&*store, &mut batch)?);
        Ok::<_, BadRequest>(batch)
    });
    let taken = taken.await.map_err(problem)?;
    let Contents { traces, spans, known } = found.get().cloned().unwrap_or_default();
    Ok(Json(json!({
        "spans": spans,
        "known": known,
        "refused": taken.refused,
        "said": taken.said,
        "traces": traces.len(),
        "trace_ids": traces.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>(),
    })))
}

/// Leaves out of the batch what is here already: a file may be imported twice, or where it came from.
fn only_new(store: &dyn Store, batch: &mut Batch) -> Result<Contents, StoreError> {
    let traces: BTreeSet<TraceId> = batch.spans.iter().map(|span| span.trace).collect();
    let mut here = HashSet::new();
    for trace in &traces {
        here.extend(store.outline(*trace)?.iter().map(|hit| (hit.trace, hit.id, hit.kind)));
    }
    let all = batch.spans.len();
    batch.spans.retain(|span| !here.contains(&(span.trace, span.id, span.kind)));
    Ok(Contents { traces, spans: batch.spans.len(), known: all - batch.spans.len() })
}

fn problem(error: BadRequest) -> Problem {
    match error {
        BadRequest::Malformed(said) => Problem::new(StatusCode::BAD_REQUEST, said),
        BadRequest::Store(StoreError::Busy) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too much arrives at once: send it again in a second")
        }
        BadRequest::Store(error) => error.into(),
    }
}
