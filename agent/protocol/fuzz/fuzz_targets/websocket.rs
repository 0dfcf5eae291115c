//! Comes in: random bytes, read as calls of both directions behind a handshake. Goes out: nothing; a property that does
//! not hold panics.
#![no_main]

use wirespan_protocol::{
    facts::Side,
    registry::REGISTRY,
    testing::{self, received, sent, talk},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let hands = vec![
        sent("GET /a HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
        received("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n"),
    ];
    testing::bounded(REGISTRY, Side::Client, &talk([hands, testing::calls_from(bytes)].concat()));
});
