//! Jaeger's query API over gRPC, both versions on one port: questions in, spans out. Only the edge is here, because it is
//! protobuf; who answers is [`Answers`].

mod call;
mod message;
mod model;
mod version_2;
mod version_3;

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use tonic::service::Routes;
use wirespan_store::{Span, TraceId};

use self::{
    call::{Desk, Served},
    version_2::Version2,
    version_3::Version3,
};
use crate::{
    Port,
    otlp::{self, Authorize},
};

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
    let desk = Desk { answers, authorize };
    let routes =
        Routes::new(Served::<Version3>::new(desk.clone())).add_service(Served::<Version2>::new(desk));
    otlp::serve_routes(port, routes, stop).await
}

/// Something that comes later.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send>>;

/// Who answers.
pub trait Answers: Send + Sync + 'static {
    /// The names of all services.
    fn services(&self) -> Later<Vec<String>>;

    /// Name and kind of a service's operations, of one kind where that is asked for.
    fn operations(&self, service: String, kind: Option<String>) -> Later<Vec<(String, String)>>;

    /// The spans of the trace with this id, in hex; none where there is no such trace.
    fn trace(&self, id: String) -> Later<Vec<Span>>;

    /// Traces, the newest first.
    fn search(&self, question: Question) -> Later<Vec<Vec<Span>>>;

    /// The same in short.
    fn overviews(&self, question: Question) -> Later<Vec<Overview>>;

    /// Who called whom how often between two moments, in nanoseconds since 1970.
    fn dependencies(&self, start: u64, end: u64) -> Later<Vec<(String, String, u64)>>;
}

/// A trace in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Its id.
    pub trace: TraceId,
    /// Service and name of its root; none where the root is missing.
    pub root: Option<(String, String)>,
    /// The first start, in nanoseconds since 1970.
    pub start: u64,
    /// The last end.
    pub end: u64,
    /// Spans.
    pub spans: u64,
    /// Failed spans.
    pub errors: u64,
    /// Spans whose parent is missing.
    pub orphans: u64,
    /// Services with their spans and failed spans, by name.
    pub services: Vec<(String, u64, u64)>,
}

/// Which traces are wanted: those with a span that meets all of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Of this service.
    pub service: Option<String>,
    /// Of this name.
    pub operation: Option<String>,
    /// With these attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// The earliest start, in nanoseconds since 1970.
    pub start: u64,
    /// The latest, exclusive.
    pub end: u64,
    /// The least duration in nanoseconds.
    pub shortest: Option<u64>,
    /// The most.
    pub longest: Option<u64>,
    /// So many traces; none: as many as are usual.
    pub limit: Option<usize>,
}

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is wrong.
    Bad(String),
    /// What it asks for is not there.
    Unknown(String),
    /// Not now.
    Busy(String),
}
