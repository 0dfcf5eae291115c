//! Comes in: the body of one direction of a call, as it passes. Goes out: how many messages it holds (gRPC over HTTP2:
//! a flag, a length of four bytes, the message). Refuses: to count on where a length was missed.

/// Length of what stands before a message, bytes.
const PREFIX: usize = 5;

/// Flag of the last frame of a gRPC-Web body, which holds trailers.
pub(super) const TRAILERS: u8 = 0x80;

/// Where a body stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Messages {
    number: u64,
    /// Bytes left of the message under way.
    left: u64,
    /// What was seen of the next message's prefix.
    prefix: [u8; PREFIX],
    seen: u8,
    /// Are the bytes left trailers and no message?
    trailers: bool,
    /// Was a length missed?
    lost: bool,
}

impl Messages {
    /// Messages begun so far; `None` where some may have been missed.
    pub(crate) const fn number(&self) -> Option<u64> {
        if self.lost { None } else { Some(self.number) }
    }

    /// Bytes of the body that can pass unseen: up to the next prefix.
    pub(crate) const fn blind(&self) -> u64 {
        if self.lost { u64::MAX } else { self.left }
    }

    /// Length of the trailers that the body goes on with now.
    pub(crate) fn trailers(&self) -> Option<usize> {
        if self.trailers && !self.lost { usize::try_from(self.left).ok() } else { None }
    }

    /// Bytes of the body passed that were not seen, or not even copied.
    pub(crate) const fn pass(&mut self, bytes: u64) {
        self.lost |= bytes > self.left && !self.lost;
        self.left = self.left.saturating_sub(bytes);
        self.trailers &= self.left > 0;
    }

    /// What follows is no longer known.
    pub(crate) const fn lose(&mut self) {
        self.lost = true;
    }

    /// Looks at bytes of the body; answers how many it took. It stops in front of trailers.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() && self.trailers().is_none() {
            let known = usize::try_from(self.blind()).unwrap_or(usize::MAX).min(rest.len());
            if known > 0 {
                self.pass(known as u64);
                rest = rest.get(known..).unwrap_or_default();
            } else if let Some((byte, behind)) = rest.split_first() {
                self.begin(*byte);
                rest = behind;
            }
        }
        bytes.len() - rest.len()
    }

    /// A byte of a prefix.
    fn begin(&mut self, byte: u8) {
        if let Some(place) = self.prefix.get_mut(usize::from(self.seen)) {
            *place = byte;
        }
        self.seen += 1;
        if usize::from(self.seen) < PREFIX {
            return;
        }
        let [flag, a, b, c, d] = self.prefix;
        self.seen = 0;
        self.left = u64::from(u32::from_be_bytes([a, b, c, d]));
        self.trailers = flag & TRAILERS != 0 && self.left > 0;
        self.number += u64::from(flag & TRAILERS == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &[u8] = b"\0\0\0\0\x03abc\0\0\0\0\0\x01\0\0\0\x02de";

    #[test]
    fn lengths_lead_from_one_to_the_next() {
        for piece in 1..=THREE.len() {
            let mut messages = Messages::default();
            THREE.chunks(piece).for_each(|bytes| assert_eq!(messages.feed(bytes), bytes.len()));
            assert_eq!(messages.number(), Some(3), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_message_may_pass_unseen() {
        let mut messages = Messages::default();
        messages.feed(b"\0\0\x10\0\0abc");
        assert_eq!(messages.blind(), 0x10_0000 - 3);
        messages.pass(0x10_0000 - 3);
        messages.feed(THREE);
        assert_eq!(messages.number(), Some(4));
        messages.feed(b"\0\0\0\0\x01");
        messages.pass(2);
        assert_eq!(messages.number(), None, "a prefix was missed");
        assert_eq!(messages.feed(THREE), THREE.len());
    }

    #[test]
    fn trailers_are_no_message() {
        let mut messages = Messages::default();
        let body = [THREE, b"\x80\0\0\0\x0fgrpc-status:0\r\n"].concat();
        assert_eq!(messages.feed(&body), THREE.len() + PREFIX);
        assert_eq!((messages.trailers(), messages.number()), (Some(15), Some(3)));
        messages.pass(15);
        assert_eq!((messages.trailers(), messages.number()), (None, Some(3)));
    }
}
