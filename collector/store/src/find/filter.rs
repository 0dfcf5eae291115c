//! Conditions on one span. A comparison with a field that the span does not have is false, whatever the operator.

use std::cmp::Ordering;

use regex::Regex;

use super::Scalar;
use crate::{Attribute, Kind, Span, StatusCode, Text};

/// A condition. Its depth is bounded by who makes it.
#[derive(Clone, Debug, Default)]
pub enum Filter {
    /// Every span.
    #[default]
    All,
    /// Spans for which the condition does not hold.
    Not(Box<Filter>),
    /// Spans for which all hold.
    And(Vec<Filter>),
    /// Spans for which one holds.
    Or(Vec<Filter>),
    /// Spans with the field.
    Exists(Field),
    /// Spans one of whose values of the field compares so.
    Compare(Field, Op, Operand),
}

/// What of a span is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The service's name.
    Service,
    /// The span's name.
    Name,
    /// The span's kind.
    Kind,
    /// The status code.
    Status,
    /// The status message.
    StatusMessage,
    /// The start, in nanoseconds since 1970.
    Start,
    /// The duration in nanoseconds.
    Duration,
    /// The trace's id, as 32 hex digits.
    TraceId,
    /// The span's id, as 16 hex digits.
    SpanId,
    /// The parent's id, as 16 hex digits; a root has none.
    ParentId,
    /// The name of the instrumentation.
    ScopeName,
    /// The version of the instrumentation.
    ScopeVersion,
    /// The name of an event.
    EventName,
    /// An attribute.
    Attribute(Owner, Text),
}

/// Whose attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The span's or its resource's.
    Any,
    /// The span's.
    Span,
    /// The resource's.
    Resource,
    /// The instrumentation's.
    Scope,
    /// One of an event.
    Event,
    /// One of a link.
    Link,
}

/// How values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Equal; for a pattern: it matches.
    Eq,
    /// Of the same type and not equal; for a pattern: it does not match.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// What a field is compared with.
#[derive(Clone, Debug)]
pub enum Operand {
    /// Text.
    Text(Text),
    /// A whole number, or a duration in nanoseconds.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A kind.
    Kind(Kind),
    /// A status.
    Status(StatusCode),
    /// Text that is found in text, from its beginning to its end where it is anchored so.
    Pattern(Regex),
    /// Text as a person would write the value, whatever its type.
    Written(Text),
}

/// Something that has a span's fields.
pub trait Fields {
    /// Calls `test` with every value of the field until it says true; was there such a value?
    fn any(&self, field: &Field, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool;
}

impl Filter {
    /// Does it hold for this span?
    pub fn holds(&self, span: &dyn Fields) -> bool {
        match self {
            Self::All => true,
            Self::Not(filter) => !filter.holds(span),
            Self::And(filters) => filters.iter().all(|filter| filter.holds(span)),
            Self::Or(filters) => filters.iter().any(|filter| filter.holds(span)),
            Self::Exists(field) => span.any(field, &mut |_| true),
            Self::Compare(field, op, operand) => span.any(field, &mut |value| operand.compares(*op, value)),
        }
    }

    /// Every field that it looks at.
    pub fn fields<'a>(&'a self, each: &mut dyn FnMut(&'a Field)) {
        match self {
            Self::All => {}
            Self::Not(filter) => filter.fields(each),
            Self::And(filters) | Self::Or(filters) => filters.iter().for_each(|filter| filter.fields(each)),
            Self::Exists(field) | Self::Compare(field, ..) => each(field),
        }
    }

    /// The text that `field` must equal for this to hold, where there is one: what an index can use.
    #[must_use]
    pub fn required(&self, field: &Field) -> Option<&Text> {
        match self {
            Self::And(filters) => filters.iter().find_map(|filter| filter.required(field)),
            Self::Compare(found, Op::Eq, Operand::Text(text) | Operand::Written(text)) if found == field => {
                Some(text)
            }
            _ => None,
        }
    }

    /// Durations outside of this range, in nanoseconds, cannot meet it.
    #[must_use]
    pub fn durations(&self) -> (u64, u64) {
        match self {
            Self::And(filters) => filters
                .iter()
                .map(Self::durations)
                .fold((0, u64::MAX), |all, one| (all.0.max(one.0), all.1.min(one.1))),
            Self::Compare(Field::Duration, op, Operand::Int(bound)) => {
                let bound = u64::try_from(*bound).unwrap_or(0);
                match op {
                    Op::Gt | Op::Ge => (bound, u64::MAX),
                    Op::Lt | Op::Le => (0, bound),
                    Op::Eq => (bound, bound),
                    Op::Ne => (0, u64::MAX),
                }
            }
            _ => (0, u64::MAX),
        }
    }
}

impl Operand {
    fn compares(&self, op: Op, value: Scalar<'_>) -> bool {
        match self {
            Self::Pattern(pattern) => match value {
                Scalar::Text(text) => pattern.is_match(text) == (op == Op::Eq),
                _ => false,
            },
            Self::Written(text) => op.holds(value.text().as_ref().cmp(text.as_str())),
            _ => self.order(value).is_some_and(|order| op.holds(order)),
        }
    }

