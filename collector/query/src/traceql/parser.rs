//! Tokens in, a [`Spanset`] out. Depth is bounded.

use regex::RegexBuilder;
use wirespan_store::{Field, Filter, Kind as SpanKind, Op, Operand, Owner, StatusCode};

use super::{
    BadQuery, ROOT_NAME, ROOT_SERVICE, Relation, Spanset, TRACE_DURATION,
    lexer::{Kind, Lexer, Token},
    of_trace,
};

/// Braces, brackets and operators within each other.
const DEEPEST: usize = 64;
/// Characters of a query.
const LONGEST: usize = 4096;
/// Bytes of a compiled pattern.
const PATTERN: usize = 1 << 20;

/// Reads a query.
///
/// # Errors
/// It is none; the error says where and why.
pub fn parse(text: &str) -> Result<Spanset, BadQuery> {
    if text.chars().count() > LONGEST {
        return Err(BadQuery { said: format!("a query has at most {LONGEST} characters"), at: LONGEST });
    }
    let mut lexer = Lexer::new(text);
    let next = lexer.token()?;
    let mut parser = Parser { lexer, next, depth: 0 };
    let query = parser.either()?;
    match &parser.next.kind {
        Kind::End => Ok(query),
        Kind::Sign("|") => Err(parser.wrong("pipelines such as `| count()` are not supported")),
        _ => Err(parser.wrong("the query should end here")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Token,
    depth: usize,
}

/// One side of a comparison.
enum Side {
    Field(Field),
    Value(Operand),
    Pattern(String),
    Nil,
}

impl Parser<'_> {
    fn wrong(&self, said: &str) -> BadQuery {
        BadQuery { said: said.to_owned(), at: self.next.at }
    }

    fn advance(&mut self) -> Result<Token, BadQuery> {
        let next = self.lexer.token()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn accept(&mut self, sign: &str) -> Result<bool, BadQuery> {
        let found = matches!(&self.next.kind, Kind::Sign(found) if *found == sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, sign: &str) -> Result<(), BadQuery> {
        if self.accept(sign)? { Ok(()) } else { Err(self.wrong(&format!("`{sign}` is missing"))) }
    }

    fn deeper<R>(&mut self, parse: impl FnOnce(&mut Self) -> Result<R, BadQuery>) -> Result<R, BadQuery> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("this is nested too deep"));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn either(&mut self) -> Result<Spanset, BadQuery> {
        let mut left = self.both()?;
        while self.accept("||")? {
            left = Spanset::Or(left.into(), self.deeper(Self::both)?.into());
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Spanset, BadQuery> {
        let mut left = self.related()?;
        while self.accept("&&")? {
            left = Spanset::And(left.into(), self.deeper(Self::related)?.into());
        }
        Ok(left)
    }

    fn related(&mut self) -> Result<Spanset, BadQuery> {
        let mut left = self.deeper(Self::set)?;
        while let Some(relation) = self.relation()? {
            left = Spanset::Related(relation, left.into(), self.deeper(Self::set)?.into());
        }
        Ok(left)
    }

    fn relation(&mut self) -> Result<Option<Relation>, BadQuery> {
        let signs = [
            (">", Relation::Child),
            (">>", Relation::Descendant),
            ("<", Relation::Parent),
            ("<<", Relation::Ancestor),
            ("~", Relation::Sibling),
        ];
        for (sign, relation) in signs {
            if self.accept(sign)? {
                return Ok(Some(relation));
            }
        }
        Ok(None)
    }

    fn set(&mut self) -> Result<Spanset, BadQuery> {
        if self.accept("(")? {
            let inner = self.deeper(Self::either)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if !self.accept("{")? {
            return Err(self.wrong("a span set should begin here, such as `{ status = error }`"));
        }
        if self.accept("}")? {
            return Ok(Spanset::Where(Filter::All));
        }
        let filter = self.any_of()?;
        self.expect("}")?;
        Ok(Spanset::Where(filter))
    }

    fn any_of(&mut self) -> Result<Filter, BadQuery> {
        let mut all = vec![self.all_of()?];
        while self.accept("||")? {
            all.push(self.all_of()?);
        }
        Ok(single(all, Filter::Or))
    }

    fn all_of(&mut self) -> Result<Filter, BadQuery> {
        let mut all = vec![self.condition()?];
        while self.accept("&&")? {
            all.push(self.condition()?);
        }
        Ok(single(all, Filter::And))
    }

    fn condition(&mut self) -> Result<Filter, BadQuery> {
        if self.accept("!")? {
            let inner = self.deeper(Self::condition)?;
            return Ok(Filter::Not(inner.into()));
        }
        if self.accept("(")? {
            let inner = self.deeper(Self::any_of)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let at = self.next.at;
        let left = self.side()?;
        match self.comparison()? {
            Some((op, pattern)) => {
                let right = self.side()?;
                compare(left, op, pattern, right).map_err(|said| BadQuery { said, at })
            }
            None => alone(left).map_err(|said| BadQuery { said, at }),
        }
    }

    /// The operator, and whether it is one of patterns.
    fn comparison(&mut self) -> Result<Option<(Op, bool)>, BadQuery> {
        let signs = [
            ("=", Op::Eq, false),
            ("!=", Op::Ne, false),
            (">", Op::Gt, false),
            (">=", Op::Ge, false),
            ("<", Op::Lt, false),
            ("<=", Op::Le, false),
            ("=~", Op::Eq, true),
            ("!~", Op::Ne, true),
        ];
        for (sign, op, pattern) in signs {
            if self.accept(sign)? {
                return Ok(Some((op, pattern)));
            }
        }
        Ok(None)
    }

    fn side(&mut self) -> Result<Side, BadQuery> {
        let token = self.advance()?;
        Ok(match token.kind {
            Kind::Text(text) => Side::Pattern(text),
            Kind::Int(number) | Kind::Duration(number) => Side::Value(Operand::Int(number)),
            Kind::Float(number) => Side::Value(Operand::Float(number)),
            Kind::Name { scope, rest: None } => word(&scope, token.at)?,
            Kind::Name { scope, rest: Some(key) } => {
                let owner = owner(&scope).ok_or_else(|| BadQuery {
                    said: format!("there is no scope `{scope}`: use span, resource, event, link, instrumentation or none"),
                    at: token.at,
                })?;
                Side::Field(attribute(owner, &key))
            }
            Kind::Sign(_) | Kind::End => {
                return Err(BadQuery { said: "a field or a value is missing".to_owned(), at: token.at });
            }
        })
    }
}

fn single(mut all: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match all.pop() {
        Some(one) if all.is_empty() => one,
        last => many(all.into_iter().chain(last).collect()),
    }
}

fn owner(scope: &str) -> Option<Owner> {
    Some(match scope {
        "" => Owner::Any,
        "span" => Owner::Span,
        "resource" => Owner::Resource,
        "event" => Owner::Event,
        "link" => Owner::Link,
        "instrumentation" => Owner::Scope,
        _ => return None,
    })
}

/// `service.name` has a place of its own in the store, which is faster.
fn attribute(owner: Owner, key: &str) -> Field {
    match (owner, key) {
        (Owner::Resource, "service.name") => Field::Service,
        _ => Field::Attribute(owner, key.into()),
    }
}

/// An intrinsic field, or a value that is a word.
fn word(word: &str, at: usize) -> Result<Side, BadQuery> {
    let field = match word {
        "name" | "span:name" => Field::Name,
        "kind" | "span:kind" => Field::Kind,
        "status" | "span:status" => Field::Status,
        "statusMessage" | "span:statusMessage" => Field::StatusMessage,
        "duration" | "span:duration" => Field::Duration,
        "span:id" => Field::SpanId,
        "span:parentID" => Field::ParentId,
        "trace:id" => Field::TraceId,
        "traceDuration" | TRACE_DURATION => of_trace(TRACE_DURATION),
        "rootName" | ROOT_NAME => of_trace(ROOT_NAME),
        "rootServiceName" | "rootService" | ROOT_SERVICE => of_trace(ROOT_SERVICE),
        "event:name" => Field::EventName,
        "instrumentation:name" => Field::ScopeName,
        "instrumentation:version" => Field::ScopeVersion,
        "nil" => return Ok(Side::Nil),
        "true" | "false" => return Ok(Side::Value(Operand::Bool(word == "true"))),
        _ => return value(word, at),
    };
    Ok(Side::Field(field))
}

fn value(word: &str, at: usize) -> Result<Side, BadQuery> {
    let status = StatusCode::ALL.into_iter().find(|code| code.name() == word);
    let kind = SpanKind::ALL.into_iter().find(|kind| kind.name() == word);
    let operand = status.map(Operand::Status).or_else(|| kind.map(Operand::Kind));
    operand.map(Side::Value).ok_or_else(|| BadQuery {
        said: format!("`{word}` is no field: attributes begin with a scope or a dot, such as `.{word}`"),
        at,
    })
}

/// A field by itself is one that must be true.
fn alone(side: Side) -> Result<Filter, String> {
    match side {
        Side::Field(field) => compared(field, Op::Eq, Operand::Bool(true)),
        Side::Value(Operand::Bool(yes)) => {
            Ok(if yes { Filter::All } else { Filter::Not(Filter::All.into()) })
        }
        _ => Err("a value by itself is no condition: compare it with a field".to_owned()),
    }
}

/// A comparison that no span could meet is a mistake.
fn compared(field: Field, op: Op, operand: Operand) -> Result<Filter, String> {
    let wanted = match (&field, &operand) {
        (Field::Status, Operand::Status(_)) | (Field::Kind, Operand::Kind(_)) => None,
        (Field::Status, _) => Some("a status is error, ok or unset"),
        (Field::Kind, _) => Some("a kind is unspecified, internal, server, client, producer or consumer"),
        (Field::Duration, Operand::Int(_) | Operand::Float(_)) => None,
        (Field::Duration, _) => Some("a duration is a number with a unit, such as 100ms"),
        (Field::Attribute(..) | Field::Start, _) | (_, Operand::Text(_) | Operand::Pattern(_)) => None,
        _ => Some("this field is compared with text, in quotes"),
    };
    match wanted {
        Some(said) => Err(said.to_owned()),
        None => Ok(Filter::Compare(field, op, operand)),
    }
}

fn compare(left: Side, op: Op, pattern: bool, right: Side) -> Result<Filter, String> {
    match (left, right) {
        (Side::Field(field), Side::Nil) | (Side::Nil, Side::Field(field)) => match op {
            Op::Ne => Ok(Filter::Exists(field)),
            Op::Eq => Ok(Filter::Not(Filter::Exists(field).into())),
            _ => Err("nil can only be compared with `=` and `!=`".to_owned()),
        },
        (Side::Field(field), Side::Pattern(text)) => compared(field, op, operand(text, pattern)?),
        (Side::Field(field), Side::Value(value)) if !pattern => compared(field, op, value),
        (Side::Pattern(text), Side::Field(field)) if !pattern => {
            compared(field, flip(op), Operand::Text(text.into()))
        }
        (Side::Value(value), Side::Field(field)) if !pattern => compared(field, flip(op), value),
        (Side::Field(_), Side::Value(_)) => Err("a pattern stands in quotes".to_owned()),
        _ => Err("compare a field with a value".to_owned()),
    }
}

fn operand(text: String, pattern: bool) -> Result<Operand, String> {
    if !pattern {
        return Ok(Operand::Text(text.into()));
    }
    let regex = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(PATTERN).build();
    regex.map(Operand::Pattern).map_err(|error| format!("the pattern cannot be used: {error}"))
}

fn flip(op: Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        same => same,
    }
}
