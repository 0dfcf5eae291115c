//! One direction of a connection: where its parser stands, and its HPACK decoder. Comes in: pieces of header blocks.
//! Goes out: fields. Refuses: blocks longer than a head may be; what is over is left out.

use super::{
    frame::Header,
    hpack::{Decoder, Fields},
};
use crate::protocol::Extent;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The first byte that we see.
    Start,
    /// A frame.
    Frame,
    /// A frame, with one of the next calls.
    Search,
    /// So much payload of a DATA frame, so much padding behind it.
    Payload { stream: u32, left: u64, padding: u64, ends: bool },
}

/// A header block under way (RFC 9113 section 4.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    /// The stream ends with it.
    pub(super) ends: bool,
    /// It belongs to a promise of the server.
    pub(super) promise: bool,
    /// A part of it was not captured, or it is too long.
    pub(super) cut: bool,
    /// Where its frames stood so far.
    pub(super) extent: Option<Extent>,
}

impl Block {
    pub(super) const fn of(header: &Header, promise: bool) -> Self {
        Self { stream: header.stream, ends: header.ends_stream(), promise, cut: false, extent: None }
    }

    /// One more frame of it.
    pub(super) fn extend(&mut self, extent: &Extent) -> Extent {
        let whole = self.extent.map_or(*extent, |before| Extent {
            last: extent.last,
            bytes: before.bytes + extent.bytes,
            missing: before.missing + extent.missing,
            ..before
        });
        self.extent = Some(whole);
        whole
    }
}

/// One direction.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) state: State,
    pub(super) decoder: Decoder,
    /// Fields of the block read last.
    pub(super) fields: Fields,
    /// The block under way, and its bytes so far.
    pub(super) block: Option<Block>,
    pub(super) text: Vec<u8>,
    /// The stream to which bytes belong that are passed over.
    pub(super) current: Option<u32>,
    /// Behind the last byte that was understood.
    pub(super) position: u64,
}

impl Lane {
    /// Of a connection seen from its first byte, or not.
    pub(super) fn new(whole: bool, state: State) -> Self {
        Self {
            state,
            decoder: if whole { Decoder::new() } else { Decoder::joined() },
            fields: Fields::default(),
            block: None,
            text: Vec::new(),
            current: None,
            position: 0,
        }
    }

    /// A piece of a header block, the last one with `ends`; `short`: its end was not captured. At most `max` bytes of
    /// a block are kept, and nothing behind a hole.
    pub(super) fn piece(&mut self, piece: &[u8], short: bool, ends: bool, max: usize) {
        let Some(block) = &mut self.block else { return };
        if ends && self.text.is_empty() && !block.cut {
            self.decoder.decode(piece, short, &mut self.fields);
            return;
        }
        if !block.cut {
            let room = max.saturating_sub(self.text.len());
            block.cut = short || piece.len() > room;
            self.text.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        if ends {
            self.decoder.decode(&self.text, block.cut, &mut self.fields);
            self.text.clear();
        }
    }

    /// Frames may have been missed.
    pub(super) fn forget(&mut self) {
        self.decoder.forget();
        self.text.clear();
        (self.block, self.current, self.state) = (None, None, State::Search);
    }
}
