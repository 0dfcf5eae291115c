//! Comes in: a server's packets, and at which place of a response they stand. Goes out: what they say, and the next
//! place. Refuses: rows and texts of errors. Both ways to end a result, with EOF and with OK (CLIENT_DEPRECATE_EOF), are
//! told apart by the packets themselves: EOF has 5 bytes, OK at least 7.

use smol_str::SmolStr;

use super::{
    command::Reply,
    wire::{self, integer},
};
use crate::cursor::Cursor;

/// SERVER_MORE_RESULTS_EXISTS
const MORE_RESULTS: u16 = 1 << 3;
/// SERVER_STATUS_CURSOR_EXISTS
const CURSOR: u16 = 1 << 6;
/// SERVER_STATUS_NO_BACKSLASH_ESCAPES
const NO_BACKSLASH: u16 = 1 << 9;

/// Place in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A result, or what stands for one, begins.
    Head,
    /// So many columns are still to come.
    Columns(u64),
    /// Behind the columns: where EOF stands for their end.
    FirstRow,
    /// A row, or the end.
    Row,
    /// The client sends a file.
    Infile,
    /// So many parameters and columns of a prepared statement are still to come.
    Definitions(u64),
    /// It is over.
    Over,
}

/// What a packet says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The next place.
    pub(super) place: Option<Place>,
    /// A row.
    pub(super) row: bool,
    /// Rows may come.
    pub(super) columns: bool,
    pub(super) status: Option<u16>,
    pub(super) affected: Option<u64>,
    /// Error number and SQLSTATE.
    pub(super) error: Option<(u16, Option<SmolStr>)>,
    /// Number of a statement that was prepared.
    pub(super) statement: Option<u32>,
    /// Does an EOF stand behind columns?
    pub(super) eof: Option<bool>,
}

impl Said {
    const fn next(place: Place) -> Self {
        Self {
            place: Some(place),
            row: false,
            columns: false,
            status: None,
            affected: None,
            error: None,
            statement: None,
            eof: None,
        }
    }

    /// A result ended with this status.
    fn end(status: u16) -> Self {
        let more = status & MORE_RESULTS != 0;
        Self { status: Some(status), ..Self::next(if more { Place::Head } else { Place::Over }) }
    }
}

/// Is a plain backslash an escape, by this status?
pub(super) const fn escapes(status: u16) -> bool {
    status & NO_BACKSLASH == 0
}

/// Must all of such a packet be there to read it?
pub(super) const fn needs_content(place: Place, first: u8, length: u32) -> bool {
    match place {
        // The last definition may end the answer: all of it must be there.
        Place::Head | Place::Infile | Place::Definitions(_) => true,
        Place::Columns(_) => false,
        Place::FirstRow | Place::Row | Place::Over => is_end(first, length) || first == 0xff,
    }
}

/// A row never begins so: 0xfe announces at least 16 MiB of text.
const fn is_end(first: u8, length: u32) -> bool {
    first == 0xfe && length < wire::MAX_PAYLOAD
}

/// Reads a packet that answers a command of kind `reply`. `eof`: is it known that EOF stands behind columns?
pub(super) fn read(payload: &[u8], length: u32, place: Place, reply: Reply, eof: Option<bool>) -> Said {
    let first = payload.first().copied().unwrap_or_default();
    match (place, first) {
        (Place::Head | Place::FirstRow | Place::Row | Place::Infile | Place::Definitions(_), 0xff) => {
            error(payload, place)
        }
        (Place::Head | Place::Infile, _) => head(payload, length, reply),
        (Place::Columns(left), _) => match left.saturating_sub(1) {
            0 => Said::next(Place::FirstRow),
            left => Said::next(Place::Columns(left)),
        },
        (Place::FirstRow, 0xfe) if length == 5 => {
            let status = eof_status(payload);
            let over = status & CURSOR != 0;
            let place = if over { Place::Over } else { Place::Row };
            Said { eof: Some(true), status: Some(status), ..Said::next(place) }
        }
        (Place::FirstRow | Place::Row, _) if is_end(first, length) => end(payload, length),
        (Place::FirstRow | Place::Row, _) => Said { row: true, ..Said::next(Place::Row) },
        (Place::Definitions(left), _) => definition(left, is_end(first, length) && length == 5, eof),
        (Place::Over, _) if first == 0xfe && length == 5 => {
            Said { eof: Some(true), ..Said::next(Place::Over) }
        }
        (Place::Over, _) => Said::next(Place::Over),
    }
}

