//! The messages of `jaeger.api_v3`, and what they mean.

use std::collections::BTreeMap;

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

/// `TraceQueryParameters`. Spans are never adjusted here, so `raw_traces` (9) changes nothing.
#[derive(Clone, PartialEq, Message)]
struct Parameters {
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
}

/// `google.protobuf.Timestamp` and `google.protobuf.Duration`, which are built alike.
#[derive(Clone, Copy, PartialEq, Message)]
struct Moment {
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

impl Moment {
    /// Nothing is before 1970 here, and nothing is shorter than nothing.
    fn nanos(self) -> u64 {
        let seconds = u64::try_from(self.seconds).unwrap_or_default();
        seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(self.nanos).unwrap_or_default())
    }
}

impl FindTraces {
    /// What is asked.
    pub(super) fn question(self) -> Result<Question, Refusal> {
        let of = self.query.ok_or_else(|| Refusal::Bad("the request has no query".to_owned()))?;
        let (Some(start), Some(end)) = (of.start_time_min, of.start_time_max) else {
            return Err(Refusal::Bad("start_time_min and start_time_max are required".to_owned()));
        };
        Ok(Question {
            service: said(of.service_name),
            operation: said(of.operation_name),
            attributes: of.attributes,
            start: start.nanos(),
            end: end.nanos(),
            shortest: of.duration_min.map(Moment::nanos).filter(|bound| *bound > 0),
            longest: of.duration_max.map(Moment::nanos).filter(|bound| *bound > 0),
            limit: usize::try_from(of.search_depth).ok().filter(|depth| *depth > 0),
        })
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
        let wild = Moment { seconds: i64::MIN, nanos: i32::MIN };
        assert_eq!((wild.nanos(), Moment { seconds: i64::MAX, nanos: 1 }.nanos()), (0, u64::MAX));
    }
}
