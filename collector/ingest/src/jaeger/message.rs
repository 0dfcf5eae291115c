//! The messages of `jaeger.api_v3` (jaeger-idl 0.14, proto/api_v3/query_service.proto) and what they mean; `jaeger.api_v2`
//! shares some of them.

use std::{collections::BTreeMap, ops::Range};

use prost::Message;

use super::{Question, Refusal};

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetTrace {
    #[prost(string, tag = "1")]
    pub(super) trace_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FindTraces {
    #[prost(message, optional, tag = "1")]
    query: Option<Parameters>,
}

/// `TraceQueryParameters`, alike in both versions as far as this. Spans are never adjusted here, so `raw_traces` (9) changes
/// nothing.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Parameters {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(string, tag = "2")]
    operation_name: String,
    #[prost(btree_map = "string, string", tag = "3")]
    attributes: BTreeMap<String, String>,
    #[prost(message, optional, tag = "4")]
    start_time_min: Option<Moment>,
    #[prost(message, optional, tag = "5")]
    start_time_max: Option<Moment>,
    #[prost(message, optional, tag = "6")]
    duration_min: Option<Moment>,
    #[prost(message, optional, tag = "7")]
    duration_max: Option<Moment>,
    #[prost(int32, tag = "8")]
    search_depth: i32,
    /// `filter`, a `jaeger.expression.v1.Call`, as bytes: it is not understood.
    #[prost(bytes = "vec", tag = "10")]
    filter: Vec<u8>,
    /// `pagination`, likewise.
    #[prost(bytes = "vec", tag = "11")]
    pagination: Vec<u8>,
}

/// `google.protobuf.Timestamp` and `google.protobuf.Duration`, which are built alike.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Moment {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct GetServices {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Services {
    #[prost(string, repeated, tag = "1")]
    pub(super) services: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetOperations {
    #[prost(string, tag = "1")]
    pub(super) service: String,
    #[prost(string, tag = "2")]
    pub(super) span_kind: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Operation {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) span_kind: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Operations {
    #[prost(message, repeated, tag = "1")]
    pub(super) operations: Vec<Operation>,
}

/// Of both versions.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct GetDependencies {
    #[prost(message, optional, tag = "1")]
    start_time: Option<Moment>,
    #[prost(message, optional, tag = "2")]
    end_time: Option<Moment>,
}

/// `Dependency`, and version 2's `DependencyLink`, whose source (4) is not said.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Dependency {
    #[prost(string, tag = "1")]
    pub(super) parent: String,
    #[prost(string, tag = "2")]
    pub(super) child: String,
    #[prost(uint64, tag = "3")]
    pub(super) call_count: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dependencies {
    #[prost(message, repeated, tag = "1")]
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceSummary {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(int32, tag = "2")]
    pub(super) span_count: i32,
    #[prost(int32, tag = "3")]
    pub(super) error_span_count: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TraceSummary {
    #[prost(string, tag = "1")]
    pub(super) trace_id: String,
    #[prost(string, tag = "2")]
    pub(super) root_service_name: String,
    #[prost(string, tag = "3")]
    pub(super) root_operation_name: String,
    #[prost(fixed64, tag = "4")]
    pub(super) min_start_time_unix_nano: u64,
    #[prost(fixed64, tag = "5")]
    pub(super) max_end_time_unix_nano: u64,
    #[prost(int32, tag = "6")]
    pub(super) span_count: i32,
    #[prost(int32, tag = "7")]
    pub(super) error_span_count: i32,
    #[prost(int32, tag = "8")]
    pub(super) orphan_span_count: i32,
    #[prost(message, repeated, tag = "9")]
    pub(super) services: Vec<ServiceSummary>,
}

/// `FindTraceSummariesResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Summaries {
    #[prost(message, repeated, tag = "1")]
    pub(super) summaries: Vec<TraceSummary>,
}

impl Moment {
    /// Nothing is before 1970 here, and nothing is shorter than nothing.
    fn nanos(self) -> u64 {
        let seconds = u64::try_from(self.seconds).unwrap_or_default();
        seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(self.nanos).unwrap_or_default())
    }

    pub(super) fn from_nanos(nanos: u64) -> Self {
        Self { seconds: (nanos / 1_000_000_000) as i64, nanos: (nanos % 1_000_000_000) as i32 }
    }
}

impl GetDependencies {
    /// From when to when, in nanoseconds since 1970.
    pub(super) fn range(self) -> Result<(u64, u64), Refusal> {
        match (self.start_time, self.end_time) {
            (Some(start), Some(end)) => Ok((start.nanos(), end.nanos())),
            _ => Err(Refusal::Bad("start_time and end_time are required".to_owned())),
        }
    }
}

impl FindTraces {
    /// What is asked.
    pub(super) fn question(self) -> Result<Question, Refusal> {
        let of = self.query.ok_or_else(|| Refusal::Bad("the request has no query".to_owned()))?;
        if of.start_time_min.is_none() || of.start_time_max.is_none() {
            return Err(Refusal::Bad("start_time_min and start_time_max are required".to_owned()));
        }
        if !of.filter.is_empty() || !of.pagination.is_empty() {
            let said = "filter and pagination are not supported here: ask by service, operation, attributes, durations";
            return Err(Refusal::Bad(said.to_owned()));
        }
        Ok(of.question(0..0))
    }
}

impl Parameters {
    /// What is asked; of these times where no others are said.
    pub(super) fn question(self, usual: Range<u64>) -> Question {
        Question {
            service: said(self.service_name),
            operation: said(self.operation_name),
            attributes: self.attributes,
            start: self.start_time_min.map_or(usual.start, Moment::nanos),
            end: self.start_time_max.map_or(usual.end, Moment::nanos),
            shortest: self.duration_min.map(Moment::nanos).filter(|bound| *bound > 0),
            longest: self.duration_max.map(Moment::nanos).filter(|bound| *bound > 0),
            limit: usize::try_from(self.search_depth).ok().filter(|depth| *depth > 0),
        }
    }
}

/// What is empty was not said.
pub(super) fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let moment = |seconds| Some(Moment { seconds, nanos: 5 });
        Parameters {
            service_name: "web".into(),
            start_time_min: moment(1),
            start_time_max: moment(2),
            duration_min: Some(Moment::default()),
            duration_max: moment(3),
            ..Parameters::default()
        }
    }

    #[test]
    fn what_is_not_said_is_not_asked() {
        let question = FindTraces { query: Some(parameters()) }.question().unwrap();
        assert_eq!((question.start, question.end), (1_000_000_005, 2_000_000_005));
        assert_eq!((question.shortest, question.longest), (None, Some(3_000_000_005)));
        assert_eq!((question.operation, question.limit), (None, None));
    }

    #[test]
    fn times_are_required_and_may_be_nonsense() {
        let none = FindTraces { query: Some(Parameters { start_time_min: None, ..parameters() }) };
        assert!(none.question().is_err() && FindTraces { query: None }.question().is_err());
        let filter = FindTraces { query: Some(Parameters { filter: vec![1], ..parameters() }) };
        assert!(filter.question().is_err());
        let wild = Moment { seconds: i64::MIN, nanos: i32::MIN };
        assert_eq!((wild.nanos(), Moment { seconds: i64::MAX, nanos: 1 }.nanos()), (0, u64::MAX));
    }
}
