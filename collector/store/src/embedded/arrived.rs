//! Spans to bytes and back, as they stand in the catalogue between their arrival and their block: postcard's encoding,
//! resources and scopes once each, packed with zstd.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;

use crate::{Resource, Scope, Span, StoreError};

#[derive(Serialize)]
struct Batch<'a> {
    resources: Vec<&'a Resource>,
    scopes: Vec<&'a Scope>,
    spans: Vec<(u32, u32, &'a Span)>,
}

#[derive(Deserialize)]
struct OwnBatch {
    resources: Vec<Resource>,
    scopes: Vec<Scope>,
    spans: Vec<(u32, u32, Span)>,
}

/// Shared parts by first use.
struct Numbers<'a, T> {
    by_place: FxHashMap<*const T, u32>,
    parts: Vec<&'a T>,
}

impl<'a, T> Numbers<'a, T> {
    fn number(&mut self, part: &'a Arc<T>) -> u32 {
        let next = self.parts.len() as u32;
        let number = *self.by_place.entry(Arc::as_ptr(part)).or_insert(next);
        if number == next {
            self.parts.push(part);
        }
        number
    }
}

/// Packs spans, one batch after the other: what zstd needs for it is a megabyte, and made once.
pub(super) struct Packer(Mutex<Compressor<'static>>);

impl Packer {
    pub(super) fn new() -> Result<Self, StoreError> {
        Ok(Self(Mutex::new(Compressor::new(1).map_err(|error| damaged(&error))?)))
    }

    pub(super) fn pack(&self, spans: &[Span]) -> Result<Vec<u8>, StoreError> {
        let plain = postcard::to_stdvec(&Batch::of(spans)).map_err(|error| damaged(&error))?;
        let mut compressor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        compressor.compress(&plain).map_err(|error| damaged(&error))
    }
}

impl<'a> Batch<'a> {
    fn of(spans: &'a [Span]) -> Self {
        let mut resources = Numbers { by_place: FxHashMap::default(), parts: Vec::new() };
        let mut scopes = Numbers { by_place: FxHashMap::default(), parts: Vec::new() };
        let spans = spans
            .iter()
            .map(|span| (resources.number(&span.resource), scopes.number(&span.scope), span))
            .collect();
        Self { resources: resources.parts, scopes: scopes.parts, spans }
    }
}

/// Unpacks what [`Packer::pack`] packed.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<Span>, StoreError> {
    let plain = zstd::stream::decode_all(bytes).map_err(|error| damaged(&error))?;
    let batch: OwnBatch = postcard::from_bytes(&plain).map_err(|error| damaged(&error))?;
    let resources: Vec<_> = batch.resources.into_iter().map(Arc::new).collect();
    let scopes: Vec<_> = batch.scopes.into_iter().map(Arc::new).collect();
    let whole = |(resource, scope, mut span): (u32, u32, Span)| {
        span.resource = resources.get(resource as usize).cloned().unwrap_or_default();
        span.scope = scopes.get(scope as usize).cloned().unwrap_or_default();
        span
    };
    Ok(batch.spans.into_iter().map(whole).collect())
}

fn damaged(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged { place: "the table `arrived`".to_owned(), what: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attribute, Value};

    #[test]
    fn spans_come_back() {
        let shared =
            Arc::new(Resource::new(vec![Attribute { key: "service.name".into(), value: "a".into() }]));
        let span = |name: &str, resource: &Arc<Resource>| Span {
            name: name.into(),
            resource: resource.clone(),
            attributes: vec![Attribute { key: "k".into(), value: Value::List([Value::from(1.5)].into()) }],
            ..Span::default()
        };
        let spans = vec![span("one", &shared), span("two", &shared), span("three", &Arc::default())];
        let back = unpack(&Packer::new().unwrap().pack(&spans).unwrap()).unwrap();
        assert_eq!(back, spans);
        assert!(Arc::ptr_eq(&back[0].resource, &back[1].resource));
    }

    #[test]
    fn noise_is_refused() {
        assert!(unpack(b"noise").is_err());
        assert!(unpack(&zstd::bulk::compress(&[0xff; 64], 1).unwrap()).is_err());
    }
}
