//! Comes in: random bytes, read as a capture file. Goes out: nothing; a property that does not hold panics.
#![no_main]

use wirespan_capture_file::{Capture, Ends, Observation};
use wirespan_proto::event::Event;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for ends in [Ends::Server, Ends::Client, Ends::Both] {
        let Ok(mut capture) = Capture::new(bytes, ends) else { return };
        let mut told = 0;
        let mut tell = |observation: Observation<'_>| {
            if let Observation::Event(Event::Data(data)) = observation {
                told += data.head.len();
            }
        };
        while matches!(capture.step(&mut tell), Ok(None)) {}
        assert!(told <= 2 * bytes.len(), "{told} bytes of {}: each is told once at each end", bytes.len());
    }
});
