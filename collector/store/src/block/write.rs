//! A segment in, a Parquet file out, durable when this returns: a trace's spans adjacent, traces by start.

use std::{fs::File, io, path::Path, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArrayType, Int32Type, Int64Type},
    errors::{ParquetError, Result},
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::ColumnPath,
};
use rustc_hash::FxHashMap;

use super::columns::{self, DEDICATED, FIRST_DEDICATED, Form, SCHEMA};
use crate::{Attribute, Resource, Scope, Span, TraceId, Value, model::json, segment::Segment};

/// Rows of one row group: what a search decodes at once.
const GROUP: usize = 20_480;
/// Rows of one page: what reading one trace decodes at once.
const PAGE: usize = 1024;

/// Where a trace's spans stand in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) trace: TraceId,
    pub(crate) row: u32,
    pub(crate) rows: u32,
}

/// What was written.
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) places: Vec<Place>,
}

/// Writes all spans of a segment into a new file.
///
/// # Errors
/// The file cannot be written; it is left as far as it got.
pub(crate) fn write(path: &Path, segment: &Segment) -> Result<Written> {
    let file = File::create(path)?;
    let mut writer = SerializedFileWriter::new(&file, SCHEMA.clone(), Arc::new(properties()))?;
    let (order, places) = order(segment);
    let mut shared = Shared::default();
    for rows in order.chunks(GROUP) {
        let mut group = writer.next_row_group()?;
        write_group(&mut group, rows, &mut shared)?;
        group.close()?;
    }
    writer.close()?;
    file.sync_all()?;
    Ok(Written { bytes: file.metadata()?.len(), places })
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("wirespan ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::None)
        // What is asked of them is whether there is anything.
        .set_statistics_truncate_length(Some(8))
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(PAGE);
    for random in ["trace_id", "span_id", "parent_id"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(random), false);
    }
    for column in columns::often_empty() {
        properties =
            properties.set_column_statistics_enabled(ColumnPath::from(&*column), EnabledStatistics::Chunk);
    }
    for number in ["start", "duration"] {
        let column = ColumnPath::from(number);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED)
            .set_column_statistics_enabled(column, EnabledStatistics::Chunk);
    }
    properties.build()
}

/// Spans in the order of the file, and where each trace stands.
fn order(segment: &Segment) -> (Vec<&Span>, Vec<Place>) {
    let mut order: Vec<&Span> = Vec::with_capacity(segment.spans.len());
    let mut places = Vec::new();
    for trace in segment.traces_by_start() {
        let row = order.len();
        order.extend(trace.iter().filter_map(|place| segment.spans.get(*place as usize)));
        let rows = order.get_mut(row..).unwrap_or_default();
        rows.sort_by_key(|span| span.start);
        if let Some(first) = rows.first() {
            places.push(Place { trace: first.trace, row: row as u32, rows: rows.len() as u32 });
        }
    }
    (order, places)
}

/// Resources and scopes as JSON, made once for all the spans that share them.
#[derive(Default)]
struct Shared {
    resources: FxHashMap<*const Resource, ByteArray>,
    scopes: FxHashMap<*const Scope, ByteArray>,
}

impl Shared {
    fn resource(&mut self, of: &Arc<Resource>) -> ByteArray {
        let entry = self.resources.entry(Arc::as_ptr(of));
        entry.or_insert_with(|| text(json::attributes(&of.attributes).to_string())).clone()
    }

    fn scope(&mut self, of: &Arc<Scope>) -> ByteArray {
        let make = || {
            let attributes = json::attributes(&of.attributes);
            text(
                serde_json::json!({ "name": of.name, "version": of.version, "attributes": attributes })
                    .to_string(),
            )
        };
        self.scopes.entry(Arc::as_ptr(of)).or_insert_with(make).clone()
    }
}

fn text(text: impl Into<Vec<u8>>) -> ByteArray {
    ByteArray::from(text.into())
}

