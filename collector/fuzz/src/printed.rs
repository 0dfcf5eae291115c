//! A parsed query in, text that means the same out.

use wirespan_query::traceql::{ROOT_NAME, ROOT_SERVICE, Relation, Spanset, TRACE_DURATION};
use wirespan_store::{Field, Filter, Op, Operand, Owner};

/// The query as text.
pub(crate) fn printed(query: &Spanset) -> String {
    match query {
        Spanset::Where(filter) => format!("{{ {} }}", condition(filter)),
        Spanset::And(left, right) => format!("({} && {})", printed(left), printed(right)),
        Spanset::Or(left, right) => format!("({} || {})", printed(left), printed(right)),
        Spanset::Related(relation, left, right) => {
            let sign = match relation {
                Relation::Child => ">",
                Relation::Descendant => ">>",
                Relation::Parent => "<",
                Relation::Ancestor => "<<",
                Relation::Sibling => "~",
            };
            format!("({} {sign} {})", printed(left), printed(right))
        }
    }
}

fn condition(filter: &Filter) -> String {
    let all = |filters: &[Filter], sign: &str| {
        let parts: Vec<_> = filters.iter().map(condition).collect();
        format!("({})", parts.join(sign))
    };
    match filter {
        Filter::All => "true".to_owned(),
        Filter::Not(inner) => format!("!{}", condition(inner)),
        Filter::And(filters) => all(filters, " && "),
        Filter::Or(filters) => all(filters, " || "),
        Filter::Exists(of) => format!("{} != nil", field(of)),
        Filter::Compare(of, op, operand) => format!("{} {}", field(of), compared(*op, operand)),
    }
}

fn compared(op: Op, operand: &Operand) -> String {
    let pattern = matches!(operand, Operand::Pattern(_));
    let sign = match op {
        Op::Eq if pattern => "=~",
        Op::Ne if pattern => "!~",
        Op::Eq => "=",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    };
    let value = match operand {
        Operand::Text(text) | Operand::Written(text) => quoted(text),
        Operand::Int(number) => number.to_string(),
        Operand::Float(number) => format!("{number:?}"),
        Operand::Bool(yes) => yes.to_string(),
        Operand::Kind(kind) => kind.name().to_owned(),
        Operand::Status(code) => code.name().to_owned(),
        Operand::Pattern(pattern) => quoted(inner(pattern.as_str())),
    };
    format!("{sign} {value}")
}

/// Without what anchors it.
fn inner(pattern: &str) -> &str {
    pattern.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$")).expect("patterns are anchored")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn field(of: &Field) -> String {
    let name = match of {
        Field::Service => "resource.service.name",
        Field::Name => "name",
        Field::Kind => "kind",
        Field::Status => "status",
        Field::StatusMessage => "statusMessage",
        Field::Duration => "duration",
        Field::TraceId => "trace:id",
        Field::SpanId => "span:id",
        Field::ParentId => "span:parentID",
        Field::ScopeName => "instrumentation:name",
        Field::ScopeVersion => "instrumentation:version",
        Field::EventName => "event:name",
        Field::Start => unreachable!("TraceQL has no start"),
        Field::Attribute(Owner::Any, key)
            if [TRACE_DURATION, ROOT_NAME, ROOT_SERVICE].contains(&key.as_str()) =>
        {
            key
        }
        Field::Attribute(owner, key) => return format!("{}.{}", scope(*owner), quoted(key)),
    };
    name.to_owned()
}

fn scope(owner: Owner) -> &'static str {
    match owner {
        Owner::Any => "",
        Owner::Span => "span",
        Owner::Resource => "resource",
        Owner::Scope => "instrumentation",
        Owner::Event => "event",
        Owner::Link => "link",
    }
}
