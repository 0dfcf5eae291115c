//! The three properties of every parser, for WebSocket behind its handshake.

use proptest::prelude::*;
use wirespan_protocol::{facts::Side, registry::REGISTRY, testing};

use crate::{Call, received, rubbish, sent, talk};

const ASK: &str = "GET /a HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n";

/// A frame of data or control, masked or not, with its length in any of the three forms.
fn frame(masked: bool) -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![Just(0x81_u8), Just(0x02), Just(0x80), Just(0x89), Just(0xc1), Just(0x88)];
    (first, prop_oneof![0_usize..20, Just(126), 65_530_usize..65_540], any::<[u8; 4]>()).prop_map(
        move |(first, length, key)| {
            let length = if first & 8 == 0 { length } else { length.min(20) };
            let bit = if masked { 0x80 } else { 0 };
            let mut bytes = match length {
                0..126 => vec![first, bit | length as u8],
                126..65_536 => [&[first, bit | 126][..], &(length as u16).to_be_bytes()].concat(),
                _ => [&[first, bit | 127][..], &(length as u64).to_be_bytes()].concat(),
            };
            bytes.extend(key.iter().filter(|_| masked));
            bytes.extend((0..length).map(|place| place as u8));
            bytes
        },
    )
}

/// Behind the handshake.
fn behind(turns: Vec<Call>) -> Vec<Call> {
    talk([sent(ASK), received(SWITCH)].into_iter().chain(turns).collect())
}

fn conversation() -> impl Strategy<Value = Vec<Call>> {
    let turn = (any::<bool>()).prop_flat_map(|asks| frame(asks).prop_map(move |bytes| (asks, bytes)));
    prop::collection::vec(turn, 1..8).prop_map(|mut turns| {
        // Who has said that it closes says no more (RFC 6455 section 5.5.1).
        let mut closed = Vec::new();
        turns.retain(|(asks, bytes)| {
            let open = !closed.contains(asks);
            closed.extend((bytes[0] == 0x88).then_some(*asks));
            open
        });
        behind(
            turns.into_iter().map(|(asks, bytes)| if asks { sent(bytes) } else { received(bytes) }).collect(),
        )
    })
}

/// Frames and nothing, with gaps of all kinds.
fn noise() -> impl Strategy<Value = Vec<Call>> {
    crate::noise(prop_oneof![frame(true), frame(false), rubbish()]).prop_map(behind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_split_gives_the_same(calls in conversation(), cuts in prop::collection::vec(1_usize..4000, 1..12)) {
        testing::same_for_any_split(REGISTRY, Side::Client, &calls, &cuts);
    }

    #[test]
    fn anything_at_all_is_bounded(calls in noise()) {
        testing::bounded(REGISTRY, Side::Client, &calls);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_prefix_waits(calls in conversation()) {
        testing::prefixes_wait(REGISTRY, Side::Client, &calls);
    }
}
