//! Comes in: the segments of one direction of a TCP connection, as they were captured. Goes out: its bytes in order,
//! each once. Refuses: waiting for bytes that the peer has acknowledged: they arrived, and were not captured.
//!
//! Sequence numbers wrap: which of two is ahead is told by the shorter way round (RFC 9293 §3.4).

use std::collections::VecDeque;

/// Segments held because an earlier one is missing.
const MAX_HELD: usize = 1024;
/// Their captured bytes.
const MAX_HELD_BYTES: usize = 1 << 20;

/// What a segment carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Sequence number of the first byte.
    pub(crate) offset: u32,
    /// Its bytes, as far as they were captured.
    pub(crate) bytes: &'a [u8],
    /// Their number on the wire.
    pub(crate) len: u32,
}

/// A segment that came early.
#[derive(Debug)]
struct Held {
    offset: u32,
    bytes: Vec<u8>,
    len: u32,
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Sequence number of the next byte to give out; `None` before the first segment.
    next: Option<u32>,
    /// Early segments, by offset.
    held: VecDeque<Held>,
    held_bytes: usize,
    /// The highest sequence number that the peer acknowledged.
    acknowledged: Option<u32>,
    /// Sequence number of the FIN.
    end: Option<u32>,
    ended: bool,
    /// Bytes given out, and those that were not captured between them.
    seen: u64,
    /// Of `seen`, those that no segment was captured of.
    missing: u64,
}

