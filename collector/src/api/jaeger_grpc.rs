//! Jaeger's gRPC API: the same questions as [`super::jaeger`] answers over HTTP.

use axum::http::StatusCode;
use wirespan_ingest::jaeger::{Answers, Later, Overview, Question, Refusal};
use wirespan_query::{Ask, Summary, traces};
use wirespan_store::{EdgeQuery, Field, Filter, Kind, NodeKind, Op, Operand, Span, TraceId};

use super::{
    Api, Problem,
    jaeger::{MOST, all_operations, ask, equal, tag, whole_traces},
};

/// Traces that are given where nobody says how many.
const USUAL: usize = 100;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem.status {
            StatusCode::BAD_REQUEST => Self::Bad(problem.said),
            StatusCode::NOT_FOUND => Self::Unknown(problem.said),
            _ => Self::Busy(problem.said),
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
            let ask = asked(&question);
            Ok(api.ask(move |store| whole_traces(store, &ask)).await?)
        })
    }

    fn overviews(&self, question: Question) -> Later<Vec<Overview>> {
        let api = self.clone();
        Box::pin(async move {
            let ask = asked(&question);
            let answer = api.ask(move |store| traces(store, &ask)).await?;
            Ok(answer.traces.iter().map(overview).collect())
        })
    }

    fn dependencies(&self, start: u64, end: u64) -> Later<Vec<(String, String, u64)>> {
        let api = self.clone();
        Box::pin(async move {
            let edges = api.ask(move |store| store.edges(EdgeQuery { start, end })).await?;
            let called = edges.into_iter().filter(|edge| edge.kind == NodeKind::Service);
            Ok(called.map(|edge| (edge.from.into(), edge.to.into(), edge.figures.spans)).collect())
        })
    }
}

fn asked(question: &Question) -> Ask {
    let limit = question.limit.unwrap_or(USUAL).min(MOST);
    ask(filters(question), question.start, question.end, limit)
}

fn overview(of: &Summary) -> Overview {
    let root = of.root.as_ref().filter(|_| !of.root_missing);
    let services = of.services.iter();
    Overview {
        trace: of.trace,
        root: root.map(|root| (root.service.to_string(), root.name.to_string())),
        start: of.start,
        end: of.start.saturating_add(of.duration),
        spans: of.spans,
        errors: of.errors,
        orphans: of.orphans,
        services: services.map(|(name, (spans, errors))| (name.to_string(), *spans, *errors)).collect(),
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
