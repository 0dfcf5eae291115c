//! Types that the span stage gives: what started, what came back, what ended.

use std::{borrow::Cow, sync::Arc};

pub use wirespan_protocol::{
    carrier::Headers,
    event::{Address, Cookie, LogicalTask, Nanos, Number, Socket, Task, Transport},
    exchange::{Key, Role},
    token::Tokens,
};

use smol_str::SmolStr;

use crate::resource::Resource;
pub use crate::{
    attributes::{Attribute, Attributes},
    ends::Ends,
};

/// Nanoseconds since the UNIX epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(pub u64);

/// A value of an attribute, redacted.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text. Most is short, an address, a path, a name, and then needs no memory of its own.
    Text(SmolStr),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Several texts.
    List(Vec<String>),
}

/// Status of a span, as OpenTelemetry has it. `Ok` is never set by instrumentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing says otherwise.
    #[default]
    Unset,
    /// It failed; the text may be empty.
    Error(String),
}

/// A named moment within a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub time: UnixNanos,
    /// Its name.
    pub name: Cow<'static, str>,
}

/// One finished operation of one process, without its place in a trace.
#[derive(Clone, Debug)]
pub struct Span {
    /// Name of the exchange.
    pub key: Key,
    /// OpenTelemetry's span kind.
    pub role: Role,
    /// Low-cardinality name.
    pub name: SmolStr,
    /// Request's first byte.
    pub start: UnixNanos,
    /// Response's last byte (or the moment it was given up).
    pub end: UnixNanos,
    /// The same moments on the boot-time clock.
    pub boot: (Nanos, Nanos),
    /// By the semantic conventions, plus `wirespan.*`.
    pub attributes: Attributes,
    /// Contexts of messages that it carried, as found: headers with names in lower case. They become links.
    pub links: Vec<Headers>,
    /// Did it fail?
    pub status: Status,
    /// The moment within it that is known.
    pub event: Option<Moment>,
    /// The process it belongs to.
    pub resource: Arc<Resource>,
}

/// A request was seen: the moment at which its place in a trace is decided.
#[derive(Clone, Debug)]
pub struct Start {
    /// Name of the exchange.
    pub key: Key,
    /// OpenTelemetry's span kind.
    pub role: Role,
    /// The socket it came or went over.
    pub socket: Socket,
    /// Request's first byte.
    pub time: Nanos,
    /// The thread that read or wrote it.
    pub task: Task,
    /// Headers that carry a trace context or correlate requests, names in lower case.
    pub carrier: Headers,
    /// What kind of request it is: those that ask for the same thing have the same number; 0 where it is not known.
    pub shape: u64,
    /// Rare names in it.
    pub tokens: Tokens,
}

/// What the span stage says, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum Activity {
    /// A request was seen.
    Started(Start),
    /// A response to the program's own request was read by `task`.
    Resumed {
        /// Name of the exchange.
        key: Key,
        /// When.
        time: Nanos,
        /// Who read it.
        task: Task,
    },
    /// The program began to write its response: `task` worked on the request.
    Answering {
        /// Name of the exchange.
        key: Key,
        /// When.
        time: Nanos,
        /// Who wrote it.
        task: Task,
    },
    /// It ended. Its start came before.
    Finished(Box<Span>),
    /// The start with this key was wrong: forget it.
    Withdrawn(Key),
}
