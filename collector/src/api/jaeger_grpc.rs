//! Jaeger's gRPC API: the same questions as [`super::jaeger`] answers over HTTP.

use axum::http::StatusCode;
use wirespan_ingest::jaeger::{Answers, Later, Question, Refusal};
use wirespan_store::{Field, Filter, Kind, Op, Operand, Span, TraceId};

use super::{
    Api, Problem,
    jaeger::{MOST, all_operations, ask, equal, tag, whole_traces},
};

/// Traces that are given where nobody says how many.
const USUAL: usize = 100;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        if problem.status == StatusCode::BAD_REQUEST {
            Self::Bad(problem.said)
        } else {
            Self::Busy(problem.said)
        }
    }
}

impl Answers for Api {
    fn services(&self) -> Later<Vec<String>> {
        let api = self.clone();
        Box::pin(async move {
            let catalogue = api.ask(|store| store.catalogue()).await?;
            Ok(catalogue.services().into_iter().map(|service| service.name.to_string()).collect())
        })
    }

    fn operations(&self, service: String, kind: Option<String>) -> Later<Vec<(String, String)>> {
        let api = self.clone();
        Box::pin(async move {
            let bad = |kind: String| Refusal::Bad(format!("`{kind}` is no kind of span"));
            let kind: Option<Kind> = kind.map(|kind| kind.parse().map_err(|()| bad(kind))).transpose()?;
            let mut all = all_operations(&api, Some(service)).await?;
            all.retain(|operation| kind.is_none_or(|kind| kind == operation.kind));
            Ok(all.into_iter().map(|one| (one.name.to_string(), one.kind.name().to_owned())).collect())
        })
    }

    fn trace(&self, id: String) -> Later<Vec<Span>> {
        let api = self.clone();
        Box::pin(async move {
            let id: TraceId = id.parse().map_err(|error| Refusal::Bad(format!("{error}")))?;
            Ok(api.ask(move |store| store.trace(id)).await?)
        })
    }

    fn search(&self, question: Question) -> Later<Vec<Vec<Span>>> {
        let api = self.clone();
        Box::pin(async move {
            let limit = question.limit.unwrap_or(USUAL).min(MOST);
            let ask = ask(filters(&question), question.start, question.end, limit);
            Ok(api.ask(move |store| whole_traces(store, &ask)).await?)
        })
    }
}

fn filters(of: &Question) -> Vec<Filter> {
    let mut all: Vec<Filter> =
        of.attributes.iter().map(|(key, value)| tag(key, &value.as_str().into())).collect();
    all.extend(of.service.clone().map(|name| equal(Field::Service, name)));
    all.extend(of.operation.clone().map(|name| equal(Field::Name, name)));
    for (op, bound) in [(Op::Ge, of.shortest), (Op::Le, of.longest)] {
        let bound = bound.map(|bound| Operand::Int(i64::try_from(bound).unwrap_or(i64::MAX)));
        all.extend(bound.map(|bound| Filter::Compare(Field::Duration, op, bound)));
    }
    all
}
