//! Comes in: random bytes, read as an unpacked recording. Goes out: nothing; a property that does not hold panics.
#![no_main]

use wirespan_recording::{Next, Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let mut records = 0;
    while let Ok(Next::Record(_) | Next::Unknown) = reader.next() {
        records += 1;
    }
    assert!(records <= bytes.len(), "{records} records in {} bytes", bytes.len());
});
