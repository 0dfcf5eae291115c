//! FastCGI with random conversations.

use proptest::prelude::*;

use crate::{
    Call, Exchange, conversation, noise, properties, received,
    records::{PARAMS, STDERR, STDIN, STDOUT, begin, end, pairs, record},
    rubbish, sent, talk,
};

/// What is asked, and what comes of it.
#[derive(Clone, Debug)]
struct Request {
    path: String,
    /// Parameters are cut into records of so many bytes.
    piece: usize,
    body: Vec<u8>,
    complaint: String,
    head: String,
    /// Payload of the answer, and in records of how many bytes.
    answer: usize,
    record: usize,
    padding: u8,
    app_status: u32,
}

fn request() -> impl Strategy<Value = Request> {
    // Some are longer than what is looked at (`Settings::max_head`).
    let length = prop_oneof![20 => 0_usize..200, 1 => 16_000_usize..16_900];
    let head = prop_oneof![
        Just("Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\n".to_owned()),
        Just("Content-Type: text/html\n\n".to_owned()),
        "[a-z]{0,9}",
    ];
    let asked = ("/[a-z]{0,9}", 1_usize..400, prop::collection::vec(any::<u8>(), 0..40));
    (asked, "[a-z]{0,9}", head, length, 1_usize..20_000, 0_u8..9, 0_u32..2).prop_map(
        |((path, piece, body), complaint, head, answer, record, padding, app_status)| Request {
            path,
            piece,
            body,
            complaint,
            head,
            answer,
            record,
            padding,
            app_status,
        },
    )
}

impl Request {
    /// The bytes of both sides.
    fn exchange(&self, id: u16) -> Exchange {
        let long = "x".repeat(self.answer);
        let params = pairs(&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", &self.path), ("HTTP_COOKIE", &long)]);
        let cut = |kind: u8, content: &[u8], length: usize| -> Vec<u8> {
            content.chunks(length).flat_map(|piece| record(kind, id, piece, self.padding)).collect()
        };
        let ask = [
            begin(id, true),
            cut(PARAMS, &params, self.piece),
            record(PARAMS, id, b"", 0),
            cut(STDIN, &self.body, 7),
            record(STDIN, id, b"", self.padding),
        ];
        let answer = [
            cut(STDERR, self.complaint.as_bytes(), 4),
            cut(STDOUT, [&self.head, long.as_str()].concat().as_bytes(), self.record),
            end(id, self.app_status, 0),
        ];
        (ask.concat(), answer.concat())
    }
}

/// One request after the other, as web servers ask.
fn in_turn() -> impl Strategy<Value = Vec<Call>> {
    conversation((request(), 1_u16..900).prop_map(|(request, id)| request.exchange(id)), 1..5)
}

/// Several at once, answered in another order.
fn multiplexed() -> impl Strategy<Value = Vec<Call>> {
    (prop::collection::vec(request(), 1..5), any::<bool>()).prop_map(|(requests, reversed)| {
        let exchanges = (1..).zip(&requests).map(|(id, request)| request.exchange(id));
        let (asks, mut answers): (Vec<_>, Vec<_>) = exchanges.unzip();
        if reversed {
            answers.reverse();
        }
        talk(vec![sent(asks.concat()), received(answers.concat())])
    })
}

fn either() -> impl Strategy<Value = Vec<Call>> {
    prop_oneof![in_turn(), multiplexed()]
}

/// Pieces of FastCGI and of nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let whole = (request(), 0_u16..4, any::<bool>()).prop_map(|(request, id, asks)| {
        let (ask, answer) = request.exchange(id);
        if asks { ask } else { answer }
    });
    let broken =
        (0_u8..13, 0_u16..4, rubbish()).prop_map(|(kind, id, content)| record(kind, id, &content, 1));
    prop_oneof![4 => whole, 2 => broken, 1 => rubbish()]
}

properties!(256, either(), noise(piece()));
