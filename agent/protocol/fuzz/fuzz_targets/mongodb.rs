//! Comes in: random bytes, read as calls of both directions. Goes out: nothing; a property that does not hold panics.
#![no_main]

use wirespan_protocol::{facts::Side, mongodb::Mongodb, registry::Entry, testing};

static ALONE: [Entry; 1] = [Entry::of::<Mongodb>()];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let calls = testing::calls_from(bytes);
    testing::bounded(&ALONE, Side::Client, &calls);
    testing::bounded(&ALONE, Side::Unknown, &calls);
});
