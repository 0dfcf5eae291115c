//! Some rows of a row group, each column decoded when it is first looked at, and never twice.

use std::{
    cell::{OnceCell, RefCell},
    str::from_utf8,
    sync::Arc,
};

use parquet::{
    column::reader::get_typed_column_reader,
    data_type::{
        ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
    },
    errors::{ParquetError, Result},
    file::{reader::RowGroupReader, statistics::Statistics},
};
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

use super::columns::{self, Column, DEDICATED, FIRST_DEDICATED, Form, KEYS, TYPES, VALUES};
use crate::{
    Attribute, Dropped, Field, Fields, Hit, Kind, Owner, Resource, Scalar, Scope, Span, SpanId, Status,
    StatusCode, TraceId, Value, find::any_value, model::json,
};

/// Rows `skip..skip + rows` of a row group.
pub(super) struct Group<'b> {
    reader: Box<dyn RowGroupReader + 'b>,
    skip: usize,
    pub(super) rows: usize,
    columns: Vec<OnceCell<Loaded>>,
    resources: RefCell<FxHashMap<Vec<u8>, Arc<Resource>>>,
    scopes: RefCell<FxHashMap<Vec<u8>, Arc<Scope>>>,
    error: RefCell<Option<ParquetError>>,
}

/// A decoded column: what each row has.
enum Loaded {
    Bytes(Vec<Option<ByteArray>>),
    Fixed(Vec<Option<FixedLenByteArray>>),
    Long(Vec<Option<i64>>),
    Int(Vec<Option<i32>>),
    List(List),
    Broken,
}

/// The rest of the attributes: those of row `r` are at `ends[r - 1]..ends[r]`.
struct List {
    ends: Vec<usize>,
    keys: Vec<ByteArray>,
    types: Vec<i32>,
    values: Vec<ByteArray>,
}

/// Values, definition levels and repetition levels, as Parquet has them.
type Raw<T> = (Vec<T>, Vec<i16>, Vec<i16>);

/// One row.
#[derive(Clone, Copy)]
pub(super) struct Row<'g> {
    pub(super) group: &'g Group<'g>,
    pub(super) at: usize,
}

impl<'b> Group<'b> {
    pub(super) fn new(reader: Box<dyn RowGroupReader + 'b>, skip: usize, rows: usize) -> Self {
        Self {
            reader,
            skip,
            rows,
            columns: (0..=VALUES).map(|_| OnceCell::new()).collect(),
            resources: RefCell::default(),
            scopes: RefCell::default(),
            error: RefCell::default(),
        }
    }

    /// The first column that could not be read, if any: what was answered from it is wrong.
    pub(super) fn finish(self) -> Result<()> {
        self.error.into_inner().map_or(Ok(()), Err)
    }

    fn column(&self, column: Column) -> &Loaded {
        let Some(cell) = self.columns.get(column) else { return &Loaded::Broken };
        cell.get_or_init(|| {
            self.load(column).unwrap_or_else(|error| {
                self.error.borrow_mut().get_or_insert(error);
                Loaded::Broken
            })
        })
    }

    fn load(&self, column: Column) -> Result<Loaded> {
        use columns::*;
        if let Some(told) = self.told(column) {
            return Ok(told);
        }
        Ok(match column {
            TRACE | SPAN | PARENT => Loaded::Fixed(self.read::<FixedLenByteArrayType>(column)?),
            KIND | STATUS | FLAGS | DROPPED_ATTRIBUTES | DROPPED_EVENTS | DROPPED_LINKS => {
                Loaded::Int(self.read::<Int32Type>(column)?)
            }
            START | DURATION => Loaded::Long(self.read::<Int64Type>(column)?),
            KEYS => Loaded::List(self.list()?),
            _ if is_int(column) => Loaded::Long(self.read::<Int64Type>(column)?),
            _ => Loaded::Bytes(self.read::<ByteArrayType>(column)?),
        })
    }

