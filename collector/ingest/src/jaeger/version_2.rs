//! `jaeger.api_v2.QueryService` (jaeger-idl 0.14, proto/api_v2/query.proto): spans go out in Jaeger's own form. What
//! Grafana's and Jaeger's older clients speak.

use std::sync::Arc;

use http::Request as HttpRequest;
use prost::Message;
use tonic::body::Body;
use wirespan_store::Span;

use super::{
    Answers, Later, Refusal,
    call::{Answered, Desk, Version, dependencies, services, unknown},
    message::{GetOperations, Operation, Parameters, said},
    model,
};

/// Spans of one part of an answer: as many as fit into a message of gRPC's usual bound many times.
const CHUNK: usize = 1000;

/// The service.
pub(super) struct Version2;

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

impl Version for Version2 {
    const NAME: &'static str = "jaeger.api_v2.QueryService";

    async fn answer(desk: Desk, method: &str, request: HttpRequest<Body>) -> Answered {
        match method {
            "GetServices" => desk.one(request, services).await,
            "GetOperations" => desk.one(request, operations).await,
            "GetDependencies" => desk.one(request, dependencies).await,
            "GetTrace" => desk.several(request, trace).await,
            "FindTraces" => desk.several(request, find).await,
            _ => unknown(),
        }
    }
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
