//! Comes in: random bytes, read as calls of both directions behind a client's preface. Goes out: nothing; a property
//! that does not hold panics.
#![no_main]

use wirespan_protocol::{
    facts::Side,
    registry::REGISTRY,
    testing::{self, sent, talk},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let calls = testing::calls_from(bytes);
    let behind = talk([vec![sent(PREFACE)], calls.clone()].concat());
    testing::bounded(REGISTRY, Side::Client, &behind);
    testing::bounded(REGISTRY, Side::Unknown, &calls);
});
