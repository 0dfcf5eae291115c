//! A whole trace in, those of its spans that a query means out.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use wirespan_store::{Field, Fields, Filter, Owner, Scalar, Span};

use super::{ROOT_NAME, ROOT_SERVICE, Relation, Spanset, TRACE_DURATION};

/// Places of spans in their trace.
type Set = BTreeSet<usize>;

/// The places in `spans` that `query` means; empty when the trace does not match.
#[must_use]
pub fn evaluate(query: &Spanset, spans: &[Span]) -> Vec<usize> {
    Trace::new(spans).find(query).into_iter().collect()
}

struct Trace<'a> {
    spans: &'a [Span],
    /// The place of each span's parent.
    parents: Vec<Option<usize>>,
    duration: u64,
    root: Option<&'a Span>,
}

impl<'a> Trace<'a> {
    fn new(spans: &'a [Span]) -> Self {
        let places: FxHashMap<_, _> = spans.iter().enumerate().map(|(at, span)| (span.id, at)).collect();
        let parents = spans.iter().map(|span| places.get(&span.parent?).copied()).collect();
        let first = spans.iter().map(|span| span.start).min().unwrap_or_default();
        let last = spans.iter().map(Span::end).max().unwrap_or_default();
        let root = spans.iter().find(|span| span.parent.is_none());
        Self { spans, parents, duration: last - first, root }
    }

    fn find(&self, query: &Spanset) -> Set {
        match query {
            Spanset::Where(filter) => self.filter(filter),
            Spanset::And(left, right) => {
                let (left, right) = (self.find(left), self.find(right));
                if left.is_empty() || right.is_empty() {
                    Set::new()
                } else {
                    left.union(&right).copied().collect()
                }
            }
            Spanset::Or(left, right) => self.find(left).union(&self.find(right)).copied().collect(),
            Spanset::Related(relation, left, right) => {
                self.related(*relation, &self.find(left), &self.find(right))
            }
        }
    }

    fn filter(&self, filter: &Filter) -> Set {
        let holds = |span: &Span| filter.holds(&InTrace { span, trace: self });
        self.spans.iter().enumerate().filter(|(_, span)| holds(span)).map(|(at, _)| at).collect()
    }

    fn related(&self, relation: Relation, left: &Set, right: &Set) -> Set {
        match relation {
            Relation::Child => keep(right, |at| self.parent(at).is_some_and(|parent| left.contains(&parent))),
            Relation::Descendant => right.intersection(&self.below(left)).copied().collect(),
            Relation::Parent => {
                let parents: Set = left.iter().filter_map(|at| self.parent(*at)).collect();
                keep(right, |at| parents.contains(&at))
            }
            Relation::Ancestor => right.intersection(&self.above(left)).copied().collect(),
            Relation::Sibling => {
                let mut by_parent: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
                for at in left {
                    if let Some(parent) = self.parent(*at) {
                        by_parent.entry(parent).or_default().push(*at);
                    }
                }
                keep(right, |at| {
                    let siblings = self.parent(at).and_then(|parent| by_parent.get(&parent));
                    siblings.is_some_and(|siblings| siblings.iter().any(|other| *other != at))
                })
            }
        }
    }

    fn parent(&self, at: usize) -> Option<usize> {
        self.parents.get(at).copied().flatten()
    }

    /// All that stands above one of these. What senders say may go in circles, and a trace may be one long chain: each
    /// span is passed once.
    fn above(&self, of: &Set) -> Set {
        let mut above = Set::new();
        for at in of {
            std::iter::successors(self.parent(*at), |at| self.parent(*at)).all(|at| above.insert(at));
        }
        above
    }

    /// All that stands below one of these, each passed once.
    fn below(&self, of: &Set) -> Set {
        let mut children: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
        for (at, parent) in self.parents.iter().enumerate() {
            parent.iter().for_each(|parent| children.entry(*parent).or_default().push(at));
        }
        let mut below = Set::new();
        let mut open: Vec<usize> = of.iter().copied().collect();
        while let Some(at) = open.pop() {
            let children = children.get(&at).into_iter().flatten().copied();
            open.extend(children.filter(|child| below.insert(*child)));
        }
        below
    }
}

fn keep(set: &Set, wanted: impl Fn(usize) -> bool) -> Set {
    set.iter().copied().filter(|at| wanted(*at)).collect()
}

/// A span that knows its trace.
struct InTrace<'t, 'a> {
    span: &'a Span,
    trace: &'t Trace<'a>,
}

impl Fields for InTrace<'_, '_> {
    fn any(&self, field: &Field, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        let Field::Attribute(Owner::Any, key) = field else { return self.span.any(field, test) };
        match key.as_str() {
            TRACE_DURATION => test(Scalar::Int(i64::try_from(self.trace.duration).unwrap_or(i64::MAX))),
            ROOT_NAME => self.trace.root.is_some_and(|root| test(Scalar::Text(&root.name))),
            ROOT_SERVICE => self.trace.root.is_some_and(|root| test(Scalar::Text(&root.resource.service))),
            _ => self.span.any(field, test),
        }
    }
}

