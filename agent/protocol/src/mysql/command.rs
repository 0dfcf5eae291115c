//! Comes in: a client's command. Goes out: what it asks, and what will answer it (MySQL Internals, "Command Phase").
//! Refuses: passwords, and parameters, of which nothing but hashes of rare names is kept.

use super::{handshake::Characters, wire};
use crate::{
    carrier::Carrier,
    cursor::Cursor,
    settings::Settings,
    sql::{Dialect, Digest},
    token::Tokens,
};

/// COM_QUERY
pub(super) const QUERY: u8 = 0x03;
/// COM_STMT_PREPARE
pub(super) const PREPARE: u8 = 0x16;
/// COM_STMT_EXECUTE
pub(super) const EXECUTE: u8 = 0x17;
/// COM_INIT_DB
pub(super) const INIT_DB: u8 = 0x02;
/// COM_PING
pub(super) const PING: u8 = 0x0e;
/// COM_STMT_CLOSE
pub(super) const CLOSE: u8 = 0x19;

/// What answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nothing.
    Nothing,
    /// OK, EOF or an error.
    Word,
    /// Results, OK, or an error.
    Results,
    /// A prepared statement, or an error.
    Prepared,
    /// Columns, then EOF.
    Fields,
    /// Rows of a cursor.
    Rows,
    /// One packet of text.
    Text,
    /// Authentication, then OK or an error.
    Login,
    /// Events without end.
    Stream,
}

/// Name (`db.operation.name`) and answer of a command; the name is empty where a statement tells the operation.
/// Numbers by `include/my_command.h` of MySQL and MariaDB's "2 - Text Protocol".
pub(super) const fn command(code: u8) -> Option<(&'static str, Reply)> {
    Some(match code {
        0x01 => ("QUIT", Reply::Nothing),
        INIT_DB => ("USE", Reply::Word),
        QUERY | EXECUTE => ("", Reply::Results),
        0x04 => ("FIELD_LIST", Reply::Fields),
        0x05 => ("CREATE_DB", Reply::Word),
        0x06 => ("DROP_DB", Reply::Word),
        0x07 => ("REFRESH", Reply::Word),
        0x08 => ("SHUTDOWN", Reply::Word),
        0x09 => ("STATISTICS", Reply::Text),
        0x0a => ("PROCESS_INFO", Reply::Results),
        0x0c => ("KILL", Reply::Word),
        0x0d => ("DEBUG", Reply::Word),
        PING => ("PING", Reply::Word),
        0x11 => ("CHANGE_USER", Reply::Login),
        0x12 | 0x1e => ("BINLOG_DUMP", Reply::Stream),
        0x15 => ("REGISTER_SLAVE", Reply::Word),
        PREPARE => ("PREPARE", Reply::Prepared),
        0x18 => ("SEND_LONG_DATA", Reply::Nothing),
        CLOSE => ("CLOSE", Reply::Nothing),
        0x1a => ("RESET", Reply::Word),
        0x1b => ("SET_OPTION", Reply::Word),
        0x1c => ("FETCH", Reply::Rows),
        0x1f => ("RESET_CONNECTION", Reply::Word),
        0xfa => ("", Reply::Results),
        _ => return None,
    })
}

/// A statement's number that means the one prepared last (MariaDB, COM_STMT_EXECUTE).
pub(super) const LAST_PREPARED: u32 = u32::MAX;

/// A client's command, read.
#[derive(Debug)]
pub(super) struct Command {
    /// Its name; empty where the statement tells the operation.
    pub(super) name: &'static str,
    pub(super) reply: Reply,
    pub(super) object: Object,
    /// Those that it sets.
    pub(super) characters: Option<Characters>,
    pub(super) truncated: bool,
}

/// What a command is about.
#[derive(Debug)]
pub(super) enum Object {
    /// Nothing that is told.
    Nothing,
    /// A statement's text.
    Text(Box<Digest>),
    /// A prepared statement to be run, and the rare names among its parameters.
    Statement(u32, Tokens),
    /// A prepared statement to be forgotten.
    Closed(u32),
    /// A database.
    Database(String),
}

