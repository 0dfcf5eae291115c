//! The columns of a block, in their order in the file.

use std::sync::{Arc, LazyLock};

use parquet::{
    file::{metadata::ColumnChunkMetaData, statistics::Statistics},
    schema::{parser::parse_message_type, types::Type},
};
use rustc_hash::FxHashMap;

/// A column's place in the file.
pub(super) type Column = usize;

pub(super) const TRACE: Column = 0;
pub(super) const SPAN: Column = 1;
pub(super) const PARENT: Column = 2;
pub(super) const SERVICE: Column = 3;
pub(super) const NAME: Column = 4;
pub(super) const KIND: Column = 5;
pub(super) const STATUS: Column = 6;
pub(super) const MESSAGE: Column = 7;
pub(super) const START: Column = 8;
pub(super) const DURATION: Column = 9;
pub(super) const TRACE_STATE: Column = 10;
pub(super) const FLAGS: Column = 11;
pub(super) const DROPPED_ATTRIBUTES: Column = 12;
pub(super) const DROPPED_EVENTS: Column = 13;
pub(super) const DROPPED_LINKS: Column = 14;
pub(super) const RESOURCE: Column = 15;
pub(super) const SCOPE: Column = 16;
pub(super) const EVENTS: Column = 17;
pub(super) const LINKS: Column = 18;
/// The first of the columns of [`DEDICATED`].
pub(super) const FIRST_DEDICATED: Column = 19;
/// Keys of all other attributes, then their types and values.
pub(super) const KEYS: Column = FIRST_DEDICATED + DEDICATED.len();
pub(super) const TYPES: Column = KEYS + 1;
pub(super) const VALUES: Column = KEYS + 2;

/// Attributes with a column of their own: what spans of HTTP, RPC, databases and queues carry by the semantic
/// conventions, and what wirespan's agent adds. The column's name has `_` for `.`.
pub(super) const DEDICATED: &[(&str, Form)] = &[
    ("client.address", Form::Text),
    ("db.namespace", Form::Text),
    ("db.operation.name", Form::Text),
    ("db.query.text", Form::Text),
    ("db.system.name", Form::Text),
    ("error.type", Form::Text),
    ("http.request.method", Form::Text),
    ("http.response.status_code", Form::Int),
    ("http.route", Form::Text),
    ("messaging.destination.name", Form::Text),
    ("messaging.system", Form::Text),
    ("network.peer.address", Form::Text),
    ("network.peer.port", Form::Int),
    ("network.protocol.version", Form::Text),
    ("rpc.method", Form::Text),
    ("rpc.service", Form::Text),
    ("rpc.system", Form::Text),
    ("server.address", Form::Text),
    ("server.port", Form::Int),
    ("thread.id", Form::Int),
    ("url.full", Form::Text),
    ("url.path", Form::Text),
    ("url.query", Form::Text),
    ("url.scheme", Form::Text),
    ("user_agent.original", Form::Text),
];

/// What a dedicated column holds. An attribute of another type goes with the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Int,
}

static BY_KEY: LazyLock<FxHashMap<&'static str, usize>> =
    LazyLock::new(|| DEDICATED.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect());

/// The place in [`DEDICATED`] of an attribute's column.
pub(super) fn dedicated(key: &str) -> Option<usize> {
    BY_KEY.get(key).copied()
}

/// Columns that are often without a value, or the same in every row: statistics tell so, and they need not be read.
pub(super) fn often_empty() -> impl Iterator<Item = String> {
    let others = [
        "status_message",
        "trace_state",
        "flags",
        "dropped_attributes",
        "dropped_events",
        "dropped_links",
        "events",
        "links",
    ];
    DEDICATED.iter().map(|(key, _)| key.replace('.', "_")).chain(others.map(str::to_owned))
}

/// Has no row a value in this column of a row group? In doubt, not.
pub(super) fn is_empty(column: &ColumnChunkMetaData) -> bool {
    let nulls = column.statistics().and_then(Statistics::null_count_opt);
    nulls.is_some() && nulls == u64::try_from(column.num_values()).ok()
}

/// The schema as Parquet writes it.
pub(super) static SCHEMA: LazyLock<Arc<Type>> =
    LazyLock::new(|| Arc::new(parse_message_type(&message()).expect("the schema is right by its test")));

fn message() -> String {
    let dedicated: String = DEDICATED
        .iter()
        .map(|(key, form)| {
            let name = key.replace('.', "_");
            match form {
                Form::Text => format!("optional binary {name} (UTF8);\n"),
                Form::Int => format!("optional int64 {name};\n"),
            }
        })
        .collect();
    format!(
        "message spans {{
            required fixed_len_byte_array(16) trace_id;
            required fixed_len_byte_array(8) span_id;
            optional fixed_len_byte_array(8) parent_id;
            required binary service (UTF8);
            required binary name (UTF8);
            required int32 kind;
            required int32 status;
            required binary status_message (UTF8);
            required int64 start (TIMESTAMP(NANOS,true));
            required int64 duration;
            required binary trace_state (UTF8);
            required int32 flags;
            required int32 dropped_attributes;
            required int32 dropped_events;
            required int32 dropped_links;
            required binary resource (UTF8);
            required binary scope (UTF8);
            optional binary events (UTF8);
            optional binary links (UTF8);
            {dedicated}
            required group attributes (LIST) {{
                repeated group list {{
                    required group element {{
                        required binary key (UTF8);
                        required int32 type;
                        required binary value (UTF8);
                    }}
                }}
            }}
        }}"
    )
}

#[cfg(test)]
mod tests {
    use parquet::schema::types::SchemaDescriptor;

    use super::*;

    #[test]
    fn places_are_as_the_constants_say() {
        let schema = SchemaDescriptor::new(SCHEMA.clone());
        let places = [
            (PARENT, "parent_id"),
            (START, "start"),
            (LINKS, "links"),
            (FIRST_DEDICATED, "client_address"),
            (KEYS, "attributes.list.element.key"),
            (VALUES, "attributes.list.element.value"),
        ];
        for (place, name) in places {
            assert_eq!(schema.column(place).path().string(), name);
        }
        assert_eq!(schema.num_columns(), VALUES + 1);
    }

    #[test]
    fn columns_with_statistics_are_in_the_schema() {
        let schema = SchemaDescriptor::new(SCHEMA.clone());
        let paths: Vec<_> = schema.columns().iter().map(|column| column.path().string()).collect();
        assert!(often_empty().all(|column| paths.contains(&column)));
    }

    #[test]
    fn every_dedicated_key_is_found() {
        for (at, (key, _)) in DEDICATED.iter().enumerate() {
            assert_eq!(dedicated(key), Some(at));
        }
    }
}
