//! `jaeger.api_v3.QueryService` on a port.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::stream::{self, Iter};
use http::{Request as HttpRequest, Response as HttpResponse};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use tonic::{
    Request, Response, Status,
    body::Body,
    metadata::MetadataMap,
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
    service::Routes,
};
use tonic_prost::ProstCodec;
use tower_service::Service;
use wirespan_store::Span;

use super::{
    Answers, Refusal,
    message::{FindTraces, GetOperations, GetServices, GetTrace, Operation, Operations, Services, said},
};
use crate::{
    Port,
    otlp::{self, Authorize},
};

/// What a call gives, later.
type Later<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
/// The parts of an answer that comes in parts: a trace each.
type Parts = Iter<std::vec::IntoIter<Result<TracesData, Status>>>;

/// Answers until `stop`.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    port: Port,
    answers: Arc<dyn Answers>,
    authorize: Authorize,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    otlp::serve_routes(port, Routes::new(Query { answers, authorize }), stop).await
}

#[derive(Clone)]
struct Query {
    answers: Arc<dyn Answers>,
    authorize: Authorize,
}

impl NamedService for Query {
    const NAME: &'static str = "jaeger.api_v3.QueryService";
}

impl Service<HttpRequest<Body>> for Query {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let query = self.clone();
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move {
            Ok(match method.as_str() {
                "GetServices" => {
                    Grpc::new(ProstCodec::default()).unary(Unary(query, services), request).await
                }
                "GetOperations" => {
                    Grpc::new(ProstCodec::default()).unary(Unary(query, operations), request).await
                }
                "GetTrace" => {
                    Grpc::new(ProstCodec::default()).server_streaming(Streamed(query, trace), request).await
                }
                "FindTraces" => {
                    Grpc::new(ProstCodec::default()).server_streaming(Streamed(query, find), request).await
                }
                _ => Status::unimplemented("this method is not supported here").into_http(),
            })
        })
    }
}

impl Query {
    fn admits(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let given = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let missing = "the token is missing or wrong: send `authorization: Bearer TOKEN`";
        if (self.authorize)(given) { Ok(()) } else { Err(Status::unauthenticated(missing)) }
    }
}

/// A method that gives one message.
struct Unary<Q, A>(Query, fn(Arc<dyn Answers>, Q) -> super::Later<A>);

impl<Q, A: Send + 'static> UnaryService<Q> for Unary<Q, A> {
    type Response = A;
    type Future = Later<A>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let admitted = self.0.admits(request.metadata());
        let answer = self.1(self.0.answers.clone(), request.into_inner());
        Box::pin(async move {
            admitted?;
            answer.await.map(Response::new).map_err(status)
        })
    }
}

/// Traces, each as its spans.
type Traces = Vec<Vec<Span>>;

/// A method that gives traces.
struct Streamed<Q>(Query, fn(Arc<dyn Answers>, Q) -> super::Later<Traces>);

impl<Q> ServerStreamingService<Q> for Streamed<Q> {
    type Response = TracesData;
    type ResponseStream = Parts;
    type Future = Later<Parts>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let admitted = self.0.admits(request.metadata());
        let answer = self.1(self.0.answers.clone(), request.into_inner());
        Box::pin(async move {
            admitted?;
            let traces = answer.await.map_err(status)?;
            let parts: Vec<_> = traces.iter().map(|spans| message(spans)).collect();
            Ok(Response::new(stream::iter(parts)))
        })
    }
}

fn services(answers: Arc<dyn Answers>, _: GetServices) -> super::Later<Services> {
    Box::pin(async move { Ok(Services { services: answers.services().await? }) })
}

fn operations(answers: Arc<dyn Answers>, of: GetOperations) -> super::Later<Operations> {
    Box::pin(async move {
        let found = answers.operations(of.service, said(of.span_kind)).await?.into_iter();
        let operations = found.map(|(name, span_kind)| Operation { name, span_kind }).collect();
        Ok(Operations { operations })
    })
}

fn trace(answers: Arc<dyn Answers>, of: GetTrace) -> super::Later<Vec<Vec<Span>>> {
    Box::pin(async move {
        let spans = answers.trace(of.trace_id).await?;
        Ok(if spans.is_empty() { Vec::new() } else { vec![spans] })
    })
}

fn find(answers: Arc<dyn Answers>, of: FindTraces) -> super::Later<Vec<Vec<Span>>> {
    Box::pin(async move { answers.search(of.question()?).await })
}

fn message(spans: &[Span]) -> Result<TracesData, Status> {
    TracesData::decode(otlp::encode_protobuf(spans).as_slice())
        .map_err(|error| Status::internal(error.to_string()))
}

fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Bad(said) => Status::invalid_argument(said),
        Refusal::Busy(said) => Status::unavailable(said),
    }
}
