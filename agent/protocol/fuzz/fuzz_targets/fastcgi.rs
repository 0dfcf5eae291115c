//! Comes in: random bytes, read as calls of both directions behind a record that begins a request. Goes out: nothing; a
//! property that does not hold panics.
#![no_main]

use wirespan_protocol::{
    facts::Side,
    fastcgi::Fastcgi,
    registry::Entry,
    testing::{self, sent, talk},
};

static ALONE: [Entry; 1] = [Entry::of::<Fastcgi>()];

const BEGIN: &[u8] = b"\x01\x01\0\x01\0\x08\0\0\0\x01\x01\0\0\0\0\0";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let calls = testing::calls_from(bytes);
    let behind = talk([vec![sent(BEGIN)], calls.clone()].concat());
    testing::bounded(&ALONE, Side::Client, &behind);
    testing::bounded(&ALONE, Side::Unknown, &calls);
});
