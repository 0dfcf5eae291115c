//! A query and a span that it means in, out the values by which it does: what a list of matches shows of the span.

use std::cell::RefCell;

use wirespan_store::{Field, Fields, Filter, Scalar, Span};

use super::Spanset;

/// A value that met a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Met {
    /// Text, or the word for a kind or a status.
    Text(String),
    /// A whole number; durations too, in nanoseconds.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl From<Scalar<'_>> for Met {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Int(number) => Self::Int(number),
            Scalar::Float(number) => Self::Float(number),
            Scalar::Bool(yes) => Self::Bool(yes),
            text => Self::Text(text.text().into_owned()),
        }
    }
}

/// A span that remembers which of its values passed a test.
struct Witness<'a> {
    span: &'a Span,
    met: RefCell<Vec<(Field, Met)>>,
}

impl Fields for Witness<'_> {
    fn any(&self, field: &Field, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        self.span.any(field, &mut |scalar| {
            let passed = test(scalar);
            if passed {
                self.met.borrow_mut().push((field.clone(), scalar.into()));
            }
            passed
        })
    }
}

/// The first value of each field that meets one of the query's comparisons, in their order. What the whole trace decides, and
/// what must not hold, shows nothing.
#[must_use]
pub fn met(query: &Spanset, span: &Span) -> Vec<(Field, Met)> {
    let witness = Witness { span, met: RefCell::default() };
    query.filters(&mut |filter| {
        filter.holds(&witness);
    });
    let mut all = Vec::new();
    for (field, met) in witness.met.into_inner() {
        if !all.iter().any(|(known, _)| *known == field) {
            all.push((field, met));
        }
    }
    all
}

/// Every comparison that is not negated.
pub(super) fn comparisons<'a>(filter: &'a Filter, each: &mut dyn FnMut(&'a Filter)) {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().for_each(|one| comparisons(one, each)),
        Filter::Exists(_) | Filter::Compare(..) => each(filter),
        Filter::All | Filter::Not(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use wirespan_store::{Attribute, StatusCode, Value};

    use super::*;
    use crate::traceql::parse;

    #[test]
    fn values_that_met_a_comparison_are_shown_once() {
        let attribute = |key: &str, value| Attribute { key: key.into(), value };
        let mut span = Span {
            name: "GET".into(),
            attributes: vec![attribute("a", Value::from(7)), attribute("b", Value::from("x"))],
            ..Span::default()
        };
        span.status.code = StatusCode::Error;
        let query = "{ .a > 1 && .a < 9 || .b = \"y\" } && ({ status = error } > { name != \"POST\" && !(.b = \"z\") })";
        let found = met(&parse(query).expect("it is a query"), &span);
        let key = |key: &str| Field::Attribute(wirespan_store::Owner::Any, key.into());
        let expected = [
            (key("a"), Met::Int(7)),
            (Field::Status, Met::Text("error".to_owned())),
            (Field::Name, Met::Text("GET".to_owned())),
        ];
        assert_eq!(found, expected);
    }
}
