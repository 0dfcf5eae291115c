//! The span and its parts. Resource and scope are shared between the spans of a batch.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{SpanId, Text, TraceId, Value};

/// One operation of one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: TraceId,
    /// Its own id. Zipkin lets a client's and a server's span share one.
    pub id: SpanId,
    /// The span that caused it.
    pub parent: Option<SpanId>,
    /// The operation, such as `GET /cart`.
    pub name: Text,
    /// Which side of which kind of call.
    pub kind: Kind,
    /// Start, in nanoseconds since 1970.
    pub start: u64,
    /// End less start, in nanoseconds.
    pub duration: u64,
    /// How it ended.
    pub status: Status,
    /// What is known about it. A key stands once.
    pub attributes: Vec<Attribute>,
    /// What happened meanwhile.
    pub events: Vec<Event>,
    /// Related spans, of this trace or others.
    pub links: Vec<Link>,
    /// W3C tracestate.
    pub trace_state: Text,
    /// W3C trace flags and OTLP's bits above them.
    pub flags: u32,
    /// What the sender or ingest left out.
    pub dropped: Dropped,
    /// Who did it. Stored apart.
    #[serde(skip)]
    pub resource: Arc<Resource>,
    /// Which instrumentation saw it. Stored apart.
    #[serde(skip)]
    pub scope: Arc<Scope>,
}

/// Which side of which kind of call; the numbers are OTLP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Not said.
    #[default]
    Unspecified = 0,
    /// Within the program.
    Internal = 1,
    /// Answers a request.
    Server = 2,
    /// Makes a request.
    Client = 3,
    /// Puts a message into a queue.
    Producer = 4,
    /// Takes a message from a queue.
    Consumer = 5,
}

/// How a span ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// In short.
    pub code: StatusCode,
    /// In words, for errors.
    pub message: Text,
}

/// How a span ended, in short; the numbers are OTLP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StatusCode {
    /// Nothing is known to be wrong.
    #[default]
    Unset = 0,
    /// Somebody has said that it is well.
    Ok = 1,
    /// It failed.
    Error = 2,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// The name, by OpenTelemetry's semantic conventions where there is one.
    pub key: Text,
    /// The value.
    pub value: Value,
}

/// Something that happened at one moment within a span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds since 1970.
    pub time: u64,
    /// What.
    pub name: Text,
    /// More about it.
    pub attributes: Vec<Attribute>,
}

/// A related span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub span: SpanId,
    /// More about the relation.
    pub attributes: Vec<Attribute>,
}

/// Counts of what was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Attributes, of the span itself.
    pub attributes: u32,
    /// Events.
    pub events: u32,
    /// Links.
    pub links: u32,
}

/// Who did something: a service on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// `service.name`, once more, because everything asks for it; `unknown_service` where there is none.
    pub service: Text,
    /// All attributes, `service.name` among them.
    pub attributes: Vec<Attribute>,
}

/// Which instrumentation saw something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// Its name.
    pub name: Text,
    /// Its version.
    pub version: Text,
    /// More about it.
    pub attributes: Vec<Attribute>,
}

/// The value of `key`.
#[must_use]
pub fn attribute<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
}

impl Span {
    /// End, in nanoseconds since 1970.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }

    /// Did it fail?
    #[must_use]
    pub fn failed(&self) -> bool {
        self.status.code == StatusCode::Error
    }
}

impl Resource {
    /// The service's name out of the attributes, as the semantic conventions for resources have it.
    #[must_use]
    pub fn new(attributes: Vec<Attribute>) -> Self {
        let service = match attribute(&attributes, "service.name") {
            Some(Value::Text(name)) if !name.is_empty() => name.clone(),
            _ => Text::new_static("unknown_service"),
        };
        Self { service, attributes }
    }
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// By OTLP's number; what is unknown is unspecified.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        usize::try_from(number).ok().and_then(|at| Self::ALL.get(at)).copied().unwrap_or_default()
    }

    /// The name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

impl StatusCode {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];

    /// By OTLP's number; what is unknown is unset.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        usize::try_from(number).ok().and_then(|at| Self::ALL.get(at)).copied().unwrap_or_default()
    }

    /// The name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

impl FromStr for Kind {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name)).ok_or(())
    }
}

impl FromStr for StatusCode {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|code| code.name().eq_ignore_ascii_case(name)).ok_or(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_otlps() {
        for kind in Kind::ALL {
            assert_eq!((Kind::from_number(kind as i32), kind.name().parse()), (kind, Ok(kind)));
        }
        assert_eq!(Kind::from_number(17), Kind::Unspecified);
        assert_eq!(Kind::from_number(-1), Kind::Unspecified);
        assert_eq!("ERROR".parse(), Ok(StatusCode::Error));
    }

    #[test]
    fn a_resource_without_a_name_is_an_unknown_service() {
        let named = Attribute { key: "service.name".into(), value: Value::from("cart") };
        assert_eq!(Resource::new(vec![named]).service, "cart");
        assert_eq!(Resource::new(Vec::new()).service, "unknown_service");
    }
}