    /// A column whose statistics tell what every row has: nothing, or the same.
    fn told(&self, column: Column) -> Option<Loaded> {
        let metadata = self.reader.metadata().column(column);
        if columns::is_empty(metadata) {
            return Some(if is_int(column) { Loaded::Long(Vec::new()) } else { Loaded::Bytes(Vec::new()) });
        }
        match metadata.statistics()? {
            Statistics::Int32(range) => {
                let same = range.min_opt().filter(|least| range.max_opt() == Some(least))?;
                Some(Loaded::Int(vec![Some(*same); self.rows]))
            }
            Statistics::ByteArray(range) if range.null_count_opt() == Some(0) => {
                let empty = range.max_is_exact() && range.max_opt()?.is_empty();
                empty.then(|| Loaded::Bytes(vec![range.max_opt().cloned(); self.rows]))
            }
            _ => None,
        }
    }

    /// A column without repetition, one entry a row.
    fn read<T: DataType>(&self, column: Column) -> Result<Vec<Option<T::T>>> {
        let (values, definition, _) = self.raw::<T>(column)?;
        let mut values = values.into_iter();
        Ok(if definition.is_empty() {
            values.map(Some).collect()
        } else {
            definition.iter().map(|level| if *level > 0 { values.next() } else { None }).collect()
        })
    }

    fn raw<T: DataType>(&self, column: Column) -> Result<Raw<T::T>> {
        let mut reader = get_typed_column_reader::<T>(self.reader.get_column_reader(column)?);
        reader.skip_records(self.skip)?;
        let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
        reader.read_records(self.rows, Some(&mut definition), Some(&mut repetition), &mut values)?;
        Ok((values, definition, repetition))
    }

    fn list(&self) -> Result<List> {
        let (keys, definition, repetition) = self.raw::<ByteArrayType>(KEYS)?;
        let (types, ..) = self.raw::<Int32Type>(TYPES)?;
        let (values, ..) = self.raw::<ByteArrayType>(VALUES)?;
        let mut ends = Vec::with_capacity(self.rows);
        let mut end = 0;
        for (defined, repeated) in definition.iter().zip(&repetition) {
            end += usize::from(*defined > 0);
            match ends.last_mut() {
                Some(last) if *repeated > 0 => *last = end,
                _ => ends.push(end),
            }
        }
        Ok(List { ends, keys, types, values })
    }

    fn bytes(&self, column: Column, at: usize) -> Option<&[u8]> {
        match self.column(column) {
            Loaded::Bytes(values) => values.get(at)?.as_ref().map(ByteArray::data),
            Loaded::Fixed(values) => values.get(at)?.as_ref().map(|value| value.data()),
            _ => None,
        }
    }

    fn text(&self, column: Column, at: usize) -> Option<&str> {
        self.bytes(column, at).and_then(|bytes| from_utf8(bytes).ok())
    }

    pub(super) fn long(&self, column: Column, at: usize) -> Option<i64> {
        match self.column(column) {
            Loaded::Long(values) => values.get(at).copied().flatten(),
            _ => None,
        }
    }

    fn int(&self, column: Column, at: usize) -> i32 {
        match self.column(column) {
            Loaded::Int(values) => values.get(at).copied().flatten().unwrap_or_default(),
            _ => 0,
        }
    }

    fn resource(&self, at: usize) -> Arc<Resource> {
        let bytes = self.bytes(columns::RESOURCE, at).unwrap_or_default();
        if let Some(known) = self.resources.borrow().get(bytes) {
            return known.clone();
        }
        let resource = Arc::new(Resource::new(json::read_attributes(&parse(bytes))));
        self.resources.borrow_mut().insert(bytes.to_vec(), resource.clone());
        resource
    }

