//! Comes in: a client's message. Goes out: what it asks. Refuses: passwords, and
//! parameters, of which nothing but hashes of rare names is kept.

use crate::{
    cursor::Cursor,
    settings::Settings,
    sql::{Dialect, Digest},
    token::Tokens,
};

/// A client's message.
#[derive(Debug)]
pub(super) enum Request {
    /// To encrypt.
    Encrypt,
    /// To cancel another connection's query.
    Cancel,
    /// To begin a session in this database.
    Begin(Option<String>),
    /// A simple query.
    Query(Box<Statement>),
    /// A statement, to be prepared by this name.
    Parse(Vec<u8>, Box<Statement>),
    /// A portal of this name, of the statement of that name, and the rare names among its parameters.
    Bind(Vec<u8>, Vec<u8>, Tokens),
    /// To run a portal.
    Execute(Vec<u8>),
    /// To tell the columns of a statement or portal.
    Describe,
    /// To forget a statement, or a portal.
    Close { statement: bool, name: Vec<u8> },
    /// The end of a group.
    Sync,
    /// To answer what was asked up to here.
    Flush,
    /// To call a function by its number.
    Call,
    /// Bytes of COPY, or its end.
    Copy,
    /// Nothing that is answered, or a secret.
    Silent,
}

/// A statement, and whether more stood behind what was read of it.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) digest: Digest,
    pub(super) truncated: bool,
}

/// Reads a message of this kind. `whole`: all of its content is there.
pub(super) fn request(
    kind: u8,
    content: &[u8],
    whole: bool,
    dialect: Dialect,
    settings: &Settings,
) -> Request {
    let mut cursor = Cursor::new(content);
    match kind {
        b'Q' => Request::Query(Box::new(statement(content, whole, dialect, settings))),
        b'P' => {
            let name = name(&mut cursor);
            Request::Parse(name, Box::new(statement(cursor.rest(), whole, dialect, settings)))
        }
        b'B' => Request::Bind(name(&mut cursor), name(&mut cursor), Tokens::within(cursor.rest())),
        b'E' => Request::Execute(name(&mut cursor)),
        b'D' => Request::Describe,
        b'C' => Request::Close { statement: cursor.u8() == Some(b'S'), name: name(&mut cursor) },
        b'S' => Request::Sync,
        b'H' => Request::Flush,
        b'F' => Request::Call,
        b'd' | b'c' | b'f' => Request::Copy,
        _ => Request::Silent,
    }
}

/// How much of a message of this kind must be there to read it.
pub(super) fn needed(kind: u8, content: &[u8]) -> Needed {
    match kind {
        b'Q' | b'P' | b'E' | b'C' => Needed::Whole,
        // Parameters follow the two names, and may be long.
        b'B' if memchr::memchr_iter(0, content).nth(1).is_none() => Needed::Whole,
        _ => Needed::Header,
    }
}

/// What must be there of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// Its header alone.
    Header,
    /// All of it, or as much as is ever looked at.
    Whole,
}

fn statement(content: &[u8], whole: bool, dialect: Dialect, settings: &Settings) -> Statement {
    let end = memchr::memchr(0, content);
    let text = end.and_then(|end| content.get(..end)).unwrap_or(content);
    let truncated = end.is_none() && !whole;
    Statement { digest: Digest::of(text, dialect, truncated, settings.max_query), truncated }
}

/// A name; what is there of it where its end is not.
fn name(cursor: &mut Cursor<'_>) -> Vec<u8> {
    cursor.until(0).unwrap_or_default().to_vec()
}
