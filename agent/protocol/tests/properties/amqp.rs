//! AMQP with random conversations.

use proptest::prelude::*;
use wirespan_protocol::{
    event::Direction,
    exchange::Ending,
    testing::{self, Bench},
};

use crate::{
    Call, Exchange, REGISTRY, noise, properties, received, rubbish, sent, side, talk, together, turns,
};

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("short");
    [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes(), payload, b"\xce"].concat()
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("short")][..], text.as_bytes()].concat()
}

/// A method that a message follows, its header, its body in frames.
fn message(channel: u16, method: &[u8], body: &[u8], piece: usize) -> Vec<u8> {
    let mut header = b"\0\x3c\0\0".to_vec();
    header.extend((body.len() as u64).to_be_bytes());
    header.extend(b"\0\x80\x02m1");
    let mut frames = [frame(1, channel, method), frame(2, channel, &header)].concat();
    body.chunks(piece.max(1)).for_each(|chunk| frames.extend(frame(3, channel, chunk)));
    frames
}

fn publish(key: &str) -> Vec<u8> {
    [&b"\0\x3c\0\x28\0\0\x04shop"[..], &short(key), b"\0"].concat()
}

fn deliver(tag: u64, key: &str) -> Vec<u8> {
    [&b"\0\x3c\0\x3c\x01t"[..], &tag.to_be_bytes(), b"\0\x04shop", &short(key)].concat()
}

fn ack(channel: u16, tag: u64, multiple: bool) -> Vec<u8> {
    frame(1, channel, &[&b"\0\x3c\0\x50"[..], &tag.to_be_bytes(), &[u8::from(multiple)]].concat())
}

/// What one side writes, and what the other answers.
fn turn() -> impl Strategy<Value = Exchange> {
    let body = prop::collection::vec(any::<u8>(), 0..90);
    let parts = (1_u16..4, "[a-z.]{0,12}", body, 1_usize..50, 1_u64..9, any::<bool>());
    (0_u8..6, parts).prop_map(|(kind, (channel, key, body, piece, tag, multiple))| match kind {
        0 => (message(channel, &publish(&key), &body, piece), ack(channel, tag, multiple)),
        1 => (ack(channel, tag, multiple), message(channel, &deliver(tag, &key), &body, piece)),
        2 => (
            frame(1, channel, b"\0\x32\0\x0a\0\0\x01q\0\0\0\0\0"),
            frame(1, channel, b"\0\x32\0\x0b\x01q\0\0\0\0\0\0\0\0"),
        ),
        3 => (
            frame(1, channel, b"\0\x3c\0\x46\0\0\x01q\0"),
            message(
                channel,
                &[&b"\0\x3c\0\x47"[..], &tag.to_be_bytes(), b"\0\0\x01q\0\0\0\0"].concat(),
                &body,
                piece,
            ),
        ),
        4 => (frame(1, channel, b"\0\x55\0\x0a\0"), frame(1, channel, b"\0\x55\0\x0b")),
        _ => (frame(8, 0, b""), frame(8, 0, b"")),
    })
}

const BEGIN: &[u8] = b"AMQP\0\0\x09\x01";
const START: &[u8] = b"\x01\0\0\0\0\0\x0e\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\0\xce";

/// In turns, or all that the client says first.
fn conversation() -> impl Strategy<Value = Vec<Call>> {
    (prop::collection::vec(turn(), 1..20), any::<bool>()).prop_map(|(exchanges, pipelined)| {
        let begin = vec![sent(BEGIN), received(START)];
        let calls = if pipelined { together(exchanges) } else { turns(exchanges) };
        talk([begin, calls].concat())
    })
}

/// Pieces of AMQP and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => turn().prop_map(|(ask, answer)| [ask, answer].concat()),
        1 => Just(BEGIN.to_vec()),
        1 => Just(frame(1, 1, b"\0\x14\0\x28\x01\x94\x02no\0\x3c\0\x28")),
        1 => Just(b"\x03\0\x01\x07\xff\xff\xff".to_vec()),
        1 => Just(b"\x02\0\x01\0\x0f\xff\xff\0\x3c\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        1 => rubbish(),
    ]
}

properties!(unanswered, 256, conversation(), conversation(), noise(piece()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_publish_is_in_one_exchange(calls in conversation(), side in side()) {
        let mut bench = Bench::new(REGISTRY, side);
        bench.play(&calls).finish(Ending::Closed, u64::MAX);
        testing::every_opening_ends_once(&bench.out);
        let sent: Vec<u8> = calls.iter().filter(|call| call.direction == Direction::Sent).flat_map(|call| &call.parts)
            .flat_map(|part| match part { testing::Part::Bytes(bytes) => bytes.clone(), testing::Part::Gap(..) => vec![] })
            .collect();
        let publishes = sent.windows(10).filter(|window| window == b"\0\x3c\0\x28\0\0\x04sho").count();
        prop_assert_eq!(bench.exchanges().filter(|exchange| exchange.method == "publish").count(), publishes);
    }
}
