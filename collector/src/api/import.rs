//! `POST /api/v1/import`: a file of traces in, OTLP's JSON or Jaeger's; what was stored of it out.

use std::{collections::BTreeSet, sync::Arc, sync::OnceLock};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::post,
};
use serde_json::{Value as Json_, json};
use wirespan_ingest::{decode_file, otlp::BadRequest};
use wirespan_store::{StoreError, TraceId};

use super::{Api, Parameters, Problem};

/// Ids of traces that the answer names.
const NAMED: usize = 100;

/// The path.
pub(super) fn router(most: usize) -> Router<Api> {
    Router::new().route("/api/v1/import", post(import)).layer(DefaultBodyLimit::max(most))
}

async fn import(State(api): State<Api>, parameters: Parameters, body: Bytes) -> Result<Json<Json_>, Problem> {
    parameters.finish()?;
    let found = Arc::new(OnceLock::new());
    let told = found.clone();
    let taken = api.intake.take(move |limits| {
        let batch = decode_file(&body, limits)?;
        let traces: BTreeSet<TraceId> = batch.spans.iter().map(|span| span.trace).collect();
        // Set once, here: nobody else has it yet.
        let _ = told.set((batch.spans.len(), traces));
        Ok::<_, BadRequest>(batch)
    });
    let taken = taken.await.map_err(problem)?;
    let (spans, traces) = found.get().cloned().unwrap_or_default();
    Ok(Json(json!({
        "spans": spans,
        "refused": taken.refused,
        "said": taken.said,
        "traces": traces.len(),
        "trace_ids": traces.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>(),
    })))
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