    fn scope(&self, at: usize) -> Arc<Scope> {
        let bytes = self.bytes(columns::SCOPE, at).unwrap_or_default();
        if let Some(known) = self.scopes.borrow().get(bytes) {
            return known.clone();
        }
        let json = parse(bytes);
        let text = |key: &str| json[key].as_str().unwrap_or_default().into();
        let attributes = json::read_attributes(&json["attributes"]);
        let scope = Arc::new(Scope { name: text("name"), version: text("version"), attributes });
        self.scopes.borrow_mut().insert(bytes.to_vec(), scope.clone());
        scope
    }
}

fn is_int(column: Column) -> bool {
    let dedicated = column.checked_sub(FIRST_DEDICATED).and_then(|at| DEDICATED.get(at));
    dedicated.is_some_and(|(_, form)| *form == Form::Int)
}

fn parse(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap_or_default()
}

impl List {
    fn of(&self, row: usize) -> impl Iterator<Item = (&ByteArray, i32, &ByteArray)> {
        let end = self.ends.get(row).copied().unwrap_or_default();
        let begin = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        (begin..end).filter_map(|at| Some((self.keys.get(at)?, *self.types.get(at)?, self.values.get(at)?)))
    }
}

/// The value that the writer wrote so.
fn value(kind: i32, bytes: &[u8]) -> Value {
    let text = from_utf8(bytes).unwrap_or_default();
    match kind {
        1 => Value::Bool(text == "true"),
        2 => Value::Int(text.parse().unwrap_or_default()),
        3 => Value::Float(text.parse().unwrap_or(f64::NAN)),
        4 => json::read_value(&parse(bytes)),
        _ => Value::Text(text.into()),
    }
}

impl Row<'_> {
    pub(super) fn trace(self) -> TraceId {
        let bytes = self.group.bytes(columns::TRACE, self.at).unwrap_or_default();
        TraceId(bytes.try_into().unwrap_or_default())
    }

    fn id(self, column: Column) -> Option<SpanId> {
        Some(SpanId(self.group.bytes(column, self.at)?.try_into().ok()?))
    }

    fn text(self, column: Column) -> crate::Text {
        self.group.text(column, self.at).unwrap_or_default().into()
    }

    fn long(self, column: Column) -> u64 {
        self.group.long(column, self.at).unwrap_or_default() as u64
    }

    pub(super) fn hit(self) -> Hit {
        Hit {
            trace: self.trace(),
            id: self.id(columns::SPAN).unwrap_or_default(),
            parent: self.id(columns::PARENT),
            service: self.text(columns::SERVICE),
            name: self.text(columns::NAME),
            kind: Kind::from_number(self.group.int(columns::KIND, self.at)),
            status: StatusCode::from_number(self.group.int(columns::STATUS, self.at)),
            start: self.long(columns::START),
            duration: self.long(columns::DURATION),
        }
    }

    pub(super) fn span(self) -> Span {
        let count = |column| self.group.int(column, self.at) as u32;
        let json = |column| parse(self.group.bytes(column, self.at).unwrap_or_default());
        let Hit { trace, id, parent, name, kind, status, start, duration, .. } = self.hit();
        Span {
            trace,
            id,
            parent,
            name,
            kind,
            start,
            duration,
            status: Status { code: status, message: self.text(columns::MESSAGE) },
            attributes: self.attributes(),
            events: json::read_events(&json(columns::EVENTS)),
            links: json::read_links(&json(columns::LINKS)),
            trace_state: self.text(columns::TRACE_STATE),
            flags: count(columns::FLAGS),
            dropped: Dropped {
                attributes: count(columns::DROPPED_ATTRIBUTES),
                events: count(columns::DROPPED_EVENTS),
                links: count(columns::DROPPED_LINKS),
            },
            resource: self.group.resource(self.at),
            scope: self.group.scope(self.at),
        }
    }

    /// By key, as ingest sorts them.
    fn attributes(self) -> Vec<Attribute> {
        let mut attributes: Vec<Attribute> = DEDICATED
            .iter()
            .enumerate()
            .filter_map(|(at, (key, form))| {
                Some(Attribute { key: (*key).into(), value: self.dedicated(at, *form)? })
            })
            .collect();
        if let Loaded::List(list) = self.group.column(KEYS) {
            attributes.extend(list.of(self.at).map(|(key, kind, bytes)| Attribute {
                key: from_utf8(key.data()).unwrap_or_default().into(),
                value: value(kind, bytes.data()),
            }));
        }
        attributes.sort_by(|a, b| a.key.cmp(&b.key));
        attributes
    }

    fn dedicated(self, at: usize, form: Form) -> Option<Value> {
        let column = FIRST_DEDICATED + at;
        match form {
            Form::Text => self.group.text(column, self.at).map(Value::from),
            Form::Int => self.group.long(column, self.at).map(Value::Int),
        }
    }

    fn own_attribute(self, key: &str, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        if let Some(at) = columns::dedicated(key) {
            let form = DEDICATED.get(at).map_or(Form::Text, |(_, form)| *form);
            if let Some(value) = self.dedicated(at, form) {
                return Scalar::any_of(&value, test);
            }
        }
        let Loaded::List(list) = self.group.column(KEYS) else { return false };
        let mut found = list.of(self.at).filter(|(found, ..)| found.data() == key.as_bytes());
        found.any(|(_, kind, bytes)| Scalar::any_of(&value(kind, bytes.data()), test))
    }

    fn attribute(self, owner: Owner, key: &str, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        let parsed = |column| parse(self.group.bytes(column, self.at).unwrap_or_default());
        match owner {
            Owner::Span => self.own_attribute(key, test),
            Owner::Resource => any_value(&self.group.resource(self.at).attributes, key, test),
            Owner::Any => {
                self.own_attribute(key, test)
                    || any_value(&self.group.resource(self.at).attributes, key, test)
            }
            Owner::Scope => any_value(&self.group.scope(self.at).attributes, key, test),
            Owner::Event => json::read_events(&parsed(columns::EVENTS))
                .iter()
                .any(|event| any_value(&event.attributes, key, test)),
            Owner::Link => json::read_links(&parsed(columns::LINKS))
                .iter()
                .any(|link| any_value(&link.attributes, key, test)),
        }
    }
}

