//! The table `spans`: its columns, and how spans get into it.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use rusqlite::{
    Connection, Statement,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    params_from_iter,
    types::Value,
};
use wirespan_store::{Field, Fields, Owner, Scalar, Store};

use super::{Sql, SqlError, names, trouble};

/// Bytes of the table, which is in memory.
const MEMORY: u32 = 256 << 20;
/// Bytes of its pages: SQLite's usual size.
const PAGE: u32 = 4096;
/// Spans between two looks at the clock.
const STRIDE: u64 = 1024;
/// Steps of SQLite's machine between two looks at the clock: some microseconds.
const STEPS: i32 = 10_000;

/// Columns that every span has; attributes come after them, by their names.
const COLUMNS: [(&str, Field); 11] = [
    ("trace_id", Field::TraceId),
    ("span_id", Field::SpanId),
    ("parent_id", Field::ParentId),
    ("service", Field::Service),
    ("name", Field::Name),
    ("kind", Field::Kind),
    ("status", Field::Status),
    ("status_message", Field::StatusMessage),
    ("start", Field::Start),
    ("duration", Field::Duration),
    ("scope", Field::ScopeName),
];

/// What one statement may ask of SQLite, below its own bounds.
const LIMITS: [(Limit, i32); 9] = [
    (Limit::SQLITE_LIMIT_LENGTH, 1 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 16),
    (Limit::SQLITE_LIMIT_COLUMN, 128),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 20),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 16),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// The table of one statement.
pub(super) struct Table {
    connection: Connection,
    columns: Vec<(String, Field)>,
    read: Arc<Mutex<BTreeSet<String>>>,
}

impl Table {
    /// Empty, with the columns that the statement may read.
    pub(super) fn new(text: &str) -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        // A name that is no column is a mistake and no text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        for (limit, most) in LIMITS {
            connection.set_limit(limit, most)?;
        }
        let mut columns: Vec<_> = COLUMNS.map(|(name, field)| (name.to_owned(), field)).into();
        let attributes = names::quoted(text).into_iter();
        let fresh =
            attributes.filter(|name| !COLUMNS.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)));
        let fresh: Vec<_> = fresh.collect();
        columns.extend(fresh.into_iter().map(|name| {
            let field = Field::Attribute(Owner::Any, name.as_str().into());
            (name, field)
        }));
        let list: Vec<_> = columns.iter().map(|(name, _)| quote(name)).collect();
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = OFF; PRAGMA max_page_count = {}; CREATE TABLE spans ({}); BEGIN;",
            MEMORY / PAGE,
            list.join(", ")
        ))?;
        Ok(Self { connection, columns, read: Arc::default() })
    }

    /// Finds out what the statement reads. Gives the names of its answer's columns.
    pub(super) fn learn(&mut self, text: &str) -> rusqlite::Result<Vec<String>> {
        self.guard()?;
        let statement = self.connection.prepare(text)?;
        let columns = statement.column_names().map(str::to_owned).collect();
        drop(statement);
        self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        Ok(columns)
    }

    /// From now on nothing but reading the table is allowed.
    fn guard(&mut self) -> rusqlite::Result<()> {
        let read = self.read.clone();
        self.connection.authorizer(Some(move |context: AuthContext<'_>| match context.action {
            AuthAction::Select | AuthAction::Function { .. } | AuthAction::Recursive => Authorization::Allow,
            AuthAction::Read { table_name, column_name } if !table_name.starts_with("sqlite_") => {
                read.lock().unwrap_or_else(PoisonError::into_inner).insert(column_name.to_lowercase());
                Authorization::Allow
            }
            _ => Authorization::Deny,
        }))
    }

    /// Puts the spans of the time asked for into the columns that are read. Gives their number.
    pub(super) fn fill(&mut self, store: &dyn Store, ask: &Sql) -> Result<u64, SqlError> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut columns: Vec<_> =
            self.columns.iter().filter(|(name, _)| read.contains(&name.to_lowercase())).collect();
        // A statement that only counts reads none.
        columns.extend(self.columns.first().filter(|_| columns.is_empty()));
        let names: Vec<_> = columns.iter().map(|(name, _)| quote(name)).collect();
        let places = vec!["?"; names.len()].join(", ");
        let insert = format!("INSERT INTO spans ({}) VALUES ({places})", names.join(", "));
        let fields: Vec<_> = columns.iter().map(|(_, field)| field).collect();
        let insert = self.connection.prepare(&insert).map_err(trouble)?;
        Filling { insert, fields, until: ask.until, spans: 0, error: None }.fill(store, ask)
    }

    /// The connection as a statement of somebody else's may use it.
    pub(super) fn guarded(mut self, until: Option<Instant>) -> rusqlite::Result<Connection> {
        self.guard()?;
        let Self { mut connection, .. } = self;
        let late = move || until.is_some_and(|until| Instant::now() > until);
        connection.progress_handler(STEPS, Some(late))?;
        Ok(connection)
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

struct Filling<'t> {
    insert: Statement<'t>,
    fields: Vec<&'t Field>,
    until: Option<Instant>,
    spans: u64,
    error: Option<SqlError>,
}

impl Filling<'_> {
    fn fill(mut self, store: &dyn Store, ask: &Sql) -> Result<u64, SqlError> {
        store.scan(ask.start, ask.end, &mut |span| match self.add(span) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        })?;
        self.error.map_or(Ok(self.spans), Err)
    }

    fn add(&mut self, span: &dyn Fields) -> Result<(), SqlError> {
        if self.spans.is_multiple_of(STRIDE) && self.until.is_some_and(|until| Instant::now() > until) {
            return Err(SqlError::Slow);
        }
        self.spans += 1;
        let values = self.fields.iter().map(|field| value(span, field));
        self.insert.execute(params_from_iter(values)).map_err(trouble)?;
        Ok(())
    }
}

/// The first value of a field; none where the span does not have it.
fn value(span: &dyn Fields, field: &Field) -> Value {
    let mut value = Value::Null;
    span.any(field, &mut |found| {
        value = match found {
            Scalar::Int(number) => Value::Integer(number),
            Scalar::Bool(yes) => Value::Integer(yes.into()),
            Scalar::Float(number) => Value::Real(number),
            other => Value::Text(other.text().into_owned()),
        };
        true
    });
    value
}
