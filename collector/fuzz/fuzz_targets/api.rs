//! Random bytes to [`wirespan_collector_fuzz::api`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wirespan_collector_fuzz::api(bytes));
