//! Zipkin's receiver: `POST /api/v2/spans` (JSON, protobuf) and `POST /api/v1/spans` (JSON) answer 202. Thrift gets an answer
//! that says what to send instead.

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

use super::{decode_protobuf, decode_v1, decode_v2};
use crate::{Batch, Intake, body, otlp::BadRequest};

/// The paths of Zipkin's receiver.
pub fn router(intake: Intake) -> Router {
    let most = intake.limits().body;
    Router::new()
        .route("/api/v2/spans", post(spans))
        .route("/api/v1/spans", post(version_1))
        .layer(DefaultBodyLimit::max(most))
        .with_state(intake)
}

/// Reads a body.
type Decode = fn(&[u8]) -> Result<Batch, BadRequest>;

async fn spans(State(intake): State<Intake>, headers: HeaderMap, body: Bytes) -> Response {
    match kind(&headers).as_str() {
        "" | "application/json" => take(intake, &headers, body, decode_v2).await,
        "application/x-protobuf" | "application/protobuf" => {
            take(intake, &headers, body, decode_protobuf).await
        }
        _ => not_understood("application/json or application/x-protobuf"),
    }
}

async fn version_1(State(intake): State<Intake>, headers: HeaderMap, body: Bytes) -> Response {
    match kind(&headers).as_str() {
        "" | "application/json" => take(intake, &headers, body, decode_v1).await,
        _ => not_understood("application/json, or version 2 (POST /api/v2/spans)"),
    }
}

fn kind(headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn not_understood(instead: &str) -> Response {
    let said = format!("this Content-Type is not understood here: send {instead}");
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, said).into_response()
}

async fn take(intake: Intake, headers: &HeaderMap, body: Bytes, decode: Decode) -> Response {
    let body = match body::unpack(headers, body, 4 * intake.limits().body) {
        Ok(body) => body,
        Err(error) => return (error.status(), error.to_string()).into_response(),
    };
    match intake.take(move |_| decode(&body)).await {
        Ok(_) => StatusCode::ACCEPTED.into_response(),
        Err(error @ BadRequest::Malformed(_)) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        Err(BadRequest::Store(error)) => {
            let busy = matches!(error, StoreError::Busy);
            let status = if busy { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, [(RETRY_AFTER, "1")], error.to_string()).into_response()
        }
    }
}
