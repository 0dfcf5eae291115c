//! OTLP over HTTP (OTLP specification, "OTLP/HTTP"): `POST /v1/traces`, protobuf and JSON, gzip. Logs and metrics get an
//! answer that says that nobody keeps them here.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::json;
use wirespan_store::StoreError;

use super::{BadRequest, decode_json, decode_protobuf};
use crate::{Intake, Taken, body};

const PROTOBUF: &str = "application/x-protobuf";

/// The paths of OTLP/HTTP.
pub fn router(intake: Intake) -> Router {
    let most = intake.limits().body;
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(not_kept))
        .route("/v1/metrics", post(not_kept))
        .layer(DefaultBodyLimit::max(most))
        .with_state(intake)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
}

fn form(headers: &HeaderMap) -> Option<Form> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        PROTOBUF | "application/protobuf" => Some(Form::Protobuf),
        "application/json" => Some(Form::Json),
        _ => None,
    }
}

async fn traces(State(intake): State<Intake>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(form) = form(&headers) else {
        let said = format!("Content-Type must be {PROTOBUF} or application/json");
        return problem(Form::Json, StatusCode::UNSUPPORTED_MEDIA_TYPE, said);
    };
    let body = match body::unpack(&headers, body, 4 * intake.limits().body) {
        Ok(body) => body,
        Err(error) => return problem(form, error.status(), error.to_string()),
    };
    let decode = match form {
        Form::Protobuf => decode_protobuf,
        Form::Json => decode_json,
    };
    match intake.take(move |limits| decode(&body, limits)).await {
        Ok(taken) => success(form, taken),
        Err(error) => {
            let status = status(&error);
            problem(form, status, error.to_string())
        }
    }
}

fn status(error: &BadRequest) -> StatusCode {
    match error {
        BadRequest::Malformed(_) => StatusCode::BAD_REQUEST,
        BadRequest::Store(StoreError::Busy) => StatusCode::TOO_MANY_REQUESTS,
        BadRequest::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn success(form: Form, taken: Taken) -> Response {
    let partial = !taken.said.is_empty();
    match form {
        Form::Json if partial => {
            let partial = json!({ "rejectedSpans": taken.refused.to_string(), "errorMessage": taken.said });
            Json(json!({ "partialSuccess": partial })).into_response()
        }
        Form::Json => Json(json!({})).into_response(),
        Form::Protobuf => {
            let partial_success = partial.then_some(ExportTracePartialSuccess {
                rejected_spans: taken.refused as i64,
                error_message: taken.said,
            });
            ([(CONTENT_TYPE, PROTOBUF)], ExportTraceServiceResponse { partial_success }.encode_to_vec())
                .into_response()
        }
    }
}

/// `google.rpc.Status`, as OTLP wants errors; only the message is of use to anybody.
fn problem(form: Form, status: StatusCode, said: String) -> Response {
    let body = match form {
        Form::Json => Json(json!({ "message": said })).into_response(),
        Form::Protobuf => {
            ([(CONTENT_TYPE, PROTOBUF)], Status { message: said }.encode_to_vec()).into_response()
        }
    };
    let again = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    if again { (status, [(RETRY_AFTER, "1")], body).into_response() } else { (status, body).into_response() }
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

async fn not_kept(headers: HeaderMap) -> Response {
    let said = "wirespan keeps traces only: send logs and metrics elsewhere, or turn their exporters off \
                (OTEL_LOGS_EXPORTER=none, OTEL_METRICS_EXPORTER=none)";
    problem(form(&headers).unwrap_or(Form::Json), StatusCode::NOT_FOUND, said.to_owned())
}
