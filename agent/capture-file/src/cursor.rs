//! Comes in: captured bytes. Goes out: numbers and slices, each checked. Refuses: reading past the end (`None`).

/// A place in captured bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
    big: bool,
}

impl<'a> Cursor<'a> {
    /// Numbers in network order.
    pub(crate) const fn network(bytes: &'a [u8]) -> Self {
        Self::new(bytes, true)
    }

    /// Numbers in the order of whoever wrote them.
    pub(crate) const fn new(bytes: &'a [u8], big: bool) -> Self {
        Self { rest: bytes, big }
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(|bytes| if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(|bytes| if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(|bytes| if self.big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }
}
