//! A store that takes nothing: senders are told to come again, in the words of their protocol.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{ops::ControlFlow, sync::Arc};

use axum::{Router, body::Body, response::Response};
use http::{Request, StatusCode, header::RETRY_AFTER};
use tower_service::Service;
use wirespan_ingest::{Intake, Limits, otlp, zipkin};
use wirespan_store::{
    Arrival, Catalogue, Edge, EdgeQuery, Fields, Figure, Found, Hit, Memory, Red, RedQuery, Search, Span,
    Store, StoreError, TraceId,
};

/// Answers, and takes nothing, for this reason.
struct Refusing(Memory, fn() -> StoreError);

impl Store for Refusing {
    fn take(&self, _: Arrival) -> Result<(), StoreError> {
        Err(self.1())
    }

    fn trace(&self, id: TraceId) -> Result<Vec<Span>, StoreError> {
        self.0.trace(id)
    }

    fn outline(&self, id: TraceId) -> Result<Vec<Hit>, StoreError> {
        self.0.outline(id)
    }

    fn search(&self, search: &Search) -> Result<Found, StoreError> {
        self.0.search(search)
    }

    fn scan(
        &self,
        start: u64,
        end: u64,
        each: &mut dyn FnMut(&dyn Fields) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.0.scan(start, end, each)
    }

    fn recent(&self, limit: usize) -> Result<Vec<Span>, StoreError> {
        self.0.recent(limit)
    }

    fn catalogue(&self) -> Result<Catalogue, StoreError> {
        self.0.catalogue()
    }

    fn red(&self, query: &RedQuery) -> Result<Red, StoreError> {
        self.0.red(query)
    }

    fn edges(&self, query: EdgeQuery) -> Result<Vec<Edge>, StoreError> {
        self.0.edges(query)
    }

    fn figure(&self) -> Result<Figure, StoreError> {
        self.0.figure()
    }
}

async fn post(mut router: Router, path: &str, body: &'static str) -> Response {
    let request =
        Request::post(path).header("content-type", "application/json").body(Body::from(body)).unwrap();
    router.call(request).await.unwrap()
}

const OTLP: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
    "spanId":"eee19b7ec3c1b174","name":"GET","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
const ZIPKIN: &str =
    r#"[{"traceId":"5b8efff798038103d269b633813fc60c","id":"eee19b7ec3c1b174","timestamp":1,"duration":1}]"#;

async fn refused(why: fn() -> StoreError, status: StatusCode) {
    let intake = Intake::new(Arc::new(Refusing(Memory::new(10), why)), Limits::default());
    for answer in [
        post(otlp::router(intake.clone()), "/v1/traces", OTLP).await,
        post(zipkin::router(intake.clone()), "/api/v2/spans", ZIPKIN).await,
    ] {
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
    }
    assert_eq!((intake.accepted(), intake.refused()["store"]), (0, 2));
}

#[tokio::test]
async fn senders_are_told_to_come_again() {
    refused(|| StoreError::Busy, StatusCode::TOO_MANY_REQUESTS).await;
    refused(|| StoreError::Full("/data".into()), StatusCode::SERVICE_UNAVAILABLE).await;
}
