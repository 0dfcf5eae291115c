//! The names of tags and their values, from which Grafana completes what is typed. Both are learned from the most recent
//! spans; services and operations come from the catalogue, which knows them all.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use serde_json::json;
use wirespan_query::traceql::{self, ROOT_NAME, ROOT_SERVICE, Spanset, of_trace};
use wirespan_store::{Attribute, Field, Fields, Filter, Kind, Owner, Scalar, Span, StatusCode};

use super::{Answer, MOST};
use crate::api::{Api, Parameters, Problem};

/// Recent spans that tags are learned from.
const SAMPLE: usize = 5000;
/// The fields that are no attributes and that a query may name; identities are not for completing.
const INTRINSICS: [&str; 19] = [
    "duration",
    "event:name",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:kind",
    "span:name",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];
/// Scopes of attributes.
const SCOPES: [(&str, Owner); 5] = [
    ("span", Owner::Span),
    ("resource", Owner::Resource),
    ("event", Owner::Event),
    ("link", Owner::Link),
    ("instrumentation", Owner::Scope),
];

/// The paths.
pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/api/search/tags", get(tags))
        .route("/api/v2/search/tags", get(tags_2))
        .route("/api/search/tag/{tag}/values", get(values))
        .route("/api/v2/search/tag/{tag}/values", get(values_2))
}

/// Names of tags by scope.
type Names = BTreeMap<&'static str, BTreeSet<String>>;

/// Attributes of a scope.
fn attributes(span: &Span, owner: Owner) -> Vec<&Attribute> {
    match owner {
        Owner::Any | Owner::Span => span.attributes.iter().collect(),
        Owner::Resource => span.resource.attributes.iter().collect(),
        Owner::Scope => span.scope.attributes.iter().collect(),
        Owner::Event => span.events.iter().flat_map(|event| &event.attributes).collect(),
        Owner::Link => span.links.iter().flat_map(|link| &link.attributes).collect(),
    }
}

/// Those of one scope where `scope` names one, else those of all.
async fn names(api: &Api, mut parameters: Parameters, intrinsics: bool) -> Result<Names, Problem> {
    let scope = parameters.one("scope").filter(|scope| scope != "none");
    let wanted = |name: &str| scope.as_ref().is_none_or(|scope| scope == name);
    if !SCOPES.iter().any(|(name, _)| wanted(name)) && !wanted("intrinsic") {
        let said = "the scopes are span, resource, event, link, instrumentation, intrinsic and none";
        return Err(Problem::bad("scope", said));
    }
    let spans = recent(api, parameters.one("q")).await?;
    let mut all = Names::new();
    for (name, owner) in SCOPES.iter().filter(|(name, _)| wanted(name)) {
        let found = spans.iter().flat_map(|span| attributes(span, *owner));
        let keys: BTreeSet<_> = found.map(|attribute| attribute.key.to_string()).collect();
        all.extend((!keys.is_empty()).then_some((*name, keys)));
    }
    if wanted("intrinsic") && (intrinsics || scope.is_some()) {
        all.insert("intrinsic", INTRINSICS.map(str::to_owned).into());
    }
    Ok(all)
}

async fn tags(State(api): State<Api>, parameters: Parameters) -> Answer {
    // Where nobody asks for a scope, this version tells attributes alone.
    let named = parameters.has("scope");
    let names = names(&api, parameters, named).await?;
    let all: BTreeSet<_> = names.into_values().flatten().collect();
    Ok(Json(json!({ "tagNames": all })))
}

async fn tags_2(State(api): State<Api>, parameters: Parameters) -> Answer {
    let names = names(&api, parameters, true).await?.into_iter();
    let scopes = names.map(|(name, tags)| json!({ "name": name, "tags": tags }));
    Ok(Json(json!({ "scopes": scopes.collect::<Vec<_>>() })))
}

/// Recent spans; with a query, those that it means as far as it can be understood.
async fn recent(api: &Api, query: Option<String>) -> Result<Vec<Span>, Problem> {
    let filter = query.and_then(|text| narrowed(&text)).unwrap_or_default();
    let mut spans = api.ask(|store| store.recent(SAMPLE)).await?;
    spans.retain(|span| filter.holds(span));
    Ok(spans)
}

/// The condition of a query that may be half typed: of conditions that must all hold, those that are complete.
fn narrowed(text: &str) -> Option<Filter> {
    if let Ok(query) = traceql::parse(text) {
        return query.simple().cloned();
    }
    let inner = text.trim().strip_prefix('{')?.trim_end_matches([' ', '}']);
    if inner.contains("||") {
        return None;
    }
    let whole = inner.split("&&").filter_map(|piece| {
        let query = traceql::parse(&format!("{{{piece}}}")).ok()?;
        query.simple().cloned()
    });
    Some(Filter::And(whole.collect()))
}