#[cfg(test)]
mod tests {
    use wirespan_store::{Attribute, SpanId, Value};

    use super::*;
    use crate::traceql::parse;

    fn span(id: u8, parent: u8, name: &str, duration: u64) -> Span {
        Span {
            id: SpanId([id; 8]),
            parent: (parent > 0).then_some(SpanId([parent; 8])),
            name: name.into(),
            start: u64::from(id) * 1_000_000,
            duration: duration * 1_000_000,
            attributes: vec![
                Attribute { key: "a key".into(), value: Value::from(i64::from(id)) },
                Attribute { key: "cached".into(), value: Value::from(id == 4) },
            ],
            ..Span::default()
        }
    }

    /// a ─┬─ b ─── d
    ///    └─ c
    fn names(query: &str) -> String {
        let spans = [span(1, 0, "a", 10), span(2, 1, "b", 8), span(3, 1, "c", 1), span(4, 2, "d", 4)];
        let found = evaluate(&parse(query).unwrap_or_else(|error| panic!("{query}: {error}")), &spans);
        found.into_iter().map(|at| spans[at].name.to_string()).collect()
    }

    #[test]
    fn queries_mean_spans() {
        let cases = [
            ("{}", "abcd"),
            ("{ name = \"b\" }", "b"),
            ("{ \"b\" = name || name =~ `[cd]` }", "bcd"),
            ("{ duration > 3ms && duration <= 8ms }", "bd"),
            ("{ 3ms < duration && !(name = \"a\") }", "bd"),
            ("{ .cached }", "d"),
            ("{ span.\"a key\" >= 3 }", "cd"),
            ("{ span:parentID = nil }", "a"),
            ("{ .none != nil }", ""),
            ("{ traceDuration = 10ms && name = \"c\" }", "c"),
            ("{ traceDuration > 10ms }", ""),
            ("{ rootName = \"a\" && duration < 2ms }", "c"),
            ("{ name = \"a\" } > {}", "bc"),
            ("{ name = \"a\" } >> { duration = 4ms }", "d"),
            ("{ name = \"d\" } < {}", "b"),
            ("{ name = \"d\" } << {}", "ab"),
            ("{ name = \"b\" } ~ {}", "c"),
            ("{ name = \"b\" } && { name = \"c\" }", "bc"),
            ("{ name = \"b\" } && { name = \"x\" }", ""),
            ("({ name = \"b\" } || { name = \"x\" }) > {}", "d"),
        ];
        for (query, expected) in cases {
            assert_eq!(names(query), expected, "{query}");
        }
    }

    #[test]
    fn errors_point_at_the_character() {
        let deep = format!("{{ {}.a{} }}", "(".repeat(100), ")".repeat(100));
        let cases = [
            ("", 0, "span set"),
            ("{ name = ", 9, "missing"),
            ("{ name == \"a\" }", 8, "missing"),
            ("{ nmae = \"a\" }", 2, "no field"),
            ("{ é = 1 } x", 2, "no field"),
            ("{ name = \"a }", 9, "never closed"),
            ("{ span.a = 1 } | count() > 1", 15, "pipelines"),
            ("{ name =~ \"(\" }", 2, "pattern"),
            ("{ foo.a = 1 }", 2, "scope"),
            ("{ duration > 10q }", 13, "duration"),
            ("{ 1 = 2 }", 2, "field"),
            ("{ # }", 2, "nothing"),
            (deep.as_str(), 66, "deep"),
        ];
        for (query, at, said) in cases {
            let error = parse(query).expect_err(query);
            assert!(error.at == at && error.said.contains(said), "{query}: {error}");
        }
    }

    #[test]
    fn circles_end() {
        let spans = [span(1, 2, "a", 1), span(2, 1, "b", 1)];
        let cases: [(&str, &[usize]); 3] =
            [("{ name = \"x\" } >> {}", &[]), ("{ name = \"a\" } >> {}", &[0, 1]), ("{} << {}", &[0, 1])];
        for (query, expected) in cases {
            assert_eq!(evaluate(&parse(query).unwrap(), &spans), expected, "{query}");
        }
    }

    /// Were each span's whole way up walked, this would take minutes.
    #[test]
    fn a_trace_may_be_one_long_chain() {
        const DEPTH: u64 = 100_000;
        let id = |n: u64| SpanId((n + 1).to_be_bytes());
        let link = |n: u64| Span { id: id(n), parent: n.checked_sub(1).map(id), ..Span::default() };
        let spans: Vec<Span> = (0..DEPTH).map(link).collect();
        for query in ["{} >> {}", "{} << {}"] {
            assert_eq!(evaluate(&parse(query).unwrap(), &spans).len() as u64, DEPTH - 1, "{query}");
        }
    }
}
