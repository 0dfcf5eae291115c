//! Comes in: random bytes, read as calls of both directions. Goes out: nothing; a property that does not hold panics.
#![no_main]

use wirespan_protocol::{facts::Side, registry::Entry, testing};

static REGISTRY: [Entry; 1] = [Entry::of::<wirespan_protocol::amqp::Amqp>()];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let calls = testing::calls_from(bytes);
    testing::bounded(&REGISTRY, Side::Client, &calls);
    testing::bounded(&REGISTRY, Side::Unknown, &calls);
});
