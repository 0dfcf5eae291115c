//! `jaeger.api_v2.QueryService` (jaeger-idl 0.14, proto/api_v2/query.proto): spans go out in Jaeger's own form. What
//! Grafana's and Jaeger's older clients speak.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Request as HttpRequest;
use prost::Message;
use tonic::{body::Body, server::NamedService};
use tower_service::Service;
use wirespan_store::Span;

use super::{
    Answers, Later, Refusal,
    call::{Answered, Desk, unknown},
    message::{GetDependencies, GetOperations, GetServices, Operation, Parameters, Services, said},
    model,
};

/// Spans of one part of an answer: as many as fit into a message of gRPC's usual bound many times.
const CHUNK: usize = 1000;

/// The service.
#[derive(Clone)]
pub(super) struct Version2(pub(super) Desk);

#[derive(Clone, PartialEq, Message)]
struct GetTrace {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct FindTraces {
    #[prost(message, optional, tag = "1")]
    query: Option<Parameters>,
}

#[derive(Clone, PartialEq, Message)]
struct SpansResponseChunk {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<model::Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Operations {
    #[prost(string, repeated, tag = "1")]
    operation_names: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    operations: Vec<Operation>,
}

/// `DependencyLink`; its source (4) is not said.
#[derive(Clone, PartialEq, Message)]
struct DependencyLink {
    #[prost(string, tag = "1")]
    parent: String,
    #[prost(string, tag = "2")]
    child: String,
    #[prost(uint64, tag = "3")]
    call_count: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Dependencies {
    #[prost(message, repeated, tag = "1")]
    dependencies: Vec<DependencyLink>,
}

impl NamedService for Version2 {
    const NAME: &'static str = "jaeger.api_v2.QueryService";
}

impl Service<HttpRequest<Body>> for Version2 {
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
        let found = answers.operations(of.service, said(of.span_kind)).await?;
        let mut operation_names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
        operation_names.sort_unstable();
        operation_names.dedup();
        let operations = found.into_iter().map(|(name, span_kind)| Operation { name, span_kind }).collect();
        Ok(Operations { operation_names, operations })
    })
}

fn dependencies(answers: Arc<dyn Answers>, of: GetDependencies) -> Later<Dependencies> {
    Box::pin(async move {
        let (start, end) = of.range()?;
        let found = answers.dependencies(start, end).await?.into_iter();
        let link = |(parent, child, call_count)| DependencyLink { parent, child, call_count };
        Ok(Dependencies { dependencies: found.map(link).collect() })
    })
}

fn trace(answers: Arc<dyn Answers>, of: GetTrace) -> Later<Vec<SpansResponseChunk>> {
    Box::pin(async move {
        if of.trace_id.len() != 16 {
            return Err(Refusal::Bad("a trace's id has 16 bytes".to_owned()));
        }
        let id = of.trace_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let spans = answers.trace(id.clone()).await?;
        if spans.is_empty() {
            return Err(Refusal::Unknown(format!("trace not found: there is no trace {id}")));
        }
        Ok(chunks(&spans))
    })
}

fn find(answers: Arc<dyn Answers>, of: FindTraces) -> Later<Vec<SpansResponseChunk>> {
    Box::pin(async move {
        let query = of.query.ok_or_else(|| Refusal::Bad("missing query".to_owned()))?;
        let found = answers.search(query.question(0..u64::MAX)).await?;
        Ok(found.iter().flat_map(|spans| chunks(spans)).collect())
    })
}

fn chunks(spans: &[Span]) -> Vec<SpansResponseChunk> {
    let chunk = |spans: &[Span]| SpansResponseChunk { spans: spans.iter().map(model::Span::from).collect() };
    spans.chunks(CHUNK).map(chunk).collect()
}