/// How far `a` is ahead of `b`.
const fn ahead(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

impl Stream {
    /// The stream begins here: the SYN was seen.
    pub(crate) const fn begin(&mut self, offset: u32) {
        self.next = Some(offset);
    }

    /// The peer says that it begins here, unless its SYN was seen.
    pub(crate) fn begin_before(&mut self, offset: u32) {
        self.next.get_or_insert(offset);
    }

    /// Has nothing been seen of it?
    pub(crate) const fn is_unseen(&self) -> bool {
        self.next.is_none()
    }

    /// Bytes so far, captured or not.
    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }

    /// Of them, those that were in no captured segment.
    pub(crate) const fn missing(&self) -> u64 {
        self.missing
    }

    /// Captured bytes that wait for earlier ones.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Sequence number behind the last byte given out.
    pub(crate) fn position(&self) -> u32 {
        self.next.unwrap_or_default()
    }

    /// Have all bytes before the FIN been given out?
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Counts bytes that need no order: a datagram's.
    pub(crate) fn count(&mut self, len: u32) {
        self.seen += u64::from(len);
    }

    /// Takes a segment. `give` gets what is in order now.
    pub(crate) fn take(&mut self, piece: Piece<'_>, fin: bool, give: &mut dyn FnMut(Piece<'_>)) {
        let next = *self.next.get_or_insert(piece.offset);
        if fin && self.end.is_none() {
            self.end = Some(piece.offset.wrapping_add(piece.len));
        }
        if ahead(piece.offset, next) <= 0 {
            self.advance(piece, give);
        } else if piece.len > 0 {
            self.hold(piece);
        }
        while self.held.len() > MAX_HELD || self.held_bytes > MAX_HELD_BYTES {
            self.jump();
            self.drain(give);
        }
        self.settle(give);
    }

    /// The peer has everything before `ack`.
    pub(crate) fn acknowledge(&mut self, ack: u32, give: &mut dyn FnMut(Piece<'_>)) {
        if self.acknowledged.is_none_or(|known| ahead(ack, known) > 0) {
            self.acknowledged = Some(ack);
        }
        self.settle(give);
    }

    /// Waits for nothing any more.
    pub(crate) fn give_up(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        while !self.held.is_empty() {
            self.jump();
            self.drain(give);
        }
        self.reach_end();
    }

    /// Gives out what can be, and leaps over holes that will not fill.
    fn settle(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        self.drain(give);
        while let (Some(acknowledged), Some(first)) = (self.acknowledged, self.held.front())
            && ahead(acknowledged, first.offset) >= 0
        {
            self.jump();
            self.drain(give);
        }
        self.reach_end();
    }

    /// Gives out the new part of a segment that is not early.
    fn advance(&mut self, piece: Piece<'_>, give: &mut dyn FnMut(Piece<'_>)) {
        let next = self.position();
        let known = next.wrapping_sub(piece.offset);
        if piece.len <= known {
            return;
        }
        let len = piece.len - known;
        let bytes = piece.bytes.get(known as usize..).unwrap_or_default();
        self.next = Some(next.wrapping_add(len));
        self.seen += u64::from(len);
        give(Piece { offset: next, bytes, len });
    }

    fn hold(&mut self, piece: Piece<'_>) {
        let place = self.held.partition_point(|held| ahead(piece.offset, held.offset) > 0);
        let again =
            self.held.get(place).is_some_and(|held| held.offset == piece.offset && held.len >= piece.len);
        if !again {
            self.held_bytes += piece.bytes.len();
            let held = Held { offset: piece.offset, bytes: piece.bytes.to_vec(), len: piece.len };
            self.held.insert(place, held);
        }
    }

    fn drain(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        while let Some(first) = self.held.front()
            && ahead(first.offset, self.position()) <= 0
            && let Some(Held { offset, bytes, len }) = self.held.pop_front()
        {
            self.held_bytes -= bytes.len();
            self.advance(Piece { offset, bytes: &bytes, len }, give);
        }
    }

    /// Leaps over the first hole.
    fn jump(&mut self) {
        if let Some(first) = self.held.front() {
            let hole = u64::from(first.offset.wrapping_sub(self.position()));
            self.next = Some(first.offset);
            self.seen += hole;
            self.missing += hole;
        }
    }

    /// Has the end been reached: by the bytes, or by the peer's acknowledgement of what was not captured before it?
    fn reach_end(&mut self) {
        let (Some(end), true) = (self.end, self.held.is_empty()) else { return };
        let left = ahead(end, self.position());
        let arrived = self.acknowledged.is_some_and(|acknowledged| ahead(acknowledged, end) > 0);
        if left > 0 && arrived {
            self.seen += u64::from(left.cast_unsigned());
            self.missing += u64::from(left.cast_unsigned());
            self.next = Some(end);
        }
        self.ended |= left <= 0 || arrived;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// What a stream gives: bytes, and `_` for each that is not there.
    #[derive(Default)]
    struct Text {
        stream: Stream,
        text: String,
        position: u32,
    }

    impl Text {
        fn starting(offset: u32) -> Self {
            let mut text = Self { position: offset, ..Self::default() };
            text.stream.begin(offset);
            text
        }

        fn with(&mut self, step: impl FnOnce(&mut Stream, &mut dyn FnMut(Piece<'_>))) {
            let Self { stream, text, position } = self;
            step(stream, &mut |piece| {
                let hole = piece.offset.wrapping_sub(*position) as usize;
                let cut = piece.len as usize - piece.bytes.len();
                text.push_str(&"_".repeat(hole));
                text.push_str(std::str::from_utf8(piece.bytes).unwrap());
                text.push_str(&"_".repeat(cut));
                *position = piece.offset.wrapping_add(piece.len);
            });
        }

        fn segment(&mut self, offset: u32, bytes: &str) -> &mut Self {
            let piece = Piece { offset, bytes: bytes.as_bytes(), len: bytes.len() as u32 };
            self.with(|stream, give| stream.take(piece, false, give));
            self
        }

        fn fin(&mut self, offset: u32) -> &mut Self {
            self.with(|stream, give| stream.take(Piece { offset, bytes: &[], len: 0 }, true, give));
            self
        }

        fn ack(&mut self, ack: u32) -> &mut Self {
            self.with(|stream, give| stream.acknowledge(ack, give));
            self
        }
    }

    #[test]
    fn retransmitted_bytes_count_once() {
        let mut text = Text::starting(100);
        text.segment(100, "abc").segment(100, "abc").segment(101, "bcdef").segment(99, "?");
        assert_eq!(text.text, "abcdef");
    }

    #[test]
    fn early_bytes_wait() {
        let mut text = Text::starting(100);
        text.segment(106, "ghi").segment(103, "def").segment(103, "def");
        assert_eq!(text.text, "");
        assert_eq!(text.segment(100, "abc").text, "abcdefghi");
    }

    #[test]
    fn what_was_acknowledged_but_not_captured_is_a_hole() {
        let mut text = Text::starting(100);
        text.segment(100, "ab").segment(105, "fg").segment(109, "jk").ack(104);
        assert_eq!(text.text, "ab", "the hole is acknowledged only in part");
        assert_eq!(text.ack(107).text, "ab___fg");
        assert_eq!(text.ack(111).text, "ab___fg__jk");
        assert_eq!((text.stream.seen(), text.stream.missing()), (11, 5));
    }

    #[test]
    fn the_end_comes_behind_the_last_byte() {
        let mut text = Text::starting(100);
        assert!(!text.fin(103).stream.has_ended());
        assert!(text.segment(100, "abc").stream.has_ended());
        let mut text = Text::starting(100);
        assert!(!text.fin(103).ack(103).stream.has_ended());
        assert!(text.ack(104).stream.has_ended(), "the peer has it all");
        assert_eq!(text.stream.missing(), 3);
    }

    #[test]
    fn numbers_wrap() {
        let mut text = Text::starting(u32::MAX - 1);
        text.segment(1, "def").segment(u32::MAX - 1, "abc").ack(4);
        assert_eq!(text.text, "abcdef");
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut text = Text::starting(0);
        for number in 0..2 * MAX_HELD as u32 {
            text.segment(10 + number * 2, "x");
        }
        assert!(text.stream.held.len() <= MAX_HELD);
        let long = "y".repeat(MAX_HELD_BYTES / 3);
        for number in 0..5 {
            text.segment(1_000_000 + number * 1_000_000, &long);
        }
        assert!(text.stream.held_bytes() <= MAX_HELD_BYTES);
    }

    proptest! {
        #[test]
        fn any_order_of_overlapping_segments_gives_the_same_bytes(
            start: u32,
            cuts in vec((0..90_usize, 1..30_usize), 0..30),
            order: u64,
        ) {
            let whole: String = (0..100).map(|n| char::from(b'a' + n % 26)).collect();
            let mut cuts = cuts;
            cuts.extend((0..10).map(|n| (n * 10, 10)));
            let len = cuts.len();
            cuts.rotate_left(order as usize % len);
            let mut text = Text::starting(start);
            for (at, len) in cuts {
                let end = (at + len).min(100);
                text.segment(start.wrapping_add(at as u32), &whole[at..end]);
            }
            prop_assert_eq!(&text.text, &whole);
            prop_assert_eq!(text.stream.held_bytes(), 0);
        }
    }
}
