//! Comes in: random bytes, read as header blocks of requests on one connection. Goes out: nothing; a property that does
//! not hold panics.
#![no_main]

use wirespan_protocol::{
    facts::Side,
    registry::REGISTRY,
    testing::{self, received, talk},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut wire = PREFACE.to_vec();
    for (stream, block) in (1_u32..).step_by(2).zip(bytes.split(|byte| *byte == 0xfe)) {
        let length = (block.len() as u32 + 1).to_be_bytes();
        wire.extend([&length[1..], &[1, 5], &stream.to_be_bytes(), &[0x82], block].concat());
    }
    testing::bounded(REGISTRY, Side::Server, &talk(vec![received(wire)]));
});
