//! Zipkin's receiver: `POST /api/v2/spans` answers 202. Version 1 and protobuf get an answer that says to use version 2
//! JSON.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use wirespan_store::StoreError;

use super::decode_v2;
use crate::{Intake, body, otlp::BadRequest};

/// The paths of Zipkin's receiver.
pub fn router(intake: Intake) -> Router {
    let most = intake.limits().body;
    Router::new()
        .route("/api/v2/spans", post(spans))
        .route("/api/v1/spans", post(version_1))
        .layer(DefaultBodyLimit::max(most))
        .with_state(intake)
}

async fn spans(State(intake): State<Intake>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("application/json");
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        let said = "only JSON is understood here: send Content-Type: application/json";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, said).into_response();
    }
    let body = match body::unpack(&headers, body, 4 * intake.limits().body) {
        Ok(body) => body,
        Err(error) => return (error.status(), error.to_string()).into_response(),
    };
    match intake.take(move |_| decode_v2(&body)).await {
        Ok(_) => StatusCode::ACCEPTED.into_response(),
        Err(error @ BadRequest::Malformed(_)) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        Err(BadRequest::Store(error)) => {
            let busy = matches!(error, StoreError::Busy);
            let status = if busy { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, [(RETRY_AFTER, "1")], error.to_string()).into_response()
        }
    }
}

async fn version_1() -> Response {
    let said =
        "Zipkin's version 1 is not understood: configure the sender for version 2 (POST /api/v2/spans, JSON)";
    (StatusCode::NOT_IMPLEMENTED, said).into_response()
}
