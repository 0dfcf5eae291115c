//! Spans in; the services and operations there are out.

use rustc_hash::FxHashMap;

use crate::{Kind, Span, Text};

/// The most operations that are told apart; beyond that they are counted as [`OTHER`].
const MOST_OPERATIONS: usize = 20_000;
/// What further operations are called.
pub(crate) const OTHER: &str = "(other)";

/// A service that sent spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: Text,
    /// Its spans.
    pub spans: u64,
    /// Its failed spans.
    pub errors: u64,
    /// The earliest start of a span, in nanoseconds since 1970.
    pub first: u64,
    /// The latest.
    pub last: u64,
}

/// A kind of span that a service sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The service.
    pub service: Text,
    /// The spans' name.
    pub name: Text,
    /// The spans' kind.
    pub kind: Kind,
    /// How many.
    pub spans: u64,
}

/// Services and operations.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    services: FxHashMap<Text, Service>,
    operations: FxHashMap<(Text, Text, Kind), u64>,
}

impl Catalogue {
    /// Takes one span; the answer is what its operation is called here.
    pub fn add(&mut self, span: &Span) -> Text {
        let service = span.resource.service.clone();
        self.service(&Service {
            name: service.clone(),
            spans: 1,
            errors: span.failed().into(),
            first: span.start,
            last: span.start,
        });
        self.operation(&Operation { service, name: span.name.clone(), kind: span.kind, spans: 1 })
    }

    /// Takes a service's figures.
    pub fn service(&mut self, of: &Service) {
        let service = self.services.entry(of.name.clone()).or_insert_with(|| Service {
            name: of.name.clone(),
            first: u64::MAX,
            ..Service::default()
        });
        service.spans += of.spans;
        service.errors += of.errors;
        service.first = service.first.min(of.first);
        service.last = service.last.max(of.last);
    }

    /// Takes an operation's figures; the answer is what it is called here.
    pub fn operation(&mut self, of: &Operation) -> Text {
        let full = self.operations.len() >= MOST_OPERATIONS;
        let mut key = (of.service.clone(), of.name.clone(), of.kind);
        if full && !self.operations.contains_key(&key) {
            key.1 = Text::new_static(OTHER);
        }
        let name = key.1.clone();
        *self.operations.entry(key).or_default() += of.spans;
        name
    }

    /// Takes all of another.
    pub fn merge(&mut self, other: &Self) {
        other.services.values().for_each(|service| self.service(service));
        for operation in other.operations(None) {
            self.operation(&operation);
        }
    }

    /// Services by name.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        let mut services: Vec<_> = self.services.values().cloned().collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        services
    }

    /// Operations by service, name and kind; of one service, or of all.
    #[must_use]
    pub fn operations(&self, service: Option<&str>) -> Vec<Operation> {
        let wanted =
            self.operations.iter().filter(|((of, ..), _)| service.is_none_or(|service| of == service));
        let mut operations: Vec<_> = wanted
            .map(|((service, name, kind), spans)| Operation {
                service: service.clone(),
                name: name.clone(),
                kind: *kind,
                spans: *spans,
            })
            .collect();
        operations.sort_by(|a, b| (&a.service, &a.name, a.kind).cmp(&(&b.service, &b.name, b.kind)));
        operations
    }
}