/// How the texts of this connection are read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) dialect: Dialect,
    /// Do queries begin with attributes? `None` where the handshake was not seen.
    pub(super) attributes: Option<bool>,
    pub(super) settings: &'a Settings,
}

/// Reads a command's payload. `whole`: all of it is there.
pub(super) fn read(payload: &[u8], whole: bool, reading: Reading<'_>) -> Option<Command> {
    let mut cursor = Cursor::new(payload);
    let code = cursor.u8()?;
    let (name, reply) = command(code)?;
    let mut characters = None;
    let object = match code {
        QUERY => {
            let carrier = attributes(&mut cursor, reading.attributes);
            characters = Characters::of_statement(cursor.rest());
            let mut digest = digest(cursor.rest(), whole, reading);
            digest.carrier.splice(0..0, carrier.into_headers());
            Object::Text(Box::new(digest))
        }
        PREPARE => Object::Text(Box::new(digest(cursor.rest(), whole, reading))),
        EXECUTE | 0xfa | 0x1c => cursor
            .u32_le()
            .map_or(Object::Nothing, |number| Object::Statement(number, Tokens::within(cursor.rest()))),
        CLOSE => cursor.u32_le().map_or(Object::Nothing, Object::Closed),
        INIT_DB => Object::Database(String::from_utf8_lossy(cursor.rest()).into_owned()),
        _ => Object::Nothing,
    };
    Some(Command { name, reply, object, characters, truncated: needs_content(code) && !whole })
}

fn digest(text: &[u8], whole: bool, reading: Reading<'_>) -> Digest {
    Digest::of(text, reading.dialect, !whole, reading.settings.max_query)
}

/// Must all of such a command be there to read it?
pub(super) const fn needs_content(code: u8) -> bool {
    matches!(code, QUERY | PREPARE | INIT_DB)
}

/// Attributes read of one query.
const MAX_ATTRIBUTES: u64 = 32;

/// Steps over a query's attributes; those that carry a trace context are kept (MySQL 8.0.23, COM_QUERY). Where they
/// cannot be read, what follows is no text, and nothing of it is told. Where the handshake was not seen, the number of
/// their sets tells, which is 1: no text has such a byte.
fn attributes(cursor: &mut Cursor<'_>, declared: Option<bool>) -> Carrier {
    let present = declared.unwrap_or_else(|| cursor.rest().get(1) == Some(&1));
    let mut carrier = Carrier::default();
    if present && attribute_list(cursor, &mut carrier).is_none() {
        *cursor = Cursor::new(&[]);
    }
    carrier
}

fn attribute_list(cursor: &mut Cursor<'_>, carrier: &mut Carrier) -> Option<()> {
    let count = wire::integer(cursor)?;
    let _sets = wire::integer(cursor)?;
    if count == 0 {
        return Some(());
    }
    (count <= MAX_ATTRIBUTES).then_some(())?;
    let nulls = cursor.take(usize::try_from(count.div_ceil(8)).ok()?)?;
    let _bound = cursor.u8()?;
    let mut kinds = Vec::new();
    for place in 0..count {
        let null = nulls.get(usize::try_from(place / 8).ok()?)? >> (place % 8) & 1 == 1;
        kinds.push((cursor.u16_le()?, wire::text(cursor)?, null));
    }
    for (kind, name, _) in kinds.into_iter().filter(|(.., null)| !null) {
        carrier.offer(name, value(cursor, kind)?);
    }
    Some(())
}

/// The bytes of a value in the binary protocol (`enum_field_types`, `include/field_types.h`).
fn value<'a>(cursor: &mut Cursor<'a>, kind: u16) -> Option<&'a [u8]> {
    match kind & 0xff {
        0x01 => cursor.take(1),
        0x02 | 0x0d => cursor.take(2),
        0x03 | 0x04 | 0x09 => cursor.take(4),
        0x05 | 0x08 => cursor.take(8),
        0x06 => Some(&[]),
        0x07 | 0x0a | 0x0b | 0x0c => {
            let length = cursor.u8()?;
            cursor.take(length.into())
        }
        _ => wire::text(cursor),
    }
}
