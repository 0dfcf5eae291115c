//! Comes in: random bytes, read as OTLP's protobuf, or as JSON where they begin with a brace. Goes out: nothing; a span that
//! no store takes, or one that is another after it was written and read again, panics.

use wirespan_ingest::{
    Batch, Limits,
    otlp::{BadRequest, decode_json, decode_protobuf, encode_json, encode_protobuf},
};

/// Spans as bytes: NaN, which equals nothing, is the same there.
fn again(batch: Result<Batch, BadRequest>) -> Vec<u8> {
    let batch = batch.expect("what was written can be read");
    assert_eq!(batch.refused(), 0);
    encode_protobuf(&batch.spans)
}

/// One input.
pub fn otlp(bytes: &[u8]) {
    let limits = Limits::default();
    let decode = if bytes.starts_with(b"{") { decode_json } else { decode_protobuf };
    let Ok(Batch { spans, .. }) = decode(bytes, &limits) else { return };
    assert!(spans.iter().all(|span| span.start > 0 && span.trace.0 != [0; 16] && span.id.0 != [0; 8]));
    let written = encode_protobuf(&spans);
    assert_eq!(again(decode_protobuf(&written, &limits)), written);
    let json = encode_json(&spans).to_string();
    assert_eq!(again(decode_json(json.as_bytes(), &limits)), written);
}
