//! What the protocol stage tells the next one: a request was seen, work came back, an exchange ended.

use std::borrow::Cow;

use smol_str::SmolStr;
use wirespan_connection::{
    event::{Cookie, Nanos},
    facts::Facts,
    stream::Mark,
};

use crate::{carrier::Headers, token::Tokens};

/// Which part the traced program plays in an exchange. Follows OpenTelemetry's span kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It answers.
    Server,
    /// It asks.
    Client,
    /// It hands a message to a broker.
    Producer,
    /// It is given a message by a broker.
    Consumer,
}

/// Names one exchange on this host: the same for its opening, resumption and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The socket.
    pub cookie: Cookie,
    /// Stream offset of the request's first byte, unwrapped.
    pub offset: u64,
    /// Stream or correlation id of a multiplexed protocol, index of a message in a batch; 0 elsewhere.
    pub sub: u64,
}

/// A request was recognised; its answer is not there yet. Sent as soon as its head is complete.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Name of the exchange.
    pub key: Key,
    /// Which part the program plays.
    pub role: Role,
    /// The connection at this moment.
    pub facts: Facts,
    /// Where the request's first byte came from.
    pub start: Mark,
    /// Headers that carry a trace context or correlate requests, as found, names in lower case.
    pub carrier: Headers,
    /// What kind of request it is: those that ask for the same thing have the same number, whatever ids they name; 0 where
    /// it is not known.
    pub shape: u64,
    /// Rare names in it, which the program may pass on in what it calls for it.
    pub tokens: Tokens,
}

/// A response begins. Read: whatever `task` does next is likely caused by it. Written: `task` worked on the request.
#[derive(Clone, Copy, Debug)]
pub struct Resumption {
    /// Name of the exchange.
    pub key: Key,
    /// Where the response's first byte came from.
    pub at: Mark,
}

/// What ended an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The response is complete (also: its head was seen and its body's length declared).
    Answered,
    /// Answered, and the connection now speaks another protocol (CONNECT, Upgrade).
    Upgraded,
    /// The connection ended in order before the response was complete.
    Closed,
    /// The connection was reset, aborted or timed out; errno.
    Broken(u16),
    /// One side gave it up while the connection went on.
    Cancelled,
    /// No answer within the configured time.
    TimedOut,
    /// Captured bytes were lost, so that the response could not be told.
    Lost,
}

impl Ending {
    /// `error.type` of an exchange without a complete response, where that is an error.
    #[must_use]
    pub const fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Closed => Some("connection_closed"),
            Self::Broken(errno) => Some(broken(errno)),
            Self::Cancelled => Some("cancelled"),
            Self::TimedOut => Some("timeout"),
            Self::Answered | Self::Upgraded | Self::Lost => None,
        }
    }
}

/// Name of an errno (Linux, `include/uapi/asm-generic/errno.h`).
const fn broken(errno: u16) -> &'static str {
    match errno {
        32 => "broken_pipe",
        103 => "connection_aborted",
        104 => "connection_reset",
        110 => "connection_timed_out",
        111 => "connection_refused",
        112 | 113 => "host_unreachable",
        _ => "connection_error",
    }
}

/// One message of an exchange: the request or the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Stream offset of the first byte, unwrapped.
    pub offset: u64,
    /// Where the first byte came from.
    pub first: Mark,
    /// Where the last byte seen came from.
    pub last: Mark,
    /// Bytes on the wire, head and body.
    pub bytes: u64,
    /// Bytes of the payload, without the head and transfer coding, where they are known.
    pub body: Option<u64>,
    /// Bytes that were lost (not: left out on purpose).
    pub missing: u64,
    /// Was the head cut at the capture limit?
    pub truncated: bool,
}

/// A value of an attribute. Text is what was on the wire: redaction comes in the next stage.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text that holds no secret by its nature: a method, a status, a table. Most is short, and then needs no memory of its
    /// own.
    Text(SmolStr),
    /// A URL or the path and query of one: its secrets are to be redacted.
    Url(String),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// Several texts: the values of one header.
    List(Vec<String>),
}

impl Value {
    /// Text that is known when the program is built stays where it is.
    #[must_use]
    pub const fn fixed(text: &'static str) -> Self {
        Self::Text(SmolStr::new_static(text))
    }
}

/// What the request asked for, for naming the span with low cardinality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing more than the method.
    None,
    /// A path whose variable parts (ids, numbers, hashes) are to be templated.
    Path(SmolStr),
    /// A name of low cardinality already: a table, a topic, an RPC method.
    Name(SmolStr),
    /// A destination of messages, whose variable parts are to be templated.
    Destination(SmolStr),
}

/// Did it go well? Decided by the protocol folder for the given role, by the semantic conventions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing says otherwise.
    Unset,
    /// `error.type` (low cardinality: a status code, a protocol's error name), and a description where there is one.
    Error(SmolStr, Option<String>),
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Name of the exchange.
    pub key: Key,
    /// The registry's name of the protocol, in lower case: `http`, `postgresql`, …
    pub protocol: &'static str,
    /// Which part the program plays.
    pub role: Role,
    /// The connection at the end of the exchange.
    pub facts: Facts,
    /// The request.
    pub request: Message,
    /// The response, where its first byte was seen.
    pub response: Option<Message>,
    /// What ended it.
    pub ending: Ending,
    /// When it ended: at the response's last byte, or the moment it was given up.
    pub ended: Nanos,
    /// Method, command or operation: the first word of the span's name.
    pub method: SmolStr,
    /// What it was asked of.
    pub target: Target,
    /// Did it go well?
    pub outcome: Outcome,
    /// Attributes by the names of OpenTelemetry's semantic conventions.
    pub attributes: Vec<(Cow<'static, str>, Value)>,
    /// Contexts of messages that it carried and that are not its cause (a consumer's, a batch's), in the form of
    /// [`Opening::carrier`]: they become links.
    pub links: Vec<Headers>,
}

/// What the protocol stage says, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum Output {
    /// A request was recognised.
    Opened(Opening),
    /// A response to the program's own request was read.
    Resumed(Resumption),
    /// The program began to write its response.
    Answering(Resumption),
    /// An exchange ended. Its opening came before.
    Closed(Box<Exchange>),
    /// The opening with this key was wrong (the protocol was guessed wrongly): forget it.
    Withdrawn(Key),
}

impl Output {
    /// A response begins: read by who asked, written by who answers.
    #[must_use]
    pub const fn begins(role: Role, response: Resumption) -> Self {
        match role {
            Role::Client | Role::Producer => Self::Resumed(response),
            Role::Server | Role::Consumer => Self::Answering(response),
        }
    }
}
