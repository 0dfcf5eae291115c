//! Comes in: random bytes, read as packets of a capture file that is well made. Goes out: nothing; a property that does not
//! hold panics.
#![no_main]

use wirespan_capture_file::{Capture, Ends, Observation};
use wirespan_proto::event::Event;

/// Link types that are read: loopback, Ethernet, raw IP, OpenBSD's loopback, Linux' cooked ones.
const LINKS: [u8; 6] = [0, 1, 101, 108, 113, 20];

/// The first byte says the link type, and one before each packet how long it is.
fn pcap(bytes: &[u8]) -> Option<Vec<u8>> {
    let (first, mut rest) = bytes.split_first()?;
    let link = LINKS[usize::from(*first) % LINKS.len()];
    // 276 is the second form of cooked packets.
    let link = if link == 20 { [20, 1] } else { [link, 0] };
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(link);
    file.extend([0, 0]);
    let mut number = 0_u32;
    while let Some((len, behind)) = rest.split_first() {
        let (packet, behind) = behind.split_at(usize::from(*len).min(behind.len()));
        for field in [number / 1000, number % 1000 * 1000, packet.len() as u32, packet.len() as u32] {
            file.extend(field.to_le_bytes());
        }
        file.extend(packet);
        (rest, number) = (behind, number + 1);
    }
    Some(file)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(file) = pcap(bytes) else { return };
    let mut capture = Capture::new(file.as_slice(), Ends::Both).expect("the header is well made");
    let mut told = 0;
    let mut tell = |observation: Observation<'_>| {
        if let Observation::Event(Event::Data(data)) = observation {
            told += data.head.len();
        }
    };
    while capture.step(&mut tell).expect("every packet is there").is_none() {}
    assert!(told <= 2 * bytes.len(), "{told} bytes of {}: each is told once at each end", bytes.len());
});
