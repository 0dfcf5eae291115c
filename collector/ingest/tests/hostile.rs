//! Whatever bytes come: an answer, no panic; and good spans survive bad neighbours.

use proptest::prelude::*;
use wirespan_ingest::{
    Limits, decode_file,
    otlp::{decode_json, decode_protobuf, encode_json, encode_protobuf},
    zipkin::{self, decode_v1, decode_v2},
};
use wirespan_store::{Attribute, Span, Value};

fn good() -> Span {
    Span {
        trace: "0af7651916cd43dd8448eb211c80319c".parse().expect("it is an id"),
        id: "b7ad6b7169203331".parse().expect("it is an id"),
        name: "GET /".into(),
        start: 1_767_225_600_000_000_000,
        duration: 1_000_000,
        attributes: vec![Attribute { key: "k".into(), value: Value::List([Value::from(1)].into()) }],
        ..Span::default()
    }
}

/// Bytes with some of them changed.
fn spoilt(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8).prop_map(move |changes| {
        changes.iter().fold(bytes.clone(), |mut bytes, (at, byte)| {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
            bytes
        })
    })
}

proptest! {
    #[test]
    fn noise_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let limits = Limits::default();
        let _ = (decode_protobuf(&bytes, &limits), decode_json(&bytes, &limits), decode_v2(&bytes));
        let _ = decode_file(&bytes, &limits);
        let _ = (decode_v1(&bytes), zipkin::decode_protobuf(&bytes));
    }

    #[test]
    fn spoilt_protobuf_gives_no_invalid_span(bytes in spoilt(encode_protobuf(&[good(), good()]))) {
        if let Ok(batch) = decode_protobuf(&bytes, &Limits::default()) {
            prop_assert!(batch.spans.iter().all(|span| span.start > 0 && span.trace.0 != [0; 16]));
        }
    }

    #[test]
    fn spoilt_json_gives_no_invalid_span(bytes in spoilt(encode_json(&[good(), good()]).to_string().into_bytes())) {
        if let Ok(batch) = decode_json(&bytes, &Limits::default()) {
            prop_assert!(batch.spans.iter().all(|span| span.start > 0 && span.trace.0 != [0; 16]));
        }
    }
}
