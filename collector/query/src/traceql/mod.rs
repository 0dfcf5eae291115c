//! TraceQL, as Grafana Tempo documents it: span sets in braces, combined by `&&`, `||` and the structural operators. An
//! error says at which character. Refuses pipelines (`| count() …`), arithmetic and what the intrinsics of Tempo have
//! beyond those below.

mod eval;
mod lexer;
mod parser;
mod witness;

use wirespan_store::{Field, Filter, Owner, Text};

pub use eval::evaluate;
pub use parser::parse;
pub use witness::{Met, met};

/// A set of spans of one trace.
#[derive(Clone, Debug)]
pub enum Spanset {
    /// Spans that meet a condition.
    Where(Filter),
    /// Both sets, where neither is empty.
    And(Box<Spanset>, Box<Spanset>),
    /// Both sets.
    Or(Box<Spanset>, Box<Spanset>),
    /// Spans on the right that stand so to a span on the left.
    Related(Relation, Box<Spanset>, Box<Spanset>),
}

/// How the span on the right stands to that on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `>`: its child.
    Child,
    /// `>>`: its child, or theirs.
    Descendant,
    /// `<`: its parent.
    Parent,
    /// `<<`: its parent, or theirs.
    Ancestor,
    /// `~`: a child of the same parent.
    Sibling,
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{said} (at character {at})")]
pub struct BadQuery {
    /// What.
    pub said: String,
    /// Where, in characters from 0.
    pub at: usize,
}

/// The duration of the whole trace, in nanoseconds. Spans do not have these fields; whole traces do.
pub const TRACE_DURATION: &str = "trace:duration";
/// The name of the trace's root.
pub const ROOT_NAME: &str = "trace:rootName";
/// The service of the trace's root.
pub const ROOT_SERVICE: &str = "trace:rootService";

/// A field of the whole trace.
#[must_use]
pub fn of_trace(name: &'static str) -> Field {
    Field::Attribute(Owner::Any, Text::new_static(name))
}

fn is_of_trace(field: &Field) -> bool {
    let names = [TRACE_DURATION, ROOT_NAME, ROOT_SERVICE];
    matches!(field, Field::Attribute(Owner::Any, key) if names.contains(&key.as_str()))
}

impl Spanset {
    /// The condition that a span decides alone, where that is all there is.
    #[must_use]
    pub fn simple(&self) -> Option<&Filter> {
        match self {
            Self::Where(filter) if !asks_trace(filter) => Some(filter),
            _ => None,
        }
    }

    /// A condition that some span of every trace in question meets.
    #[must_use]
    pub fn candidates(&self) -> Filter {
        match self {
            Self::Where(filter) => relax(filter),
            Self::And(left, _) | Self::Related(_, left, _) => left.candidates(),
            Self::Or(left, right) => Filter::Or(vec![left.candidates(), right.candidates()]),
        }
    }
}

impl Spanset {
    /// Calls `each` with every comparison that a span of the set may meet.
    fn filters<'a>(&'a self, each: &mut dyn FnMut(&'a Filter)) {
        match self {
            Self::Where(filter) => witness::comparisons(filter, each),
            Self::And(left, right) | Self::Or(left, right) | Self::Related(_, left, right) => {
                left.filters(each);
                right.filters(each);
            }
        }
    }
}

fn asks_trace(filter: &Filter) -> bool {
    let mut found = false;
    filter.fields(&mut |field| found |= is_of_trace(field));
    found
}

/// The same without what only the whole trace can tell: never stricter.
fn relax(filter: &Filter) -> Filter {
    match filter {
        Filter::And(filters) => Filter::And(filters.iter().map(relax).collect()),
        Filter::Or(filters) => Filter::Or(filters.iter().map(relax).collect()),
        other if asks_trace(other) => Filter::All,
        other => other.clone(),
    }
}
