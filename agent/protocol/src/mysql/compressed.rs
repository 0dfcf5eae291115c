//! Comes in: bytes of a connection on which both sides compress (MySQL Internals, "Compression"). Goes out: a command
//! and the lengths of what answers it. Refuses: to decompress. Short packets are not compressed, and are read.

use super::{
    Frame, Mysql, Packet,
    command::{self, Reply},
    response::{self, Place},
    wire::{self, COMPRESSED_HEADER, HEADER},
};
use crate::{
    cursor::Cursor,
    event::Direction,
    protocol::{Input, Step},
    settings::Settings,
    stream::Gap,
};

/// Most bytes looked at of a packet that is not compressed; longer ones are (`MIN_COMPRESS_LENGTH` is 50).
const MAX_PLAIN: usize = 512;

impl Mysql {
    /// The next compressed packet.
    pub(super) fn compressed(
        &mut self,
        direction: Direction,
        input: &Input<'_>,
        settings: &Settings,
    ) -> Step<Frame> {
        let mut cursor = Cursor::new(input.bytes());
        let header = (cursor.u24_le(), cursor.u8(), cursor.u24_le());
        let (Some(length), Some(sequence), Some(before)) = header else {
            return match input.cut() {
                None => Step::NeedMore,
                // Without a length nobody knows where the next packet begins, but a call may begin one.
                Some((Gap::NotCopied, _)) if self.pairing.answering() => Step::Skip(input.available()),
                Some(_) => Step::Resync,
            };
        };
        let most = (length as usize).min(MAX_PLAIN);
        let plain = before == 0;
        if plain && cursor.rest().len() < most && input.cut().is_none() {
            return Step::NeedMore;
        }
        let content = cursor.rest().get(..most).unwrap_or(cursor.rest());
        let content = if plain { content } else { &[] };
        let packet = if direction == self.asks {
            self.asked_compressed(content, sequence, settings)
        } else {
            Packet::Part(error(content).map(Box::new))
        };
        Step::Frame(Frame(packet), COMPRESSED_HEADER as u64 + u64::from(length))
    }

    /// A client's packet; with the number 0 it begins a command.
    fn asked_compressed(&self, content: &[u8], sequence: u8, settings: &Settings) -> Packet {
        if sequence != 0 {
            return Packet::More;
        }
        let whole = wire::header(content)
            .is_some_and(|header| header.total() == content.len() as u64 && header.sequence == 0);
        let payload = content.get(HEADER..).filter(|_| whole);
        match payload.and_then(|payload| command::read(payload, true, self.reading(settings))) {
            Some(command) => Packet::Command(Box::new(command)),
            None => Packet::Unread,
        }
    }
}

/// The error that a packet begins with, if it does.
fn error(content: &[u8]) -> Option<response::Said> {
    let header = wire::header(content)?;
    let payload = content.get(HEADER..)?;
    (payload.first() == Some(&0xff))
        .then(|| response::read(payload, header.length, Place::Head, Reply::Word, None))
}