/// Texts of a column one after the other: they are many and short, and a piece of memory for each costs more than its text.
#[derive(Default)]
struct Texts {
    all: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: impl AsRef<[u8]>) {
        self.all.extend_from_slice(text.as_ref());
        self.ends.push(self.all.len());
    }

    /// As Parquet takes them, each a part of that memory.
    fn values<T: From<ByteArray>>(self) -> Vec<T> {
        let all = Bytes::from(self.all);
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| ByteArray::from(all.slice(begin..*end)).into()).collect()
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for Texts {
    fn from_iter<I: IntoIterator<Item = A>>(all: I) -> Self {
        let mut texts = Self::default();
        all.into_iter().for_each(|text| texts.push(text));
        texts
    }
}

/// Writes a row group column by column, in the order of the schema.
fn write_group<W: io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[&Span],
    shared: &mut Shared,
) -> Result<()> {
    let mut out = Out { group, rows };
    out.texts::<FixedLenByteArrayType>(|span| &span.trace.0)?;
    out.texts::<FixedLenByteArrayType>(|span| &span.id.0)?;
    out.parents()?;
    out.texts::<ByteArrayType>(|span| span.resource.service.as_bytes())?;
    out.texts::<ByteArrayType>(|span| span.name.as_bytes())?;
    out.required::<Int32Type>(|span| span.kind as i32)?;
    out.required::<Int32Type>(|span| span.status.code as i32)?;
    out.texts::<ByteArrayType>(|span| span.status.message.as_bytes())?;
    out.required::<Int64Type>(|span| span.start as i64)?;
    out.required::<Int64Type>(|span| span.duration as i64)?;
    out.texts::<ByteArrayType>(|span| span.trace_state.as_bytes())?;
    out.required::<Int32Type>(|span| span.flags as i32)?;
    out.required::<Int32Type>(|span| span.dropped.attributes as i32)?;
    out.required::<Int32Type>(|span| span.dropped.events as i32)?;
    out.required::<Int32Type>(|span| span.dropped.links as i32)?;
    out.required::<ByteArrayType>(|span| shared.resource(&span.resource))?;
    out.required::<ByteArrayType>(|span| shared.scope(&span.scope))?;
    out.optional::<ByteArrayType>(|span| {
        (!span.events.is_empty()).then(|| text(json::events(&span.events).to_string()))
    })?;
    out.optional::<ByteArrayType>(|span| {
        (!span.links.is_empty()).then(|| text(json::links(&span.links).to_string()))
    })?;
    let (dedicated, rest) = attributes(rows);
    for column in dedicated {
        match column.form {
            Form::Text => out.column::<ByteArrayType>(&column.texts.values(), Some(&column.present), None)?,
            Form::Int => out.column::<Int64Type>(&column.numbers, Some(&column.present), None)?,
        }
    }
    let (definition, repetition) = (Some(&*rest.definition), Some(&*rest.repetition));
    out.column::<ByteArrayType>(&rest.keys.values(), definition, repetition)?;
    out.column::<Int32Type>(&rest.types, definition, repetition)?;
    out.column::<ByteArrayType>(&rest.values.values(), definition, repetition)
}

/// The column of an attribute: which rows have it, and the values of those.
struct Dedicated {
    form: Form,
    present: Vec<i16>,
    texts: Texts,
    numbers: Vec<i64>,
}

impl Dedicated {
    /// Takes a row's value; not one of another type, nor a second one.
    fn take(&mut self, row: usize, value: &Value) -> bool {
        let Some(present) = self.present.get_mut(row).filter(|present| **present == 0) else { return false };
        match (self.form, value) {
            (Form::Text, Value::Text(text)) => self.texts.push(text),
            (Form::Int, Value::Int(number)) => self.numbers.push(*number),
            _ => return false,
        }
        *present = 1;
        true
    }
}

/// Attributes that have no column of their own, as Parquet's lists: a row without any has one entry that is not defined, and
/// of the entries of a row all but the first repeat.
#[derive(Default)]
struct Rest {
    definition: Vec<i16>,
    repetition: Vec<i16>,
    keys: Texts,
    types: Vec<i32>,
    values: Texts,
}