impl Fields for Row<'_> {
    fn any(&self, field: &Field, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        let text = |column| self.group.text(column, self.at).unwrap_or_default();
        match field {
            Field::Service => test(Scalar::Text(text(columns::SERVICE))),
            Field::Name => test(Scalar::Text(text(columns::NAME))),
            Field::Kind => test(Scalar::Kind(Kind::from_number(self.group.int(columns::KIND, self.at)))),
            Field::Status => {
                test(Scalar::Status(StatusCode::from_number(self.group.int(columns::STATUS, self.at))))
            }
            Field::StatusMessage => test(Scalar::Text(text(columns::MESSAGE))),
            Field::Start => test(Scalar::Int(self.long(columns::START) as i64)),
            Field::Duration => test(Scalar::Int(self.long(columns::DURATION) as i64)),
            Field::TraceId => test(Scalar::Text(&self.trace().to_string())),
            Field::SpanId => self.id(columns::SPAN).is_some_and(|id| test(Scalar::Text(&id.to_string()))),
            Field::ParentId => self.id(columns::PARENT).is_some_and(|id| test(Scalar::Text(&id.to_string()))),
            Field::ScopeName => test(Scalar::Text(&self.group.scope(self.at).name)),
            Field::ScopeVersion => test(Scalar::Text(&self.group.scope(self.at).version)),
            Field::EventName => {
                let events = json::read_events(&parse(text(columns::EVENTS).as_bytes()));
                events.iter().any(|event| test(Scalar::Text(&event.name)))
            }
            Field::Attribute(owner, key) => self.attribute(*owner, key, test),
        }
    }
}
