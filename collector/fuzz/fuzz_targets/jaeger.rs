//! Random bytes to [`wirespan_collector_fuzz::jaeger`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wirespan_collector_fuzz::jaeger(bytes));
