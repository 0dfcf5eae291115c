//! A request of either version in, an answer out. Refuses who does not know the token.

use std::{
    convert::Infallible,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::stream::{self, Iter};
use http::{Request as HttpRequest, Response as HttpResponse};
use prost::Message;
use tonic::{
    Request, Response, Status,
    body::Body,
    metadata::MetadataMap,
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
};
use tonic_prost::ProstCodec;
use tower_service::Service;

use super::{
    Answers, Refusal,
    message::{Dependencies, Dependency, GetDependencies, GetServices, Services},
};
use crate::otlp::Authorize;

/// What a call gives, later.
type Later<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
/// An answer that comes in parts.
type Parts<P> = Iter<std::vec::IntoIter<Result<P, Status>>>;
/// What an HTTP/2 server gives.
pub(super) type Answered = HttpResponse<Body>;

/// Who answers, and whom.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) answers: Arc<dyn Answers>,
    pub(super) authorize: Authorize,
}

/// A version of the service.
pub(super) trait Version: Send + Sync + 'static {
    /// As the path has it.
    const NAME: &'static str;

    /// Answers by the method's name.
    fn answer(desk: Desk, method: &str, request: HttpRequest<Body>) -> impl Future<Output = Answered> + Send;
}

/// A version as the port serves it.
pub(super) struct Served<V>(Desk, PhantomData<V>);

impl<V: Version> Served<V> {
    pub(super) fn new(desk: Desk) -> Self {
        Self(desk, PhantomData)
    }
}

impl<V> Clone for Served<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<V: Version> NamedService for Served<V> {
    const NAME: &'static str = V::NAME;
}

impl<V: Version> Service<HttpRequest<Body>> for Served<V> {
    type Response = Answered;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let desk = self.0.clone();
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move { Ok(V::answer(desk, &method, request).await) })
    }
}

/// `GetServices`, the same in both versions.
pub(super) fn services(answers: Arc<dyn Answers>, _: GetServices) -> super::Later<Services> {
    Box::pin(async move { Ok(Services { services: answers.services().await? }) })
}

/// `GetDependencies`, likewise; where version 2 has more to say, it is not said.
pub(super) fn dependencies(answers: Arc<dyn Answers>, of: GetDependencies) -> super::Later<Dependencies> {
    Box::pin(async move {
        let (start, end) = of.range()?;
        let found = answers.dependencies(start, end).await?.into_iter();
        let one = |(parent, child, call_count)| Dependency { parent, child, call_count };
        Ok(Dependencies { dependencies: found.map(one).collect() })
    })
}

/// How a method finds its answer.
type Find<Q, A> = fn(Arc<dyn Answers>, Q) -> super::Later<A>;

impl Desk {
    /// Answers with one message.
    pub(super) async fn one<Q, A>(self, request: HttpRequest<Body>, find: Find<Q, A>) -> Answered
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
    {
        Grpc::new(ProstCodec::default()).unary(Asked(self, find), request).await
    }

    /// Answers with one message after the other.
    pub(super) async fn several<Q, P>(self, request: HttpRequest<Body>, find: Find<Q, Vec<P>>) -> Answered
    where
        Q: Message + Default + 'static,
        P: Message + 'static,
    {
        Grpc::new(ProstCodec::default()).server_streaming(Asked(self, find), request).await
    }

    fn admits(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let given = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let missing = "the token is missing or wrong: send `authorization: Bearer TOKEN`";
        if (self.authorize)(given) { Ok(()) } else { Err(Status::unauthenticated(missing)) }
    }
}

/// A method, asked.
struct Asked<Q, A>(Desk, Find<Q, A>);

impl<Q, A: Send + 'static> Asked<Q, A> {
    fn answer(
        &self,
        request: Request<Q>,
    ) -> impl Future<Output = Result<A, Status>> + Send + use<Q, A> + 'static {
        let admitted = self.0.admits(request.metadata());
        let find = self.1;
        // Nothing is looked up for a caller who may not know it.
        let answer = admitted.map(|()| find(self.0.answers.clone(), request.into_inner()));
        async move { answer?.await.map_err(status) }
    }
}

impl<Q, A: Send + 'static> UnaryService<Q> for Asked<Q, A> {
    type Response = A;
    type Future = Later<A>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let answer = self.answer(request);
        Box::pin(async move { answer.await.map(Response::new) })
    }
}

impl<Q, P: Send + 'static> ServerStreamingService<Q> for Asked<Q, Vec<P>> {
    type Response = P;
    type ResponseStream = Parts<P>;
    type Future = Later<Parts<P>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let answer = self.answer(request);
        Box::pin(async move {
            let parts: Vec<_> = answer.await?.into_iter().map(Ok).collect();
            Ok(Response::new(stream::iter(parts)))
        })
    }
}

/// The answer to a method that is not there.
pub(super) fn unknown() -> Answered {
    Status::unimplemented("this method is not supported here").into_http()
}

fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Bad(said) => Status::invalid_argument(said),
        Refusal::Unknown(said) => Status::not_found(said),
        Refusal::Busy(said) => Status::unavailable(said),
    }
}