fn head(payload: &[u8], length: u32, reply: Reply) -> Said {
    let first = payload.first().copied().unwrap_or_default();
    match (reply, first) {
        (Reply::Text, _) => Said::next(Place::Over),
        (Reply::Prepared, _) => prepared(payload),
        (Reply::Rows | Reply::Fields, 0xfe) => end(payload, length),
        (Reply::Rows, _) => Said { row: true, columns: true, ..Said::next(Place::Row) },
        // Each column is a packet like a row; the end is the same.
        (Reply::Fields, _) => Said::next(Place::Head),
        (_, 0x00) => ok(payload),
        (Reply::Word, _) if is_end(first, length) => end(payload, length),
        (Reply::Login | Reply::Word, _) => Said::next(Place::Head),
        (_, 0xfb) => Said::next(Place::Infile),
        _ => columns(payload),
    }
}

/// The number of columns; behind it MariaDB may say that the client knows them already (MARIADB_CLIENT_CACHE_METADATA).
fn columns(payload: &[u8]) -> Said {
    let mut cursor = Cursor::new(payload);
    let count = integer(&mut cursor).unwrap_or(0);
    let place = if cursor.u8() == Some(0) { Place::FirstRow } else { Place::Columns(count) };
    Said { columns: true, ..Said::next(place) }
}

/// OK: affected rows, last id, status.
fn ok(payload: &[u8]) -> Said {
    let mut cursor = Cursor::new(payload);
    let _kind = cursor.u8();
    let affected = integer(&mut cursor);
    let _last_id = integer(&mut cursor);
    Said { affected, ..Said::end(cursor.u16_le().unwrap_or(0)) }
}

fn eof_status(payload: &[u8]) -> u16 {
    let mut cursor = Cursor::new(payload);
    let _kind_warnings = cursor.take(3);
    cursor.u16_le().unwrap_or(0)
}

/// EOF, or OK in its place.
fn end(payload: &[u8], length: u32) -> Said {
    if length == 5 {
        return Said::end(eof_status(payload));
    }
    Said { affected: None, eof: Some(false), ..ok(payload) }
}

/// An error, or MariaDB's report of progress, which has the number 0xffff and changes nothing.
fn error(payload: &[u8], place: Place) -> Said {
    let mut cursor = Cursor::new(payload);
    let _kind = cursor.u8();
    let code = cursor.u16_le().unwrap_or(0);
    if code == u16::MAX {
        return Said::next(place);
    }
    let state = cursor.literal(b"#").and_then(|()| cursor.take(5));
    let state = state.filter(|state| state.iter().all(u8::is_ascii_alphanumeric));
    let state = state.map(|state| String::from_utf8_lossy(state).into());
    Said { error: Some((code, state)), ..Said::next(Place::Over) }
}

/// COM_STMT_PREPARE_OK: number, columns, parameters.
fn prepared(payload: &[u8]) -> Said {
    let mut cursor = Cursor::new(payload);
    let _kind = cursor.u8();
    let statement = cursor.u32_le();
    let columns = cursor.u16_le().map_or(0, u64::from);
    let parameters = cursor.u16_le().map_or(0, u64::from);
    let place = match columns + parameters {
        0 => Place::Over,
        left => Place::Definitions(left),
    };
    Said { statement, ..Said::next(place) }
}

/// A parameter or column of a prepared statement, or the EOF behind some.
fn definition(left: u64, is_eof: bool, eof: Option<bool>) -> Said {
    let place = match (is_eof, left.saturating_sub(u64::from(!is_eof)), eof) {
        (true, 0, _) => Place::Over,
        // Where it is not known whether an EOF follows, one that comes is passed over.
        (false, 0, None | Some(false)) => Place::Over,
        (_, left, _) => Place::Definitions(left),
    };
    Said { eof: is_eof.then_some(true), ..Said::next(place) }
}