impl Rest {
    fn add(&mut self, attribute: &Attribute, first: bool) {
        self.definition.push(1);
        self.repetition.push(i16::from(!first));
        self.keys.push(&attribute.key);
        self.types.push(kind(&attribute.value));
        match &attribute.value {
            value @ (Value::Bytes(_) | Value::List(_) | Value::Map(_)) => {
                self.values.push(json::value(value).to_string());
            }
            plain => self.values.push(plain.text().as_bytes()),
        }
    }

    fn none(&mut self) {
        self.definition.push(0);
        self.repetition.push(0);
    }
}

/// All attributes, span by span: each is far from the next in memory, and looked at once.
fn attributes(rows: &[&Span]) -> (Vec<Dedicated>, Rest) {
    let empty = |(_, form): &(&str, Form)| Dedicated {
        form: *form,
        present: vec![0; rows.len()],
        texts: Texts::default(),
        numbers: Vec::new(),
    };
    let mut dedicated: Vec<Dedicated> = DEDICATED.iter().map(empty).collect();
    let mut rest = Rest::default();
    for (row, span) in rows.iter().enumerate() {
        let mut first = true;
        for attribute in &span.attributes {
            let column = columns::dedicated(&attribute.key).and_then(|at| dedicated.get_mut(at));
            if !column.is_some_and(|column| column.take(row, &attribute.value)) {
                rest.add(attribute, first);
                first = false;
            }
        }
        if first {
            rest.none();
        }
    }
    (dedicated, rest)
}

/// The type's number in the file: 0 text, 1 truth value, 2 whole number, 3 number, 4 JSON for all else.
fn kind(value: &Value) -> i32 {
    match value {
        Value::Text(_) => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Float(_) => 3,
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => 4,
    }
}

/// The columns of a row group, one after the other.
struct Out<'o, 'g, 'a, W: io::Write + Send> {
    group: &'o mut SerializedRowGroupWriter<'g, W>,
    rows: &'o [&'a Span],
}

impl<W: io::Write + Send> Out<'_, '_, '_, W> {
    fn required<T: DataType>(&mut self, of: impl FnMut(&Span) -> T::T) -> Result<()> {
        let values: Vec<T::T> = self.rows.iter().copied().map(of).collect();
        self.column::<T>(&values, None, None)
    }

    fn texts<T: DataType>(&mut self, of: impl Fn(&Span) -> &[u8]) -> Result<()>
    where
        T::T: From<ByteArray>,
    {
        let texts: Texts = self.rows.iter().map(|span| of(span)).collect();
        self.column::<T>(&texts.values(), None, None)
    }

    fn parents(&mut self) -> Result<()> {
        let present: Vec<i16> = self.rows.iter().map(|span| i16::from(span.parent.is_some())).collect();
        let texts: Texts = self.rows.iter().filter_map(|span| span.parent).map(|id| id.0).collect();
        self.column::<FixedLenByteArrayType>(&texts.values(), Some(&present), None)
    }

    fn optional<T: DataType>(&mut self, of: impl FnMut(&Span) -> Option<T::T>) -> Result<()> {
        let values: Vec<Option<T::T>> = self.rows.iter().copied().map(of).collect();
        let definition: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
        let present: Vec<T::T> = values.into_iter().flatten().collect();
        self.column::<T>(&present, Some(&definition), None)
    }

    fn column<T: DataType>(
        &mut self,
        values: &[T::T],
        definition: Option<&[i16]>,
        repetition: Option<&[i16]>,
    ) -> Result<()> {
        let none = || ParquetError::General("the schema has fewer columns than are written".to_owned());
        let mut column = self.group.next_column()?.ok_or_else(none)?;
        column.typed::<T>().write_batch(values, definition, repetition)?;
        column.close()
    }
}

const _: () =
    assert!(FIRST_DEDICATED == 19 && columns::LINKS == 18, "write_group writes 19 columns before these");
