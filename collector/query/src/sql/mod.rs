//! SQL over spans in, rows out. The spans of the time asked for go into a table in memory, of which only the columns that
//! the statement reads are filled; SQLite does the rest (see `docs/adr/0006`). Refuses: everything but one SELECT, more spans
//! than fit, and to go on beyond its time.

mod names;
mod table;

use std::time::Instant;

use rusqlite::{Connection, ErrorCode, types::ValueRef};
use serde_json::{Number, Value as Json};
use wirespan_store::{Store, StoreError};

use table::Table;

/// Rows of an answer.
const ROWS: usize = 10_000;
/// Bytes of text in an answer, about.
const BYTES: usize = 16 << 20;
/// The largest whole number that JavaScript holds exactly.
const EXACT: u64 = 1 << 53;

/// A statement, and the spans that it is about.
#[derive(Clone, Debug)]
pub struct Sql {
    /// One SELECT from the table `spans`.
    pub text: String,
    /// The earliest start, in nanoseconds since 1970.
    pub start: u64,
    /// The latest start, exclusive.
    pub end: u64,
    /// Give up at this moment.
    pub until: Option<Instant>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Rows of as many values. Whole numbers that JavaScript does not hold exactly are text.
    pub rows: Vec<Vec<Json>>,
    /// How many spans began in the time asked for.
    pub spans: u64,
    /// There are more rows, which are left out.
    pub more: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The statement is wrong.
    #[error("{said}")]
    Bad {
        /// What is wrong.
        said: String,
        /// At which byte, where that is known.
        at: Option<usize>,
    },
    /// The spans do not fit into the memory that a statement may use.
    #[error("too many spans for SQL: ask for a shorter time, or for fewer columns")]
    Large,
    /// It takes too long.
    #[error("the statement takes too long: ask for a shorter time, or for less")]
    Slow,
    /// What is stored cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs a statement.
///
/// # Errors
/// It is no SELECT, asks for what is not there, or for too much.
pub fn run(store: &dyn Store, ask: &Sql) -> Result<Rows, SqlError> {
    if let Some(at) = ask.text.find('\0') {
        // For SQLite it ends the text, also that of a table that has a column of this name.
        return Err(SqlError::Bad { said: "a statement has no NUL in it".to_owned(), at: Some(at) });
    }
    let mut table = Table::new(&ask.text).map_err(trouble)?;
    let columns = table.learn(&ask.text).map_err(trouble)?;
    if columns.is_empty() {
        return Err(SqlError::Bad {
            said: "write a SELECT, such as SELECT count(*) FROM spans".into(),
            at: None,
        });
    }
    let spans = table.fill(store, ask)?;
    let connection = table.guarded(ask.until).map_err(trouble)?;
    Ok(Rows { spans, ..answer(&connection, &ask.text).map_err(trouble)? })
}

fn answer(connection: &Connection, text: &str) -> rusqlite::Result<Rows> {
    let mut statement = connection.prepare(text)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = Rows { columns, ..Rows::default() };
    let mut bytes = 0;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.more = found.rows.len() == ROWS || bytes > BYTES;
        if found.more {
            break;
        }
        let values: Vec<Json> =
            (0..found.columns.len()).map(|at| row.get_ref(at).map(json)).collect::<rusqlite::Result<_>>()?;
        bytes += values.iter().map(|value| value.as_str().map_or(8, str::len)).sum::<usize>();
        found.rows.push(values);
    }
    Ok(found)
}

fn json(of: ValueRef<'_>) -> Json {
    match of {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) if number.unsigned_abs() > EXACT => Json::String(number.to_string()),
        ValueRef::Integer(number) => Json::from(number),
        ValueRef::Real(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        ValueRef::Text(text) => Json::String(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Json::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

fn trouble(error: rusqlite::Error) -> SqlError {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => return SqlError::Slow,
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => return SqlError::Large,
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            let said = "only one SELECT from the table spans is answered".to_owned();
            return SqlError::Bad { said, at: None };
        }
        _ => {}
    }
    match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            SqlError::Bad { said: msg, at: usize::try_from(offset).ok() }
        }
        rusqlite::Error::MultipleStatement => {
            SqlError::Bad { said: "write one statement, not several".to_owned(), at: None }
        }
        error => SqlError::Bad { said: error.to_string(), at: None },
    }
}