/// What is asked for: a field, or as an attribute of whatever is nearest what is none. Grafana encodes names twice.
fn field(tag: &str) -> Field {
    let tag = tag.replace("%2F", "/").replace("%3A", ":").replace("%20", " ").replace("%22", "\"");
    let tag = tag.replace('"', "");
    let legacy = [
        ("status.code", Field::Status),
        ("root.name", of_trace(ROOT_NAME)),
        ("root.service.name", of_trace(ROOT_SERVICE)),
        ("service.name", Field::Service),
        (".service.name", Field::Service),
        ("resource.service.name", Field::Service),
    ];
    if let Some((_, field)) = legacy.into_iter().find(|(name, _)| *name == tag) {
        return field;
    }
    if let Ok(Spanset::Where(Filter::Exists(field))) = traceql::parse(&format!("{{ {tag} != nil }}")) {
        return field;
    }
    let scoped = SCOPES.iter().find_map(|(name, owner)| {
        let key = tag.strip_prefix(name)?.strip_prefix('.')?;
        Some(Field::Attribute(*owner, key.into()))
    });
    scoped.unwrap_or_else(|| Field::Attribute(Owner::Any, tag.trim_start_matches('.').into()))
}

/// Values with their type as Tempo names it.
type Values = BTreeSet<(String, &'static str)>;

async fn all_values(api: &Api, tag: &str, query: Option<String>) -> Result<Values, Problem> {
    let field = field(tag);
    let words = |words: &[&str]| words.iter().map(|word| ((*word).to_owned(), "keyword")).collect();
    match field {
        Field::Status => return Ok(words(&StatusCode::ALL.map(StatusCode::name))),
        Field::Kind => return Ok(words(&Kind::ALL.map(Kind::name))),
        Field::Service | Field::Name if query.is_none() => {
            let catalogue = api.ask(|store| store.catalogue()).await?;
            let service = |of: &wirespan_store::Service| of.name.to_string();
            let name = |of: &wirespan_store::Operation| of.name.to_string();
            let names: Vec<_> = match field {
                Field::Service => catalogue.services().iter().map(service).collect(),
                _ => catalogue.operations(None).iter().map(name).collect(),
            };
            return Ok(names.into_iter().map(|name| (name, "string")).collect());
        }
        // Hardly two spans have the same.
        Field::Duration | Field::Start | Field::TraceId | Field::SpanId | Field::ParentId => {
            return Ok(Values::new());
        }
        _ => {}
    }
    let spans = recent(api, query).await?;
    let mut values = Values::new();
    spans.iter().for_each(|span| collect(span, &field, &mut values));
    Ok(values.into_iter().take(MOST).collect())
}

fn collect(span: &Span, field: &Field, into: &mut Values) {
    let root = span.parent.is_none();
    let field = match field {
        of if *of == of_trace(ROOT_NAME) && root => &Field::Name,
        of if *of == of_trace(ROOT_SERVICE) && root => &Field::Service,
        other => other,
    };
    span.any(field, &mut |scalar| {
        let kind = match scalar {
            Scalar::Int(_) => "int",
            Scalar::Float(_) => "float",
            Scalar::Bool(_) => "bool",
            Scalar::Text(_) | Scalar::Kind(_) | Scalar::Status(_) => "string",
        };
        let text = scalar.text();
        if !text.is_empty() {
            into.insert((text.into_owned(), kind));
        }
        false
    });
}

async fn values(State(api): State<Api>, Path(tag): Path<String>) -> Answer {
    let values = all_values(&api, &tag, None).await?.into_iter().map(|(value, _)| value);
    Ok(Json(json!({ "tagValues": values.collect::<Vec<_>>() })))
}

async fn values_2(State(api): State<Api>, Path(tag): Path<String>, mut parameters: Parameters) -> Answer {
    let values = all_values(&api, &tag, parameters.one("q")).await?.into_iter();
    let values = values.map(|(value, kind)| json!({ "type": kind, "value": value }));
    Ok(Json(json!({ "tagValues": values.collect::<Vec<_>>() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_typed_narrows_by_what_is_whole() {
        let shown = |text| format!("{:?}", narrowed(text));
        let whole = narrowed("{ resource.service.name = \"web\" }");
        let half = "{ resource.service.name = \"web\" && span.http.route = }";
        assert_eq!(shown(half), format!("{:?}", whole.map(|one| Filter::And(vec![one]))));
        assert_eq!(shown("{ .a = 1 || .b = }"), "None");
        assert_eq!(shown("nonsense"), "None");
    }

    #[test]
    fn tags_are_fields() {
        let attribute = |owner, key: &str| Field::Attribute(owner, key.into());
        let cases = [
            ("span.http.route", attribute(Owner::Span, "http.route")),
            ("span.a%2Fb", attribute(Owner::Span, "a/b")),
            ("resource.\"host.name\"", attribute(Owner::Resource, "host.name")),
            ("nobody", attribute(Owner::Any, "nobody")),
            ("span.service.name", attribute(Owner::Span, "service.name")),
            ("rootName", of_trace(ROOT_NAME)),
            ("span:status", Field::Status),
        ];
        for (tag, expected) in cases {
            assert_eq!(field(tag), expected, "{tag}");
        }
    }
}
