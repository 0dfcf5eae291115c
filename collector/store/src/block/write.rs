//! A segment in, a Parquet file out, durable when this returns: a trace's spans adjacent, traces by start.

use std::{fs::File, io, path::Path, sync::Arc};

use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    data_type::{
        ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
    },
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
const GROUP: usize = 16_384;
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
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(PAGE);
    for random in ["trace_id", "span_id", "parent_id"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(random), false);
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

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text)
}

/// Writes a row group column by column, in the order of the schema.
fn write_group<W: io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[&Span],
    shared: &mut Shared,
) -> Result<()> {
    let mut out = Out { group, rows };
    out.required::<FixedLenByteArrayType>(|span| fixed(&span.trace.0))?;
    out.required::<FixedLenByteArrayType>(|span| fixed(&span.id.0))?;
    out.optional::<FixedLenByteArrayType>(|span| span.parent.map(|id| fixed(&id.0)))?;
    out.required::<ByteArrayType>(|span| bytes(&span.resource.service))?;
    out.required::<ByteArrayType>(|span| bytes(&span.name))?;
    out.required::<Int32Type>(|span| span.kind as i32)?;
    out.required::<Int32Type>(|span| span.status.code as i32)?;
    out.required::<ByteArrayType>(|span| bytes(&span.status.message))?;
    out.required::<Int64Type>(|span| span.start as i64)?;
    out.required::<Int64Type>(|span| span.duration as i64)?;
    out.required::<ByteArrayType>(|span| bytes(&span.trace_state))?;
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
    let rest = write_dedicated(&mut out)?;
    write_rest(&mut out, &rest)
}

/// Attributes of each row that have no column of their own.
type Rest<'a> = Vec<Vec<&'a Attribute>>;

fn write_dedicated<'a, W: io::Write + Send>(out: &mut Out<'_, '_, 'a, W>) -> Result<Rest<'a>> {
    let mut table: Vec<Vec<Option<&Value>>> = vec![vec![None; out.rows.len()]; DEDICATED.len()];
    let mut rest: Rest<'a> = vec![Vec::new(); out.rows.len()];
    for (row, span) in out.rows.iter().enumerate() {
        for attribute in &span.attributes {
            let column = columns::dedicated(&attribute.key).filter(|at| fits(*at, &attribute.value));
            match column.and_then(|at| table.get_mut(at)?.get_mut(row)) {
                Some(cell) if cell.is_none() => *cell = Some(&attribute.value),
                _ => rest.get_mut(row).into_iter().for_each(|rest| rest.push(attribute)),
            }
        }
    }
    for ((_, form), cells) in DEDICATED.iter().zip(&table) {
        match form {
            Form::Text => out.cells::<ByteArrayType>(cells, |value| match value {
                Value::Text(text) => Some(bytes(text)),
                _ => None,
            })?,
            Form::Int => out.cells::<Int64Type>(cells, |value| match value {
                Value::Int(number) => Some(*number),
                _ => None,
            })?,
        }
    }
    Ok(rest)
}

fn fits(dedicated: usize, value: &Value) -> bool {
    let form = DEDICATED.get(dedicated).map(|(_, form)| *form);
    matches!((form, value), (Some(Form::Text), Value::Text(_)) | (Some(Form::Int), Value::Int(_)))
}

fn write_rest<W: io::Write + Send>(out: &mut Out<'_, '_, '_, W>, rest: &Rest<'_>) -> Result<()> {
    let mut definition = Vec::new();
    let mut repetition = Vec::new();
    for row in rest {
        if row.is_empty() {
            definition.push(0);
            repetition.push(0);
        }
        for at in 0..row.len() {
            definition.push(1);
            repetition.push(i16::from(at > 0));
        }
    }
    let all = || rest.iter().flatten();
    let keys: Vec<_> = all().map(|attribute| bytes(&attribute.key)).collect();
    let types: Vec<_> = all().map(|attribute| kind(&attribute.value)).collect();
    let values: Vec<_> = all().map(|attribute| written(&attribute.value)).collect();
    out.column::<ByteArrayType>(&keys, Some(&definition), Some(&repetition))?;
    out.column::<Int32Type>(&types, Some(&definition), Some(&repetition))?;
    out.column::<ByteArrayType>(&values, Some(&definition), Some(&repetition))
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

fn written(value: &Value) -> ByteArray {
    match value {
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => text(json::value(value).to_string()),
        plain => bytes(&plain.text()),
    }
}

fn fixed(bytes: &[u8]) -> FixedLenByteArray {
    FixedLenByteArray::from(bytes.to_vec())
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

    fn optional<T: DataType>(&mut self, of: impl FnMut(&Span) -> Option<T::T>) -> Result<()> {
        let values: Vec<Option<T::T>> = self.rows.iter().copied().map(of).collect();
        self.some::<T>(values)
    }

    fn cells<T: DataType>(
        &mut self,
        cells: &[Option<&Value>],
        of: impl Fn(&Value) -> Option<T::T>,
    ) -> Result<()> {
        self.some::<T>(cells.iter().map(|cell| cell.and_then(&of)).collect())
    }

    fn some<T: DataType>(&mut self, values: Vec<Option<T::T>>) -> Result<()> {
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
