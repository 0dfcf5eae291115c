//! `jaeger.api_v3.QueryService`: spans go out in OTLP's form.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Request as HttpRequest;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use tonic::{body::Body, server::NamedService};
use tower_service::Service;
use wirespan_store::Span;

use super::{
    Answers, Later, Overview, Refusal,
    call::{Answered, Desk, unknown},
    message::{
        Dependencies, Dependency, FindTraces, GetDependencies, GetOperations, GetServices, GetTrace,
        Operation, Operations, ServiceSummary, Services, Summaries, TraceSummary, said,
    },
};
use crate::otlp;

/// The service.
#[derive(Clone)]
pub(super) struct Version3(pub(super) Desk);

impl NamedService for Version3 {
    const NAME: &'static str = "jaeger.api_v3.QueryService";
}

impl Service<HttpRequest<Body>> for Version3 {
    type Response = Answered;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let desk = self.0.clone();
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move {
            Ok(match method.as_str() {
                "GetServices" => desk.one(request, services).await,
                "GetOperations" => desk.one(request, operations).await,
                "GetDependencies" => desk.one(request, dependencies).await,
                "GetTrace" => desk.several(request, trace).await,
                "FindTraces" => desk.several(request, find).await,
                "FindTraceSummaries" => desk.several(request, summaries).await,
                _ => unknown(),
            })
        })
    }
}

fn services(answers: Arc<dyn Answers>, _: GetServices) -> Later<Services> {
    Box::pin(async move { Ok(Services { services: answers.services().await? }) })
}

fn operations(answers: Arc<dyn Answers>, of: GetOperations) -> Later<Operations> {
    Box::pin(async move {
        let found = answers.operations(of.service, said(of.span_kind)).await?.into_iter();
        let operations = found.map(|(name, span_kind)| Operation { name, span_kind }).collect();
        Ok(Operations { operations })
    })
}

fn dependencies(answers: Arc<dyn Answers>, of: GetDependencies) -> Later<Dependencies> {
    Box::pin(async move {
        let (start, end) = of.range()?;
        let found = answers.dependencies(start, end).await?.into_iter();
        let one = |(parent, child, call_count)| Dependency { parent, child, call_count };
        Ok(Dependencies { dependencies: found.map(one).collect() })
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
