//! A condition and a row group in; out, whether dictionaries alone tell that no row can meet the condition. Reads a few
//! small pages where decoding a column would read them all.

use std::str::from_utf8;

use parquet::{
    basic::Encoding,
    column::page::Page,
    errors::Result,
    file::{metadata::ColumnChunkMetaData, reader::RowGroupReader},
};

use super::columns::{self, Column, DEDICATED, FIRST_DEDICATED, Form};
use crate::{Field, Filter, Op, Operand, Owner};

/// True when what the filter requires is in no row.
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
        Filter::Or(filters) => {
            for filter in filters {
                if !excludes(group, filter)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Filter::Compare(field, Op::Eq, Operand::Text(text) | Operand::Written(text)) => {
            is_absent(group, field, Some(text))
        }
        Filter::Compare(field, ..) | Filter::Exists(field) => is_absent(group, field, None),
        Filter::All | Filter::Not(_) => Ok(false),
    }
}

/// Has no row the field, or none with this text? In doubt, not.
fn is_absent(group: &dyn RowGroupReader, field: &Field, text: Option<&str>) -> Result<bool> {
    match (field, text) {
        (Field::Service, Some(text)) => lacks(group, columns::SERVICE, text),
        (Field::Name, Some(text)) => lacks(group, columns::NAME, text),
        (Field::Attribute(Owner::Span, key), _) => own_lacks(group, key, text),
        (Field::Attribute(Owner::Resource, key), _) => resources_lack(group, key, text),
        (Field::Attribute(Owner::Any, key), _) => {
            Ok(own_lacks(group, key, text)? && resources_lack(group, key, text)?)
        }
        _ => Ok(false),
    }
}

/// Of the spans' own attributes. Those of a key with a column stand among the rest all the same where their type is another
/// (a list of texts, say).
fn own_lacks(group: &dyn RowGroupReader, key: &str, text: Option<&str>) -> Result<bool> {
    let column = columns::dedicated(key).and_then(|at| Some((FIRST_DEDICATED + at, DEDICATED.get(at)?.1)));
    let regular = match (column, text) {
        (None, _) => true,
        (Some((column, Form::Text)), Some(text)) => lacks(group, column, text)?,
        _ => false,
    };
    Ok(regular && lacks(group, columns::KEYS, key)?)
}

/// Of the resources' attributes, which stand in the file as JSON: a key is written in one way, a text too, alone or in a list.
fn resources_lack(group: &dyn RowGroupReader, key: &str, text: Option<&str>) -> Result<bool> {
    let key = json(key) + ":";
    // A number can be written in more than one way.
    let text = text.filter(|text| text.parse::<f64>().is_err()).map(json);
    let text = text.as_deref().map_or("", |text| text.trim_matches('"'));
    none_of(group, columns::RESOURCE, |value| match from_utf8(value) {
        Ok(value) => value.contains(&key) && value.contains(text),
        Err(_) => true,
    })
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn lacks(group: &dyn RowGroupReader, column: Column, text: &str) -> Result<bool> {
    none_of(group, column, |value| value == text.as_bytes())
}

/// Is the column's dictionary all that it has, and none of it such a value?
fn none_of(group: &dyn RowGroupReader, column: Column, is: impl FnMut(&[u8]) -> bool) -> Result<bool> {
    let metadata = group.metadata().column(column);
    if columns::is_empty(metadata) {
        return Ok(true);
    }
    if !is_whole(metadata) {
        return Ok(false);
    }
    Ok(match group.get_column_page_reader(column)?.get_next_page()? {
        Some(Page::DictionaryPage { buf, .. }) => !values(&buf).any(is),
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
