//! Comes in: random bytes, read as each of Zipkin's forms and as a file of traces. Goes out: nothing; a span that no store
//! takes, or one that Zipkin's own form does not hold, panics.

use wirespan_ingest::{
    Batch, Limits, decode_file,
    otlp::BadRequest,
    zipkin::{decode_protobuf, decode_v1, decode_v2},
};
use wirespan_query::form::zipkin;

fn check(batch: Result<Batch, BadRequest>) {
    let Ok(Batch { spans, .. }) = batch else { return };
    assert!(spans.iter().all(|span| span.start > 0 && span.trace.0 != [0; 16] && span.id.0 != [0; 8]));
    let written = zipkin::trace(&spans).to_string();
    let again = decode_v2(written.as_bytes()).expect("what was written can be read");
    let ids = |spans: &[wirespan_store::Span]| -> Vec<_> {
        spans.iter().map(|span| (span.trace, span.id, span.parent)).collect()
    };
    assert_eq!(ids(&again.spans), ids(&spans));
}

/// One input.
pub fn zipkin(bytes: &[u8]) {
    [decode_v1, decode_v2, decode_protobuf].into_iter().for_each(|decode| check(decode(bytes)));
    check(decode_file(bytes, &Limits::default()));
}
