//! Comes in: spans. Goes out: the same spans, found by trace, by condition or as figures, also after a crash. Refuses:
//! to know a wire format (that is ingest's) or a query language (that is query's), and to acknowledge what is not
//! durable.
//!
//! [`Store`] has two implementations that share one contract test: [`Memory`], which forgets the oldest, and
//! [`Embedded`], which keeps what arrives in SQLite and seals it into Parquet files.

#![forbid(unsafe_code)]

mod again;
mod block;
mod embedded;
mod figure;
mod find;
mod join;
mod memory;
mod model;
mod segment;
mod store;

pub use embedded::{Durability, Embedded, Settings};
pub use figure::{
    Catalogue, Edge, EdgeQuery, Figures, NodeKind, Operation, Red, RedQuery, Series, Service, Sketch,
};
pub use find::{Field, Fields, Filter, Found, Hit, Op, Operand, Owner, Scalar, Search, Sort};
pub use join::{Arrival, Call, Join};
pub use memory::Memory;
pub use model::{
    Attribute, BadId, Dropped, Event, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode, Text,
    TraceId, Value, attribute,
};
pub use store::{Figure, Store, StoreError};
