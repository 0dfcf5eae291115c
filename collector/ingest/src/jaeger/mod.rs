//! Jaeger's query API over gRPC (jaeger-idl 0.6, proto/api_v3/query_service.proto): questions in, spans out in OTLP's form.
//! Only the edge is here, because it is protobuf; who answers is [`Answers`].

mod grpc;
mod message;

use std::{collections::BTreeMap, pin::Pin};

use wirespan_store::Span;

pub use grpc::serve;

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
    /// Not now.
    Busy(String),
}
