//! A request of either version in, an answer out. Refuses who does not know the token.

use std::{pin::Pin, sync::Arc};

use futures_util::stream::{self, Iter};
use http::{Request as HttpRequest, Response as HttpResponse};
use prost::Message;
use tonic::{
    Request, Response, Status,
    body::Body,
    metadata::MetadataMap,
    server::{Grpc, ServerStreamingService, UnaryService},
};
use tonic_prost::ProstCodec;

use super::{Answers, Refusal};
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