    /// How `value` stands to this; none where their types cannot be compared.
    fn order(&self, value: Scalar<'_>) -> Option<Ordering> {
        match (value, self) {
            (Scalar::Text(left), Self::Text(right)) => Some(left.cmp(right.as_str())),
            (Scalar::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Scalar::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Scalar::Int(left), Self::Float(right)) => (left as f64).partial_cmp(right),
            (Scalar::Float(left), Self::Int(right)) => left.partial_cmp(&(*right as f64)),
            (Scalar::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Scalar::Kind(left), Self::Kind(right)) => Some(left.cmp(right)),
            (Scalar::Status(left), Self::Status(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

impl Op {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}

impl Fields for Span {
    fn any(&self, field: &Field, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        match field {
            Field::Service => test(Scalar::Text(&self.resource.service)),
            Field::Name => test(Scalar::Text(&self.name)),
            Field::Kind => test(Scalar::Kind(self.kind)),
            Field::Status => test(Scalar::Status(self.status.code)),
            Field::StatusMessage => test(Scalar::Text(&self.status.message)),
            Field::Start => test(Scalar::Int(i64::try_from(self.start).unwrap_or(i64::MAX))),
            Field::Duration => test(Scalar::Int(i64::try_from(self.duration).unwrap_or(i64::MAX))),
            Field::TraceId => test(Scalar::Text(&self.trace.to_string())),
            Field::SpanId => test(Scalar::Text(&self.id.to_string())),
            Field::ParentId => self.parent.is_some_and(|id| test(Scalar::Text(&id.to_string()))),
            Field::ScopeName => test(Scalar::Text(&self.scope.name)),
            Field::ScopeVersion => test(Scalar::Text(&self.scope.version)),
            Field::EventName => self.events.iter().any(|event| test(Scalar::Text(&event.name))),
            Field::Attribute(owner, key) => self.any_attribute(*owner, key, test),
        }
    }
}

impl Span {
    fn any_attribute(&self, owner: Owner, key: &str, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        let mut of = |attributes: &[Attribute]| any_value(attributes, key, test);
        match owner {
            Owner::Any => of(&self.attributes) || of(&self.resource.attributes),
            Owner::Span => of(&self.attributes),
            Owner::Resource => of(&self.resource.attributes),
            Owner::Scope => of(&self.scope.attributes),
            Owner::Event => self.events.iter().any(|event| of(&event.attributes)),
            Owner::Link => self.links.iter().any(|link| of(&link.attributes)),
        }
    }
}

/// Calls `test` with the values of `key` until it says true.
pub(crate) fn any_value(
    attributes: &[Attribute],
    key: &str,
    test: &mut dyn FnMut(Scalar<'_>) -> bool,
) -> bool {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    found.any(|attribute| Scalar::any_of(&attribute.value, test))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Resource, Value};

    fn span() -> Span {
        let attribute = |key: &str, value| Attribute { key: key.into(), value };
        Span {
            name: "GET /cart".into(),
            kind: Kind::Server,
            duration: 5_000,
            attributes: vec![
                attribute("code", Value::from(503)),
                attribute("tags", Value::List([Value::from("a"), Value::from("b")].into())),
            ],
            resource: Arc::new(Resource::new(vec![attribute("service.name", Value::from("cart"))])),
            ..Span::default()
        }
    }

    fn compare(field: Field, op: Op, operand: Operand) -> bool {
        Filter::Compare(field, op, operand).holds(&span())
    }

    fn key(key: &str) -> Field {
        Field::Attribute(Owner::Any, key.into())
    }

    #[test]
    fn values_compare_within_their_type() {
        assert!(compare(key("code"), Op::Ge, Operand::Int(500)));
        assert!(compare(key("code"), Op::Lt, Operand::Float(503.5)));
        assert!(!compare(key("code"), Op::Eq, Operand::Text("503".into())));
        assert!(compare(key("code"), Op::Eq, Operand::Written("503".into())));
        assert!(compare(Field::Kind, Op::Eq, Operand::Kind(Kind::Server)));
        assert!(compare(key("service.name"), Op::Eq, Operand::Text("cart".into())));
        assert!(compare(key("tags"), Op::Eq, Operand::Text("b".into())));
    }

    #[test]
    fn a_missing_field_meets_no_comparison() {
        for op in [Op::Eq, Op::Ne, Op::Lt, Op::Ge] {
            assert!(!compare(key("none"), op, Operand::Int(1)), "{op:?}");
        }
        assert!(!Filter::Exists(Field::ParentId).holds(&span()));
    }

    #[test]
    fn patterns_match_text() {
        let pattern = || Operand::Pattern(Regex::new("^GET ").unwrap());
        assert!(compare(Field::Name, Op::Eq, pattern()));
        assert!(!compare(Field::Name, Op::Ne, pattern()));
        assert!(!compare(key("code"), Op::Ne, pattern()));
    }

    #[test]
    fn an_index_learns_what_must_hold() {
        let service = Filter::Compare(Field::Service, Op::Eq, Operand::Text("cart".into()));
        let long = Filter::Compare(Field::Duration, Op::Ge, Operand::Int(7));
        let both = Filter::And(vec![long, service.clone()]);
        assert_eq!(both.required(&Field::Service).unwrap(), "cart");
        assert_eq!(both.durations(), (7, u64::MAX));
        assert_eq!(Filter::Or(vec![both, Filter::All]).required(&Field::Service), None);
    }
}
