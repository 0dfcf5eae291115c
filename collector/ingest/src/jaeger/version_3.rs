//! `jaeger.api_v3.QueryService`: spans go out in OTLP's form.

use std::sync::Arc;

use http::Request as HttpRequest;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use tonic::body::Body;
use wirespan_store::Span;

use super::{
    Answers, Later, Overview, Refusal,
    call::{Answered, Desk, Version, dependencies, services, unknown},
    message::{
        FindTraces, GetOperations, GetTrace, Operation, Operations, ServiceSummary, Summaries, TraceSummary,
        said,
    },
};
use crate::otlp;

/// The service.
pub(super) struct Version3;

impl Version for Version3 {
    const NAME: &'static str = "jaeger.api_v3.QueryService";

    async fn answer(desk: Desk, method: &str, request: HttpRequest<Body>) -> Answered {
        match method {
            "GetServices" => desk.one(request, services).await,
            "GetOperations" => desk.one(request, operations).await,
            "GetDependencies" => desk.one(request, dependencies).await,
            "GetTrace" => desk.several(request, trace).await,
            "FindTraces" => desk.several(request, find).await,
            "FindTraceSummaries" => desk.several(request, summaries).await,
            _ => unknown(),
        }
    }
}

fn operations(answers: Arc<dyn Answers>, of: GetOperations) -> Later<Operations> {
    Box::pin(async move {
        let found = answers.operations(of.service, said(of.span_kind)).await?.into_iter();
        let operations = found.map(|(name, span_kind)| Operation { name, span_kind }).collect();
        Ok(Operations { operations })
    })
}

fn trace(answers: Arc<dyn Answers>, of: GetTrace) -> Later<Vec<TracesData>> {
    Box::pin(async move {
        let spans = answers.trace(of.trace_id).await?;
        if spans.is_empty() { Ok(Vec::new()) } else { Ok(vec![message(&spans)?]) }
    })
}

fn find(answers: Arc<dyn Answers>, of: FindTraces) -> Later<Vec<TracesData>> {
    Box::pin(
        async move { answers.search(of.question()?).await?.iter().map(|spans| message(spans)).collect() },
    )
}

fn summaries(answers: Arc<dyn Answers>, of: FindTraces) -> Later<Vec<Summaries>> {
    Box::pin(async move {
        let found = answers.overviews(of.question()?).await?;
        Ok(vec![Summaries { summaries: found.into_iter().map(summary).collect() }])
    })
}

fn message(spans: &[Span]) -> Result<TracesData, Refusal> {
    TracesData::decode(otlp::encode_protobuf(spans).as_slice())
        .map_err(|error| Refusal::Busy(error.to_string()))
}

fn summary(of: Overview) -> TraceSummary {
    let count = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let service = |(name, spans, errors)| ServiceSummary {
        name,
        span_count: count(spans),
        error_span_count: count(errors),
    };
    let (root_service_name, root_operation_name) = of.root.unwrap_or_default();
    TraceSummary {
        trace_id: of.trace.to_string(),
        root_service_name,
        root_operation_name,
        min_start_time_unix_nano: of.start,
        max_end_time_unix_nano: of.end,
        span_count: count(of.spans),
        error_span_count: count(of.errors),
        orphan_span_count: count(of.orphans),
        services: of.services.into_iter().map(service).collect(),
    }
}
