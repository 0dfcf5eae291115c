//! A condition and a row group in; out, whether a dictionary alone tells that no row can meet the condition. Reads one
//! small page where decoding a column would read them all.

use parquet::{
    basic::Encoding,
    column::page::Page,
    errors::Result,
    file::{metadata::ColumnChunkMetaData, reader::RowGroupReader},
};

use super::columns::{self, Column, DEDICATED, FIRST_DEDICATED, Form};
use crate::{Field, Filter, Op, Operand, Owner};

/// True when some text that the filter requires is in no row.
pub(super) fn excludes(group: &dyn RowGroupReader, filter: &Filter) -> Result<bool> {
    match filter {
        Filter::And(filters) => {
            for filter in filters {
                if excludes(group, filter)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Filter::Compare(field, Op::Eq, Operand::Text(text)) => match column(field) {
            Some(column) => Ok(lacks(group, column, text.as_bytes())? && !is_irregular(group, field)?),
            None => Ok(false),
        },
        _ => Ok(false),
    }
}

/// The column that has every text that the field can have.
fn column(field: &Field) -> Option<Column> {
    match field {
        Field::Service => Some(columns::SERVICE),
        Field::Name => Some(columns::NAME),
        Field::Attribute(Owner::Span, key) => {
            let at = columns::dedicated(key)?;
            DEDICATED.get(at).filter(|(_, form)| *form == Form::Text)?;
            Some(FIRST_DEDICATED + at)
        }
        _ => None,
    }
}

/// May the field's attribute be among the rest, because its type is not that of its column (a list of texts, say)?
fn is_irregular(group: &dyn RowGroupReader, field: &Field) -> Result<bool> {
    match field {
        Field::Attribute(_, key) => Ok(!lacks(group, columns::KEYS, key.as_bytes())?),
        _ => Ok(false),
    }
}

fn lacks(group: &dyn RowGroupReader, column: Column, text: &[u8]) -> Result<bool> {
    if !is_whole(group.metadata().column(column)) {
        return Ok(false);
    }
    Ok(match group.get_column_page_reader(column)?.get_next_page()? {
        Some(Page::DictionaryPage { buf, .. }) => !values(&buf).any(|value| value == text),
        _ => false,
    })
}

/// Is every page encoded by the dictionary? A writer whose dictionary grows too large goes on without it.
fn is_whole(column: &ColumnChunkMetaData) -> bool {
    column.page_encoding_stats_mask().is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY))
}

/// The values of a dictionary page: each its length in four bytes, little-endian, then itself (Parquet, "Plain").
fn values(mut page: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = page.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        page = rest;
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_read_to_its_end() {
        let page = [2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0, 1, 0, 0, 0, b'c', 9, 0, 0, 0, b'd'];
        let values: Vec<_> = values(&page).collect();
        assert_eq!(values, [&b"ab"[..], b"", b"c"]);
    }
}
